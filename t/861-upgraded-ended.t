# A connection that has been upgraded is closed when what let it in has ended (A22, A23), and no other.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::WebSocket;
use List::Util qw(sum);
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops {
        users %%USERS%%;
        keys  %%KEYS%%;
        cookie authgate secure=off;
        accept cookie bearer basic;
        limit off;
    }
    authgate_realm short {
        users %%USERS%%;
        path  /short/;
        cookie short;
        session idle=1s max=4s;
    }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    proxy_http_version 1.1;
    proxy_set_header Upgrade    $http_upgrade;
    proxy_set_header Connection upgrade;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        root %%DIR%%/html;
        authgate ops;
        location = /pid    { return 200 $pid; }
        location /live     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /ops      { authgate_require group=sre; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /optional { authgate ops optional; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /dry      { authgate_dry_run on; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /off      { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /any      { satisfy any; allow all; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /status-of-nginx { authgate off; stub_status; access_log off; }
    }
    server {
        listen 127.0.0.1:%%PORT_short%%;
        authgate short;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
$server->make_certificate;
AuthGate::WebSocket::serve($server->port('app'));
$server->run;
my $url = 'ws://127.0.0.1:' . $server->port;
my $at_once = $AuthGate::EXACT ? 3 : 60;    # seconds

sub signed_in ($user) {
    my $browser = $server->client;
    $browser->sign_in($user);
    return $browser;
}

sub open_at ($path, @headers) {
    my $socket = AuthGate::WebSocket->connect($path =~ /\A\w+:/ ? $path : "$url$path", @headers);
    is $socket->status, 101, "$path: open" or die $socket->response->body;
    return $socket;
}

sub open_as ($browser, $path) { return open_at($path, Cookie => $browser->cookie_header) }

sub stays ($socket, $what) { is $socket->echo('hello'), 'hello', "$what stays" }
sub closes ($socket, $what) { ok $socket->is_closed($at_once), "$what is closed" }

my $users = AuthGate::read_file($server->path('users'));

sub edit ($from, $to) {
    AuthGate::write_file($server->path('users.new'), $users =~ s/$from/$to/r);
    rename $server->path('users.new'), $server->path('users') or die $!;
}

# Waits until every worker lets alice in by her password of before, and gives a new session of hers.
sub alice_is_back () {
    edit(qr/\A/, '');
    my $all_take = sub (@headers) {
        !grep { $server->client(worker => $_)->get('/hello.txt', @headers)->status != 200 } $server->workers;
    };
    AuthGate::Server::wait_until { $all_take->(right('alice')) } 10, 'alice to be back';
    return signed_in('alice');
}

# A sign-out closes what came in with that session, whichever workers have it.
{
    my ($alice, $other, $bob) = map { signed_in($_) } qw(alice alice bob);
    my @hers = (
        (map { open_as($alice, '/live') } 1 .. 12),
        open_as($alice, '/ops'),
        open_at('wss://localhost:' . $server->port('tls') . '/live', Cookie => $alice->cookie_header)
    );
    my @others = (open_as($other, '/live'), open_as($bob, '/live'), open_at('/live', right('alice')),
        map { open_as($alice, $_) } '/optional', '/dry', '/off', '/any');
    stays($_, 'before') for @hers, @others;
    $alice->sign_out;
    is_deeply [map { $_->is_closed($at_once) } @hers], [map { 1 } @hers],
        'A23 a sign-out closes all connections of the session, in all workers';
    stays($_, 'A23 that of another session, of another user, or where nobody is refused') for @others;
    my @lines = $server->error_log =~ /authgate: connection closed, user "alice", reason "revoked", realm "ops" while proxying upgraded connection, client: /g;
    is @lines, @hers, 'the log tells of each';
    $_->close for @others;
}

# What ends with the user.
{
    my ($alice, $bob) = map { signed_in($_) } qw(alice bob);
    my %token = map { $_ => AuthGate::Token::api(user => $_) } qw(alice bob);
    my @hers = (open_as($alice, '/live'), open_at('/live', right('alice')),
        open_at('/live', Authorization => "Bearer $token{alice}"));
    my @his = (open_as($bob, '/live'), open_at('/live', Authorization => "Bearer $token{bob}"));
    edit(qr/^alice.*\n/m, '');
    closes($_, 'A22 that of a user who has gone') for @hers;
    stays($_, 'A22 that of another user') for @his;
    $alice = alice_is_back();
    @hers = (open_as($alice, '/live'), open_at('/live', right('alice')));
    my $by_token = open_at('/live', Authorization => "Bearer $token{alice}");
    my ($hash) = $users =~ /^bob:([^:]+)/m;
    edit(qr/^alice:[^:]+/m, "alice:$hash");
    closes($_, 'A22 that of a user whose password has changed') for @hers;
    stays($by_token, 'that of an API token, which has no password,');
    stays($_, 'A22 that of another user') for @his;
    $_->close for @his, $by_token;
}

# Rules.
{
    my $alice = alice_is_back();
    my ($in, $elsewhere) = map { open_as($alice, $_) } '/ops', '/live';
    edit(qr/groups=ops,sre/, 'groups=ops');
    closes($in, 'that of a user who may not any more');
    stays($elsewhere, 'where all may, it');
    like $server->error_log, qr/authgate: connection closed, user "alice", reason "forbidden", realm "ops"/,
        'the log tells why';
    edit(qr/\A/, '');
    $elsewhere->close;
}

# Times: the end of a session counts, its idle time does not.
{
    my $browser = $server->client(port => $server->port('short'), path => '/short/');
    my $began = Time::HiRes::time();
    $browser->sign_in('bob');
    my $socket = open_at('ws://127.0.0.1:' . $server->port('short') . '/live', Cookie => $browser->cookie_header);
    ok !$socket->is_closed(2), 'A13 the idle time is over, and the connection stays';
    is $browser->get('/')->status, 302, 'A13 though the session, unused, has ended';
    ok $socket->is_closed(6), 'A13 it is closed at the end of the session';
    cmp_ok Time::HiRes::time() - $began, '>', 3, 'A13 and not before';
    my $token = AuthGate::Token::api(user => 'bob', expires_at => time + 3);
    ok open_at('/live', Authorization => "Bearer $token")->is_closed(8), 'A11 and that of an API token at its end';
}

# An old worker does the same, and goes then.
{
    my $bob = signed_in('bob');
    my $socket = open_as($bob, '/live');
    my @old = $server->workers;
    $server->reload;
    stays($socket, 'through a reload it');
    $bob->sign_out;
    closes($socket, 'A23 that of a worker from before a reload');
    AuthGate::Server::wait_until { !grep { is_alive($_) } @old } 20, 'the old workers to go';
}

# Many at once, again and again: nothing is left of them.
{
    my $client = $server->client;
    my $quiet = sub { connections($client, '/status-of-nginx')->{active} == 0 };
    my $descriptors = sub { return sum(map { descriptors($_) } $server->workers) };
    my $before = AuthGate::Server::wait_until { $quiet->() && $descriptors->() } 10, 'connections of before to end';
    for my $round (1 .. 5) {
        my $alice = signed_in('alice');
        my @sockets = map { open_as($alice, '/live') } 1 .. 40;
        $alice->sign_out;
        is scalar(grep { $_->is_closed($at_once) } @sockets), 40, "round $round: all 40 are closed";
        ok eval { AuthGate::Server::wait_until { $quiet->() } 10, 'connections' }, "round $round: none is left";
        ok eval { AuthGate::Server::wait_until { $descriptors->() <= $before } 10, 'descriptors' },
            "round $round: no descriptor is left" or diag $descriptors->(), " and not $before";
    }
}

done_testing;
