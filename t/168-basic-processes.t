# Basic checks beside reloads, ends and deaths of processes, and panics.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Faults ();
use AuthGate::Metrics;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use AuthGate::Upstream;
use List::Util ();
use Test::More;
use Time::HiRes ();

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; checks running=1 waiting=64; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location = /pid { return 200 $pid; }
        location = /verify { authgate_verify ops; }
        location = /asked { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /open { authgate off; try_files /hello.txt =404; }
        location = /metrics { authgate off; authgate_metrics; }
    }
EOF_HTTP
my $hash = bcrypt('canary-right', 11);
my $slow = bcrypt('canary-right', 12);

sub server (%option) {
    my $server = AuthGate::Server->prepare($http, %option);
    AuthGate::append_file($server->path('users'), join '', map { "user$_:$hash\nslow$_:$slow\n" } 1 .. 60);
    $server->run;
    return $server;
}
my %wanted = (200 => 'canary-right', 401 => 'canary-wrong');

# Requests to both ways of asking, right and wrong, some of them for the same.
sub mixed ($client, $from) {
    return map {
        my $number = $from + int $_ / 3;
        my $status = $_ % 2 ? 200 : 401;
        [$status, pending($client, $_ % 4 < 2 ? '/hello.txt' : '/asked', basic("user$number", $wanted{$status}))]
    } 0 .. 11;
}

sub all_answered ($name, @mixed) {
    is_deeply [map { $_->[1]->answer->status } @mixed], [map { $_->[0] } @mixed], "E58 $name: all are answered";
}

# Reload, with checks that run, wait and follow.
{
    my $server = server(workers => 2);
    my $client = $server->client(headers => []);
    for my $round (0 .. 2) {
        my @mixed = mixed($client, 1 + 4 * $round);
        Time::HiRes::sleep(0.05) if $round;
        ok reload_whole($server), "E58 reload $round: the old workers go";
        all_answered("reload $round", @mixed);
    }
    my @mixed = mixed($client, 20);
    Time::HiRes::sleep(0.05);
    kill QUIT => $server->pid;
    all_answered('QUIT', @mixed);
    $server->stop('QUIT');
}
for my $signal ('TERM', 'QUIT') {
    my $server = server(workers => 2);
    my $client = $server->client(headers => []);
    my @mixed = mixed($client, 1);
    $_->[1]->reset for @mixed[ 1, 4, 6 ];
    $server->stop($signal);
    pass "E59 $signal during checks";
}

# What waits in one worker for what another one does: its own end does not cut it short.
for my $limit ('off', 'retries=3 find=1m') {
    my $server = AuthGate::Server->prepare($http =~ s/limit off/limit $limit/r, workers => 2);
    AuthGate::append_file($server->path('users'), join '', map { "slow$_:$slow\n" } 1 .. 8);
    $server->run;
    my ($first, $second) = $server->workers;
    my %client = map { $_ => $server->client(headers => [], worker => $_) } $first, $second;
    my @leader = map { pending($client{$first}, '/hello.txt', basic("slow$_", 'canary-wrong')) } 1 .. 3;
    AuthGate::Server::wait_until { checks_of($client{$second}) == @leader } 5, 'the first worker to have them all';
    # With a limit the first worker has taken all tries, and the form waits as well.
    my @waiting =
        $limit eq 'off'
        ? map { pending($client{$second}, '/hello.txt', basic("slow$_", 'canary-wrong')) } 3, 3
        : map { AuthGate::Pending->login($client{$second}, "slow$_", 'canary-wrong') } 4, 5;
    is scalar(grep { $_->is_answered } @waiting), 0, "E58 limit $limit: they wait";
    kill QUIT => $server->pid;
    my %status = map { $_->answer->status => 1 } @waiting;
    is_deeply [sort keys %status], [$limit eq 'off' ? 401 : 429], "E58 limit $limit, QUIT: all are answered";
    is_deeply [map { $_->answer->status } @leader], [(401) x 3], "E58 limit $limit, QUIT: and those before";
    $server->stop('QUIT');
}

# A worker that is killed while it checks: another one takes over.
{
    my $server = server(workers => 2);
    my ($first, $second) = $server->workers;
    $server->expect_alert(qr/worker process \d+ exited on signal 9/);
    my %client = map { $_ => $server->client(headers => [], worker => $_) } $first, $second;
    my @leader = map { pending($client{$first}, '/hello.txt', basic("slow$_", 'canary-right')) } 1 .. 3;
    AuthGate::Server::wait_until { threads_busy($first) } 5, 'a check to run';
    my @followers = map { pending($client{$second}, '/hello.txt', basic('slow' . (1 + $_ % 3), 'canary-right')) } 0 .. 11;
    Time::HiRes::sleep(0.05);
    is scalar(grep { $_->is_answered } @followers), 0, 'the others wait for the checks of the first worker';
    kill KILL => $first;
    my $from = Time::HiRes::time();
    is_deeply [map { $_->answer->status } @followers], [(200) x 12], 'E59 a worker killed: the others are let in';
    is_within Time::HiRes::time() - $from, 12, 'E59 a worker killed: soon after';
    is scalar(() = $server->error_log =~ /authgate: login ok/g), 3, 'G80 a worker killed: one check for each';
    $server->stop;
}

# Those that run and those that wait.
sub checks_of ($client) {
    my $metrics = AuthGate::Metrics->read($client);
    return List::Util::sum map { $metrics->value("authgate_password_checks_$_\{realm=\"ops\"}") } qw(running waiting);
}

sub threads_busy ($pid) {
    return grep { AuthGate::read_file("$_/stat") =~ /\) R / } glob "/proc/$pid/task/*";
}

# A worker that is stopped for longer than others wait: both check, and nothing goes wrong.
{
    my $server = server(workers => 2);
    my ($first, $second) = $server->workers;
    my %client = map { $_ => $server->client(headers => [], worker => $_) } $first, $second;
    my $leader = pending($client{$first}, '/hello.txt', basic('slow1', 'canary-right'));
    AuthGate::Server::wait_until { threads_busy($first) } 5, 'a check to run';
    my $other = $client{$second}->connect;
    kill STOP => $first;
    print $other get_bytes($client{$second}, '/hello.txt', basic('slow1', 'canary-right'));
    is(AuthGate::Response->read($other, 'GET')->status, 200, 'E59 a worker stopped: the other is let in');
    kill CONT => $first;
    is $leader->answer->status, 200, 'E59 a worker stopped: it goes on and lets in as well';
    $server->stop;
}

# Panics.
SKIP: {
    skip AuthGate::Faults::missing(), 12 if AuthGate::Faults::missing();
    my $server = AuthGate::Server->prepare($http, module => $AuthGate::Faults::MODULE);
    $server->run;
    my ($worker) = $server->workers;
    my $client = $server->client(headers => []);
    $server->expect_alert(qr/\[alert\] .*authgate: panic at \S+:\d+/);
    my $is_500 = sub ($name, $answer) {
        is $answer->status, 500, "E67 $name: 500";
        unlike $answer->raw, qr/hello from behind/, "G86 $name: nothing gets out";
        is_deeply [$server->workers], [$worker], "E67 $name: the worker lives";
    };
    my @panic = basic('panic-in-check', 'canary-wrong');
    for my $path ('/hello.txt', '/asked', '/verify', '/authgate/session') {
        $is_500->("$path, in a check", $client->get($path, @panic));
        my @pending = map { pending($client, $path, @panic) } 1 .. 8;
        $is_500->("$path, one of eight", $_->answer) for @pending;
        for my $place (qw(submit resume)) {
            $is_500->("$path, $place", $client->get($path, basic("x$place$path", 'y'), 'X-Authgate-Fault' => $place));
        }
        is $client->get($path, basic('alice', 'canary-wrong'))->status, 401, "E67 $path: others are answered";
        my @gone = map { pending($client, $path, @panic) } 1 .. 4;
        $_->reset for @gone;
    }
    is $client->get('/hello.txt', right('alice'))->status, 200, 'E67 alice is let in';
    is_deeply [$server->workers], [$worker], 'E67 the worker lives';
    $server->stop;
}

done_testing;
