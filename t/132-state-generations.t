# I113a: old and new workers side by side, each with memory of its own: what one ends the other knows within
# a second.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Process;
use Test::More;
use Time::HiRes ();

my $SECOND = 1.3;    # and a little for a busy machine
my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; limit off; state %%DIR%%/state; zone 1m; }
    add_header X-Worker $pid always;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
    server { listen 127.0.0.1:%%PORT%%; location = /status { stub_status; access_log off; } }
EOF_HTTP
my $server = AuthGate::Daemon->start($http);

sub sign_in ($user) {
    my $client = $server->client(headers => [], port => $server->port('all'));
    $client->sign_in($user);
    return $client->cookie('authgate');
}

# Requests of which an old worker lacks the end: it answers them long after it has stopped listening.
sub prepare_requests (@requests) {
    my $before = reading();
    my @begun = map { AuthGate::Daemon::Worker->connect($server)->begin(@$_) } @requests;
    AuthGate::Server::wait_until { reading() >= $before + @requests } 5, 'the requests to come';
    return @begun;
}
sub reading () { return $server->client->get('/status')->body =~ /Reading: (\d+)/ ? $1 : 0 }

# Seconds until a worker that is asked with one prepared request after the other refuses; undef if not.
sub refused_by (@requests) {
    my $began = Time::HiRes::time();
    for my $request (@requests) {
        return Time::HiRes::time() - $began if $request->finish->status == 401;
        Time::HiRes::sleep(0.1);
    }
    return undef;
}

sub within ($seconds, $limit, $name) {
    is_within $seconds, $limit, $name;
}

# A reload: with memory of the same size, old and new workers share it; with another they do not.
for my $case (['the same zone', $http, 0.1], ['another zone', $http =~ s/zone 1m/zone 2m/r, $SECOND]) {
    my ($name, $conf, $limit) = @$case;
    my ($old) = $server->workers;
    my ($alice, $bob, $carol, $other) = map { sign_in($_) } qw(alice bob carol carol);
    my $get = sub ($cookie) { ['GET', '/hello.txt', $cookie] };
    my ($logout, $twin, @asked) =
        prepare_requests(['POST', '/authgate/logout', $bob], $get->($alice), map { $get->($carol) } 1 .. 15);
    ok $server->reload($conf), "$name: reload";
    AuthGate::Server::wait_until {
        AuthGate::read_file("/proc/$old/cmdline") =~ /shutting down/
    } 10, 'the old worker to stop listening';
    is $server->verdicts($bob), '200', "I113a $name: bob is signed in in the new worker";

    my $answer = $logout->finish;
    is $answer->status, 303, "I113a $name: bob signs out";
    is $answer->header('X-Worker'), $old, "$name: in the old worker";
    within($server->refused_after($bob, 2), $limit, "I113a $name: the new worker knows");

    my ($new) = $server->workers;
    is $server->worker($new)->sign_out($carol), 303, "I113a $name: carol signs out in the new worker";
    within(refused_by(@asked), $limit, "I113a $name: the old worker knows");
    is $server->verdicts($other), '200', "I113a $name: her other session goes on";
    my $said = $twin->finish;
    is $said->header('X-Worker'), $old, "$name: the old worker is still there";
    is $said->status, 200, "I113a $name: alice's session goes on in it";
    undef @asked;
    $server->wait_until_gone($old);
    is $server->verdicts($bob), '401', "I113a $name: bob stays signed out";
    is $server->verdicts($carol), '401', "I113a $name: carol stays signed out";
    is $server->verdicts($alice), '200', "I113a $name: alice's session goes on";
}
$server->stop;

# A binary upgrade: two masters, each with its workers.
for my $way ('is finished', 'is taken back') {
    $server = AuthGate::Daemon->start($http, workers => 2);
    my ($alice, $bob, $carol) = map { sign_in($_) } qw(alice bob carol);
    my @old = $server->workers;
    my $old_master = $server->begin_upgrade;
    my ($new_master, @new) = ($server->pid, $server->workers);
    my $old = $server->worker($old[0]);
    my $new = $server->worker($new[0]);
    is $server->verdicts($_, workers => [@old, @new]), '200', 'I113a upgrade: all take the session'
        for $alice, $bob, $carol;

    is $old->sign_out($bob), 303, 'I113a upgrade: bob signs out in an old worker';
    is $server->verdicts($bob, workers => \@old), '401', 'I113a upgrade: the old workers know at once';
    within($server->refused_after($bob, 2, workers => \@new), $SECOND, 'I113a upgrade: the new workers know');

    is $new->sign_out($carol), 303, 'I113a upgrade: carol signs out in a new worker';
    is $server->verdicts($carol, workers => \@new), '401', 'I113a upgrade: the new workers know at once';
    within($server->refused_after($carol, 2, workers => \@old), $SECOND, 'I113a upgrade: the old workers know');

    # The last second of those who go.
    my $last = sign_in('bob');
    is $server->verdicts($last, workers => [@old, @new]), '200', 'I113a upgrade: who signs in in one is known to all';
    my ($going, $worker) = $way eq 'is finished' ? ($old_master, $old) : ($new_master, $new);
    is $worker->sign_out($last), 303, 'I113a upgrade: bob signs out from one that goes';
    kill QUIT => $going;
    $server->wait_until_gone($going);
    $server->{pid} = $server->wait_for_pid_other_than($going);
    within($server->refused_after($last, 2), $SECOND, "I113a upgrade $way: those that stay know");
    is $server->verdicts($bob), '401', "I113a upgrade $way: bob stays signed out";
    is $server->verdicts($carol), '401', "I113a upgrade $way: carol stays signed out";
    is $server->verdicts($alice), '200', "I113a upgrade $way: alice's session goes on";
    $server->stop;
}

done_testing;
