# G85a: what Traefik's forwardAuth and Caddy's forward_auth ask, and what they do with the answer, as
# docs/forward-auth.md sets them up. Both send a GET of the address that they are given with all header fields of the
# client's, but for those of the connection, and put fields of their own in the place of the client's.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $server  = AuthGate::Server->prepare('');
my $example = AuthGate::Examples::adapted('forward-auth.conf',
    '/etc/nginx/authgate/users' => '%%USERS%%',
    'state     /var/lib/authgate;' =>
        'keys %%KEYS%%; state %%DIR%%/state; accept cookie bearer basic; session idle=20s max=1h;',
    '192.0.2.2:8082' => '127.0.0.1:%%PORT%%', '192.0.2.10' => '127.0.0.1');
$server->configure($example);
$server->run;
my $gate = $server->client(headers => []);

# A proxy: what it sends for a request of a client's, and which host it names.
my %PROXY = (
    # With trustForwardHeader: false and no authRequestHeaders. Its entry point has set X-Forwarded-Port, -Server and
    # X-Real-Ip; Host is that of the address.
    Traefik => sub ($method, $uri, %client) {
        delete @client{qw(Connection Upgrade Keep-Alive Te Trailer Transfer-Encoding)};
        delete @client{ grep { /^X-Forwarded-/ } keys %client };
        my $proto = delete $client{proto} // 'https';
        return (Host => '127.0.0.1', 'User-Agent' => 'x', %client, 'Accept-Encoding' => 'gzip',
            'X-Forwarded-For' => '198.51.100.9', 'X-Forwarded-Host' => 'prometheus.example.com',
            'X-Forwarded-Method' => $method, 'X-Forwarded-Port' => 443, 'X-Forwarded-Proto' => $proto,
            'X-Forwarded-Server' => 'traefik-0', 'X-Forwarded-Uri' => $uri, 'X-Real-Ip' => '198.51.100.9');
    },
    # Without trusted_proxies. Host is the client's.
    Caddy => sub ($method, $uri, %client) {
        my $proto = delete $client{proto} // 'https';
        delete @client{qw(X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Method X-Forwarded-Uri)};
        return (Host => 'prometheus.example.com', %client, 'Accept-Encoding' => 'gzip', Via => '1.1 Caddy',
            'X-Forwarded-For' => '198.51.100.9', 'X-Forwarded-Host' => 'prometheus.example.com',
            'X-Forwarded-Method' => $method, 'X-Forwarded-Proto' => $proto, 'X-Forwarded-Uri' => $uri);
    },
);
my %NAVIGATION = (Accept => 'text/html', 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Site' => 'none');
my @NAMES = qw(Remote-User Remote-Groups X-Forwarded-User X-Forwarded-Groups);

# The application as a proxy asks about it: the gate's answer.
sub ask ($proxy, $method, $uri, %client) {
    $gate->forget_cookies;    # a proxy keeps none
    return $gate->get('/verify-or-login', $PROXY{$proxy}->($method, $uri, %client));
}

# What both hand on to the application: the fields that the gate names, and none of the client's.
sub identity ($answer) { return join ' ', $answer->status, map { $answer->header($_) // '-' } @NAMES }

my $login = $server->client;
$login->sign_in('alice');
my %alice   = (Cookie => 'other=1; __Host-authgate=' . $login->cookie('__Host-authgate'));
my $limited = AuthGate::Token::api(user => 'alice', methods => ['GET'], paths => ['/metrics']);
my %limited = (Authorization => "Bearer $limited");
my %free    = (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'carol'));

for my $proxy (sort keys %PROXY) {
    my $ask = sub (@request) { ask($proxy, @request) };

    # Nobody.
    my $sent = $ask->('GET', '/graph?a=1&b=x%20y', %NAVIGATION);
    is $sent->status, 302, "$proxy: a navigation is sent to the login page";
    is $sent->header('Location'), '/authgate/login?rd=/graph%3Fa%3D1%26b%3Dx%2520y', "$proxy: which leads back";
    is $ask->('GET', '/x', %NAVIGATION, 'X-Forwarded-Uri' => '/y')->header('Location'), '/authgate/login?rd=/x',
        "$proxy: to what the proxy says, not the client";
    is $ask->('POST', '/x', %NAVIGATION)->status, 401, "$proxy: a post is not";
    is $ask->('GET', '/ws', %NAVIGATION, 'Sec-Fetch-Mode' => 'websocket', Upgrade => 'websocket')->status, 401,
        "$proxy: nor a WebSocket";
    is $ask->('GET', '/x', %NAVIGATION, proto => 'ws')->status, 302, "$proxy: whatever the scheme is called";
    is $ask->('GET', '/x')->status, 401, "$proxy: nor a program";
    like $ask->('GET', '/x', Accept => 'application/json')->body, qr{"login":"/authgate/login\?rd=/x"}, "$proxy: JSON";
    is identity($ask->('GET', '/x', 'Remote-User' => 'mallory', 'X-Forwarded-User' => 'mallory')), '401 - - - -',
        "G84 $proxy: nobody is who he says";

    # Somebody.
    my $ALICE = '204 alice ops,sre alice ops,sre';
    is identity($ask->($_, '/x', %alice)), $ALICE, "$proxy: a session, $_" for qw(GET HEAD POST DELETE);
    is identity($ask->('GET', '/x', %alice, 'Remote-User' => 'mallory')), $ALICE, "G84 $proxy: the verified user";
    is identity($ask->('GET', '/x', %free)), '204 carol - carol -', "$proxy: an API token, no groups";
    is identity($ask->('GET', '/x', basic('bob', $PASSWORD{bob}))), '204 bob dev bob dev', "$proxy: Basic";
    is identity($ask->('GET', '/x', basic('bob', 'canary-wrong'))), '401 - - - -', "$proxy: Basic, wrong";
    is $ask->('GET', '/x', %alice)->body, '', "$proxy: without a body";

    # An API token with limits.
    is identity($ask->('GET', '/metrics', %limited)), $ALICE, "G85a $proxy: limited token";
    is identity($ask->('GET', '/metrics?x=1', %limited)), $ALICE, "G85a $proxy: limited token, a query";
    for my $case (['POST', '/metrics'], ['GET', '/admin'], ['GET', '/metrics/../admin'],
        ['GET', '/metrics/%2e%2e/admin'], ['GET', '//metrics'], ['get', '/metrics'])
    {
        is identity($ask->(@$case, %limited)), '403 - - - -', "G85a $proxy: limited token, @$case";
    }

    # The client's fields that the proxy does not know and lets through can only contradict it.
    for my $line (['X-Original-URL' => '/metrics'], ['X-Original-URL' => 'https://prometheus.example.com/metrics'],
        ['X-Original-Method' => 'GET'], ['X-Forwarded-Uri' => '/metrics'], ['X-Forwarded-Method' => 'GET'],
        ['X-Forwarded-Host' => 'x'], ['X-Forwarded-Proto' => 'http'], ['X-Original-URL' => "\x{1}"])
    {
        my $name = join ' ', map { s/[^ -~]/?/gr } @$line;
        is identity($ask->('GET', '/admin', %limited, @$line)), '403 - - - -', "G85a $proxy: another path, $name";
        is identity($ask->('POST', '/metrics', %limited, @$line)), '403 - - - -', "G85a $proxy: another method, $name";
        is identity($ask->('GET', '/x', %alice, @$line)), $ALICE, "G85a $proxy: a session needs none of that, $name";
        unlike $ask->('GET', '/admin', %NAVIGATION, @$line)->raw, qr{rd=(?!/admin\r?$)}m,
            "G85a $proxy: leads nowhere else, $name";
    }

    # Failed logins are the client's, not the proxy's.
    my @lines = $server->gate_lines_of(sub { $ask->('GET', '/x', basic('alice', "canary-$proxy")) });
    like $lines[0], qr/login failed, user "alice".*, client: 198\.51\.100\.9,/, "$proxy: the client in the log";

    # A renewed cookie comes with the answer.
    my $renewed;
    AuthGate::Server::wait_until {
        $renewed = $ask->('GET', '/x', %alice);
        $renewed->headers('Set-Cookie');
    }
    20, 'a renewed cookie';
    is join('|', map { s/=.*//r } $renewed->headers('Set-Cookie')), '__Host-authgate', "$proxy: one renewed cookie";
}

done_testing;
