# J125, J126, J127: valgrind finds no error in a worker whose requests end or are redirected while they wait for a check,
# or find no thread for it. For the module that fails on request.

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Basic;
use AuthGate::Memcheck;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP', main => 'thread_pool passwords threads=2;');
    authgate_realm ops {
        limit  off;
        users  %%USERS%%;
        accept cookie basic;
        checks pool=passwords running=1 waiting=4;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /then    { post_action /after; try_files /hello.txt =404; }
        location = /again   { post_action /gated; try_files /hello.txt =404; }
        location = /round   { post_action /round; try_files /hello.txt =404; }
        location = /gated   { try_files /hello.txt =404; }
        location = /after   { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asks    { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /verify  { internal; authgate_verify ops; }
        location = /asks-on { authgate off; auth_request /on; try_files /hello.txt =404; }
        location = /on      { internal; post_action /after; authgate_verify ops; }
        location = /mirror  { authgate off; mirror /verify; try_files /hello.txt =404; }
        location = /page    { authgate off; ssi on; ssi_types *; try_files /page.html =404; }
        location = /status  { authgate off; stub_status; access_log off; }
    }
EOF_HTTP
AuthGate::write_file($server->path('users'), 'slow:' . bcrypt('canary-slow', 6) . "\n" . $AuthGate::USERS);
AuthGate::write_file($server->path('html/page.html'), 'a<!--# include virtual="/verify" -->b' x 3);
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $client = $server->client(headers => []);
my $other  = $server->client(headers => [], from => '127.0.0.2');
my @paths  = qw(/gated /then /again /round /asks /asks-on /mirror /page);
is $client->get($_, right('alice'))->status, 200, "J126 $_" for @paths;

# Credentials that nobody has checked, three of them equal ones: one is checked, some wait, some follow, and some find
# no room.
my $number = 0;
sub credentials () { $number++; return map { [basic('slow', "canary-$number-$_")] } 1, 1, 1, 2 .. 6 }

for my $path (@paths) {
    for my $way (qw(close reset)) {
        my @pending = map { pending($client, $path, @$_) } credentials();
        # Another moment each time: what must hold holds at any.
        Time::HiRes::sleep(rand 0.2);
        $_->$way for @pending;
        $server->nothing_is_left("$path, $way");
    }
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my @streams = map { $connection->request(GET => $path, $_) } credentials();
    Time::HiRes::sleep(rand 0.2);
    $connection->reset($_) for @streams;
    $connection->ping;
    $connection->request(GET => $path, $_) for credentials();
    Time::HiRes::sleep(rand 0.2);
    $connection->abort;
    $server->nothing_is_left("$path, HTTP/2");
}

# They are redirected, and what they waited for comes while they are still with the application.
for my $path ('/then', '/asks-on') {
    $app->hold;
    my ($first, @credentials) = credentials();
    my $leader = pending($client, '/gated', @$first);
    my @gone   = map { pending($client, $path, @$_) } @credentials[0 .. 2];
    # They wait by now, mostly: who goes before that asks less of the module, and nothing else.
    Time::HiRes::sleep(0.05);
    $_->close for @gone;
    my @others = map { pending($other, '/gated', basic('bob', "canary-$path-$_")) } 1 .. 2;
    is $leader->answer->status, 401, "J126 $path: who was checked is answered";
    is_deeply [map { $_->answer->status } @others], [(401) x 2], "J126 $path: the others, too";
    $app->release;
    $server->nothing_is_left("$path, redirected");
}

{
    for my $path (@paths) {
        my @none = map { pending($client, $path, basic('no-thread', "canary-$path-$_")) } 1, 1, 2, 3;
        my $right = $path eq '/mirror' || $path eq '/page' ? 200 : 500;
        is_deeply [map { $_->answer->status } @none], [($right) x 4], "J127 $path: all are answered";
    }
    my $leader = pending($client, '/gated', basic('slow', 'canary-last'));
    my @none   = map { pending($client, $_, basic('no-thread', 'canary-last')) } '/asks', '/gated', '/asks-on', '/round';
    is $leader->answer->status, 401, 'J127 at the end of another check: that one';
    is_deeply [map { $_->answer->status } @none], [(500) x 4], 'J127 at the end of another check: all are answered';
    $server->nothing_is_left('without a thread');
}

is $client->get($_, right('alice'))->status, 200, "J126 $_ is still right" for @paths;
$server->is_clean;

done_testing;
