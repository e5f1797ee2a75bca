# G80: equal Basic requests on a cold cache make one check, whichever workers they reach.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $COST = 11;
my @names = map { "user$_" } 1 .. 40;
my $next = 0;
my $hash = bcrypt('canary-right', $COST);

for my $workers (1, 4) {
    my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => $workers);
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; checks running=1 waiting=2; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport backlog=1024;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Status $authgate_status always;
        location = /status { authgate off; stub_status; }
    }
EOF_HTTP
    AuthGate::write_file($server->path('users'), join '', map { "$_:$hash\n" } @names);
    $server->run;
    my $client = $server->client(headers => []);
    my $count = sub ($line) { scalar(() = $server->error_log =~ /authgate: $line/g) };

    my $at_once = sub ($name, $how_many, $user, $password, $status, $line, $checks = 1) {
        my ($before, $busy) = ($count->($line), $count->('login busy'));
        my @pending = map { pending($client, '/hello.txt', basic($user, $password)) } 1 .. $how_many;
        my %answers;
        $answers{ $_->answer->status }++ for @pending;
        is_deeply \%answers, { $status => $how_many }, "G80 $workers workers, $name: all get $status";
        is $count->($line) - $before, $checks, "G80 $workers workers, $name: checks";
        is $count->('login busy'), $busy, "G80 $workers workers, $name: none is sent away";
    };
    my $user = sub { $names[ $next++ % @names ] };

    $at_once->('right', 200, 'user1', 'canary-right', 200, 'login ok');
    $at_once->('wrong', 200, 'user2', 'canary-wrong', 401, 'login failed');
    $at_once->('unknown', 200, 'nobody', 'canary-wrong', 401, 'login failed');
    $at_once->('J121 wrong again', 50, 'user2', 'canary-wrong', 401, 'login failed', 0);

    # What is in the cache waits for nobody's check.
    {
        my @others = map { pending($client, '/hello.txt', basic("user$_", 'canary-right')) } 10, 11;
        my $from = Time::HiRes::time();
        is $client->get('/hello.txt', basic('user1', 'canary-right'))->status, 200, 'G80 cached beside others';
        is_deeply [map { $_->answer->status } @others], [200, 200], 'G80 and they are answered';
    }

    # Several credentials at once, each with its followers. More than may wait are sent away, all of their
    # followers with them sooner or later, and nobody is let in or left alone.
    {
        my @pending = map {
            my $user = "user$_";
            map { pending($client, '/hello.txt', basic($user, 'canary-right')) } 1 .. 10
        } 20 .. 25;
        my %answers;
        $answers{ $_->answer->status }++ for @pending;
        is $answers{200} + ($answers{503} // 0), 60, "G80 $workers workers, six credentials: all are answered"
            or diag explain \%answers;
        cmp_ok $answers{200}, '>=', 10 * 3, 'G80 those that may wait, with their followers, are let in';
    }

    # The one that is checked goes away: running, or waiting for its turn.
    my $go = 30;
    for my $way ('close', 'reset') {
        my $user = 'user' . $go++;
        my $leader = pending($client, '/hello.txt', basic($user, 'canary-right'));
        Time::HiRes::sleep(0.02);
        my @followers = map { pending($client, '/hello.txt', basic($user, 'canary-right')) } 1 .. 20;
        $leader->$way;
        is_deeply [map { $_->answer->status } @followers], [(200) x 20],
            "G80 $workers workers, $way while its check runs: the others are let in";

        $user = 'user' . $go++;
        my $busy = pending($client, '/hello.txt', basic('user' . $go++, 'canary-right'));
        Time::HiRes::sleep(0.02);
        $leader = pending($client, '/hello.txt', basic($user, 'canary-right'));
        Time::HiRes::sleep(0.02);
        @followers = map { pending($client, '/hello.txt', basic($user, 'canary-right')) } 1 .. 20;
        $leader->$way;
        is_deeply [map { $_->answer->status } $busy, @followers], [(200) x 21],
            "G80 $workers workers, $way while its check waits: the others are let in";

        # Followers that go.
        my $gone = 'user' . $go++;
        $leader = pending($client, '/hello.txt', basic($gone, 'canary-right'));
        @followers = map { pending($client, '/hello.txt', basic($gone, 'canary-right')) } 1 .. 20;
        $_->$way for @followers[ grep { $_ % 2 } 0 .. 19 ];
        is_deeply [map { $_->answer->status } $leader, @followers[ grep { $_ % 2 == 0 } 0 .. 19 ]],
            [(200) x 11], "G80 $workers workers, followers $way: the others are let in";
    }
    ok eval {
        AuthGate::Server::wait_until { connections($client)->{active} == 0 } 10, 'connections to end';
    }, "E57 $workers workers: nothing is left";
    $server->stop('QUIT');
}

done_testing;
