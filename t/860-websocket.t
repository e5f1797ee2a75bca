# A WebSocket through the gate: who comes in is asked at the handshake.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::WebSocket;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        keys  %%KEYS%%;
        cookie authgate secure=off;
        session idle=10s max=1h;
        accept cookie bearer basic;
    }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        authgate ops;
        location / {
            proxy_pass http://127.0.0.1:%%PORT_app%%;
            proxy_http_version 1.1;
            proxy_set_header Upgrade          $http_upgrade;
            proxy_set_header Connection       $connection_upgrade;
            proxy_set_header X-Forwarded-User $authgate_user;
        }
        location /ops { authgate_require group=ops; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /status { authgate off; stub_status; access_log off; }
    }
EOF_HTTP
$server->make_certificate;
AuthGate::WebSocket::serve($server->port('app'));
$server->run;
my ($worker) = $server->workers;
my $url = 'ws://127.0.0.1:' . $server->port;

sub cookie_of ($user) {
    my $browser = $server->client;
    $browser->sign_in($user);
    return 'authgate=' . $browser->cookie('authgate');
}

my $cookie = cookie_of('alice');

# Without a session: a WebSocket is no navigation.
for my $case (['no cookie'], ['a browser', 'Sec-Fetch-Mode' => 'websocket'], ['a bad cookie', Cookie => "$cookie."],
    ['a wrong password', basic('alice', 'wrong')], ['a bad token', Authorization => 'Bearer agt_v1.x.y.z']) {
    my ($what, @headers) = @$case;
    my $refused = AuthGate::WebSocket->connect("$url/live", @headers)->response;
    is $refused->status, 401, "$what: 401";
    is $refused->header('Location'), undef, "$what: no redirect";
    is_deeply [$refused->headers('Cache-Control')], ['no-store'], "$what: not to be stored";
    is $refused->header('Upgrade'), undef, "$what: no upgrade";
}

# With one.
{
    my $socket = AuthGate::WebSocket->connect("$url/live", Cookie => "a=1; $cookie; b=2");
    is $socket->status, 101, 'a session: 101';
    is $socket->echo("$_ comes back"), "$_ comes back", "a session: $_" for 'this', 'that';
    is $socket->echo('x' x 300_000), 'x' x 300_000, 'a session: a long message';
    is_deeply [$socket->head('Cookie')], ['a=1; b=2'], 'B35 the application gets the other cookies';
    is_deeply [$socket->head('X-Forwarded-User')], ['alice'], 'and the user';
    $socket->close;
}
for my $case (['Basic', right('alice')], ['an API token', Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice')]) {
    my ($what, @credential) = @$case;
    my $socket = AuthGate::WebSocket->connect("$url/live", @credential);
    is $socket->status, 101, "$what: 101";
    is_deeply [$socket->head('Authorization')], [], "B35 $what: it stays here";
    is_deeply [$socket->head('X-Forwarded-User')], ['alice'], "$what: the user";
    $socket->close;
}
{
    my $socket = AuthGate::WebSocket->connect('wss://localhost:' . $server->port('tls') . '/live', Cookie => $cookie);
    is $socket->status, 101, 'over TLS: 101';
    is $socket->echo('hello'), 'hello', 'over TLS: a message';
    $socket->close;
}
is AuthGate::WebSocket->connect("$url/ops", Cookie => cookie_of('bob'))->status, 403, 'authgate_require: 403';

# A handshake is a request like any other: it renews the session.
{
    my $old = cookie_of('alice');
    my $renewed;
    AuthGate::Server::wait_until {
        my $socket = AuthGate::WebSocket->connect("$url/live", Cookie => $old);
        ($renewed) = map { /\A(authgate=[^;]+)/ } $socket->response->headers('Set-Cookie');
        is $socket->status, 101, 'a session that is due: 101' if $renewed;
        $socket->close;
        $renewed;
    }
    8, 'a renewed cookie';
    isnt $renewed, $old, 'the handshake renews the cookie';
    is AuthGate::WebSocket->connect("$url/live", Cookie => $renewed)->status, 101, 'which holds';
}

is_deeply [$server->workers], [$worker], 'the worker lives';
done_testing;
