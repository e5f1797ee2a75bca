# E61, E66: checks in a thread pool leave the event loop, and the machine, to others.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use IO::Socket::INET;
use Test::More;
use Time::HiRes ();

my $NICE = getpriority 0, 0;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks CHECKS;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        keepalive_requests 100000000;
        location = /open { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP

sub prepare ($checks, %option) {
    my $server = AuthGate::Server->prepare($http =~ s/CHECKS/$checks/r, %option);
    AuthGate::write_file(
        $server->path('users'),
        join '',
        'heavy:' . bcrypt('canary-heavy', 12) . "\n",
        'mid:' . bcrypt('canary-mid', 9) . "\n",
        'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n"
    );
    return $server;
}

# E66
{
    my ($passed, $said) = prepare('pool=nosuch')->check;
    ok !$passed, 'E66 a pool that is not declared is an error';
    like $said, qr{\[emerg\] .*unknown thread pool "nosuch" in \S+/nginx\.conf:\d+}, 'E66 with its line';
    ($passed, $said) = prepare('pool=own', main => 'thread_pool own threads=2;')->check;
    ok $passed, 'E66 a declared pool is none' or diag $said;
    ($passed, $said) = prepare('pool=own', main => 'thread_pool other threads=2;')->check;
    ok !$passed, 'E66 another declared pool does not help';
    ($passed, $said) = prepare('pool=default')->check;
    ok $passed, 'E66 the default pool needs no declaration' or diag $said;
    ($passed, $said) = prepare('running=2', main => 'thread_pool default threads=4;')->check;
    ok $passed, 'E66 and may have one' or diag $said;
}
{
    my $server = prepare('pool=own running=2', main => 'thread_pool own threads=2;');
    $server->run;
    my ($worker) = $server->workers;
    my @before = threads($worker);
    is_deeply \@before, [($NICE) x @before], 'E66 own pool: nothing is nice before the first check';
    my $client = $server->client;
    my @pending = map { AuthGate::Pending->login($client, 'mid', 'canary-mid') } 1 .. 4;
    is_deeply [map { $_->answer->status } @pending], [(303) x 4], 'E66 own pool: checks run';
    my ($main, @others) = threads($worker);
    is $main, $NICE, 'E66 own pool: the event loop stays so';
    is_deeply [grep { $_ == 19 } @others], [19, 19], 'E66 own pool: its threads are at nice 19';
    is_deeply [map { threads($_) } $server->pid], [$NICE], 'E66 own pool: the master has one thread and stays so';
}
{
    my $server = prepare('pool=default');
    $server->run;
    my ($worker) = $server->workers;
    is $server->client->login('alice', $PASSWORD{alice})->status, 303, 'E66 default pool: a check runs';
    my @threads = threads($worker);
    cmp_ok scalar @threads, '>', 1, 'E66 default pool: there are threads';
    is_deeply \@threads, [($NICE) x @threads], 'E66 default pool: none has its priority changed';
}

# A pool that takes no more: nobody is let in for it, nobody waits for ever, and all goes on.
{
    my $server =
        prepare('pool=own running=16 waiting=16', main => 'thread_pool own threads=1 max_queue=2;');
    $server->run;
    my ($worker) = $server->workers;
    my @pending = map {
        my $client = $server->client(from => "127.0.1.$_");
        AuthGate::Pending->login($client, 'mid', $_ % 2 ? 'canary-mid' : wrong_password());
    } 1 .. 24;
    my @statuses = map { $_->answer->status } @pending;
    my %wrong = map { $_ => 1 } grep { !/\A(?:303|50[03])\z/ } @statuses[map { 2 * $_ } 0 .. 11];
    is_deeply \%wrong, {}, 'E66 a full pool: a right password, or a failure';
    %wrong = map { $_ => 1 } grep { !/\A(?:403|50[03])\z/ } @statuses[map { 2 * $_ + 1 } 0 .. 11];
    is_deeply \%wrong, {}, 'E66 a full pool: a wrong password is not let in';
    cmp_ok scalar(grep { /\A50/ } @statuses), '>', 0, 'E66 a full pool: some failed';
    is $server->client->login('alice', $PASSWORD{alice})->status, 303,
        'E66 a full pool: then there is room again';
    is_deeply [$server->workers], [$worker], 'E66 a full pool: the worker lives';
}

# E61. All that the worker does besides is to answer one client, as quickly as that asks.
sub latencies ($socket, $while) {
    my @latencies;
    while ($while->(scalar @latencies)) {
        my $began = Time::HiRes::time();
        print $socket "GET /open HTTP/1.1\r\nHost: x\r\n\r\n";
        my $response = AuthGate::Response->read($socket, 'GET');
        die $response->raw if $response->status != 200;
        push @latencies, Time::HiRes::time() - $began;
    }
    return sort { $a <=> $b } @latencies;
}

sub p99 (@sorted) { return 1000 * $sorted[int $#sorted * 0.99] }

for my $case (['pool=own running=2 waiting=64', 'thread_pool own threads=2;'], ['running=2 waiting=64', ''])
{
    my ($checks, $main) = @$case;
    my $name = $main ? 'own pool' : 'default pool';
    my $server = prepare($checks, main => $main);
    $server->run;
    my $socket = $server->client->connect;
    latencies($socket, sub ($count) { $count < 50 });
    my $calm = p99(latencies($socket, sub ($count) { $count < 300 }));
    my @pending = map {
        my $client = $server->client(from => "127.0.1.$_");
        AuthGate::Pending->login($client, 'heavy', 'canary-heavy');
    } 1 .. 64;
    my $until = Time::HiRes::time() + 2.5;
    my @busy = latencies($socket, sub ($count) { $count < 300 || Time::HiRes::time() < $until });
    my $waiting = grep { !$_->is_answered } @pending;
    diag sprintf '%s: p99 %.1f ms calm, %.1f ms with checks, %d requests', $name, $calm, p99(@busy),
        scalar @busy;
    is_within p99(@busy), 100, "E61 $name: 64 checks of bcrypt cost 12 leave other requests alone";
    cmp_ok $waiting, '>', 20, "E61 $name: they ran and waited all the time";
    is $pending[0]->answer->status, 303, "E61 $name: and are answered";
    is scalar(grep { $_->is_answered && $_->answer->status == 503 } @pending), 0,
        "E61 $name: none was turned away";
    $_->reset for grep { !$_->{response} } @pending;
    $server->stop;
}

done_testing;
