# I105, as far as the limiter goes: tries that are under way when a worker is killed, or told to go.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops {
        users %%USERS%%;
        limit retries=2 user_retries=1000;
        checks running=32 waiting=64;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location = /pid { return 200 $pid; }
    }
EOF_HTTP

# A check of slow's password takes a second or more, far longer than what happens meanwhile; one of
# slowest's longer than a try is believed to be under way without a word.
AuthGate::write_file(
    $server->path('users'),
    join '',
    'slow:' . bcrypt('canary-slow', 14) . "\n",
    'slowest:' . bcrypt('canary-slowest', 15) . "\n",
    'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n"
);
$server->expect_alert(qr/worker process \d+ exited on signal 9/);
$server->run;

my $next = 0;

sub network () { return '127.0.1.' . ++$next }
sub client ($from, $worker) { return $server->client(from => $from, worker => $worker) }

# A round trip with this worker: it has taken what came before.
sub taken ($worker) { client('127.0.0.1', $worker)->get('/pid')->status == 200 or die 'the worker does not answer' }

sub wrong ($from, $worker, $user = 'slow') {
    return AuthGate::Pending->login(client($from, $worker), $user, wrong_password());
}

sub right ($from, $worker) {
    return AuthGate::Pending->login(client($from, $worker), 'alice', $PASSWORD{alice});
}

sub killed ($worker) {
    kill KILL => $worker;
    AuthGate::Server::wait_until {
        my @now = $server->workers;
        @now == 2 && !grep { $_ == $worker } @now
    }
    10, 'another worker';
}

# Its network is held up for as long as the tries could be under way, and no longer.
{
    my ($victim, $other) = $server->workers;
    my $from  = network();
    my @wrong = map { wrong($from, $victim) } 1 .. 2;
    taken($victim);
    ok !(grep { $_->is_answered } @wrong), 'I105 a worker checks two passwords';
    my $begin = Time::HiRes::time();
    killed($victim);
    my $right = right($from, $other);
    taken($other);
    ok !$right->is_answered, 'I105 it is killed: the network waits for what it has begun';
    is right(network(), $other)->answer->status, 303, 'I105 another does not';
    is $right->answer->status, 303, 'I105 the network gets in';
    my $seconds = Time::HiRes::time() - $begin;
    cmp_ok $seconds, '>', 1, 'I105 not at once';
    is_within $seconds, 3.5, 'I105 but soon';
    is $_->answer->status, 0, 'I105 who was being checked gets no answer' for @wrong;
    is wrong($from, $other, 'alice')->answer->status, 403, 'I105 what was not decided has not counted';
    is right($from, $other)->answer->status, 303, 'I105 so one failure is one';
}

# A check that takes longer than that is under way all the same. As many again as there are processors
# share them with it, so that it takes long on any machine.
my $processors = () = AuthGate::read_file('/proc/cpuinfo') =~ /^processor\b/mg;
for my $how (qw(stays goes)) {
    my ($old) = $server->workers;
    my $from  = network();
    my $begin = Time::HiRes::time();
    my @others = map { wrong(network(), $old, 'slowest') } 1 .. $processors;
    my @wrong  = map { wrong($from, $old, 'slowest') } 1 .. 2;
    taken($old);
    $server->reload if $how eq 'goes';
    my ($new) = grep { $_ != $old } reverse $server->workers;
    my $right = right($from, $new);
    is $right->answer->status, 429, "I105 the worker $how: no try is granted beyond those under way";
    ok !(grep { $_->answer->status != 403 } @wrong), "I105 the worker $how: which fail";
    my $seconds = Time::HiRes::time() - $begin;
    cmp_ok $seconds, '>', 2.2, "I105 the worker $how: (it took longer than the limiter waits for a killed one)";
    ok !(grep { $_->answer->status != 403 } @others), "I105 the worker $how: others are answered too";
    next if $how eq 'stays';
    AuthGate::Server::wait_until { !is_alive($old) } 20, 'the old worker to go';
    pass "I105 the worker $how: for good";
}

# An old worker settles what succeeds as well: nothing is left under way.
{
    my ($old) = $server->workers;
    my $from  = network();
    my @slow  = map { AuthGate::Pending->login(client($from, $old), 'slow', 'canary-slow') } 1 .. 2;
    taken($old);
    $server->reload;
    my ($new) = grep { $_ != $old } reverse $server->workers;
    my $right = right($from, $new);
    taken($new);
    ok !$right->is_answered, 'I105 a new worker waits for what an old one checks';
    is_deeply [ map { $_->answer->status } @slow ], [ 303, 303 ], 'I105 the old one answers';
    is $right->answer->status, 303, 'I105 and the new one after it';
    AuthGate::Server::wait_until { !is_alive($old) } 20, 'the old worker to go';
}

# Workers killed again and again under logins.
{
    my @gone;
    for my $round (1 .. 10) {
        my ($victim, $other) = $round % 2 ? $server->workers : reverse $server->workers;
        push @gone, map { (wrong(network(), $victim, 'alice'), right(network(), $victim), wrong(network(), $victim)) } 1 .. 5;
        killed($victim);
        is right(network(), $other)->answer->status, 303, "I105 round $round: the other worker goes on";
    }
    my %status = map { $_->answer->status => 1 } @gone;
    is_deeply [ grep { !/\A(?:0|303|403)\z/ } sort keys %status ], [], 'I105 none of them got anything else';
    my $from = network();
    is_deeply [ map { wrong($from, ($server->workers)[ $_ % 2 ], 'alice')->answer->status } 1 .. 3 ], [ 403, 403, 429 ],
        'I105 the limiter limits still';
    is right(network(), ($server->workers)[0])->answer->status, 303, 'I105 and lets in';
}

done_testing;
