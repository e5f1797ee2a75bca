# I112: more sessions are ended than the memory lists one by one. It becomes coarser for those who end so
# many, and forgets nothing.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use Test::More;

my @others = map { "user$_" } 1 .. 40;
my $users = join '', map { "$_:" . AuthGate::bcrypt('canary-other') . "\n" } @others;

# The least memory there can be.
my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; limit off; zone 64k; %%STATE%% }
    add_header X-Worker $pid always;
    keepalive_requests 1000000;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
EOF_HTTP

my $server;

sub start ($state) {
    $server = AuthGate::Daemon->prepare($http =~ s/%%STATE%%/$state/r, workers => 2);
    AuthGate::append_file($server->path('users'), $users);
    $server->run;
}

sub sign_in ($user) {
    my $client = $server->client(headers => [], port => $server->port('all'));
    my $response = $client->login($user, $PASSWORD{$user} // 'canary-other');
    return $client->cookie('authgate') // die "$user cannot sign in: ", $response->raw;
}

sub worker () { return $server->worker(($server->workers)[0]) }

# Signs in and out so often; gives all the cookies.
sub end_sessions ($user, $count) {
    my $worker = worker();
    return map {
        my $cookie = sign_in($user);
        my $status = $worker->sign_out($cookie);
        $status == 303 ? $cookie : die "no sign-out of $user: $status";
    } 1 .. $count;
}

# How many of these are taken, asked in each worker.
sub taken (@cookies) {
    my $taken = 0;
    for my $pid ($server->workers) {
        my $worker = $server->worker($pid);
        $taken += grep { $worker->verdict($_) != 401 } @cookies;
    }
    return $taken;
}

# Whose sessions are refused.
sub refused (%live) {
    my $worker = worker();
    return grep { $worker->verdict($live{$_}) != 200 } sort keys %live;
}

for my $state ('', 'state %%DIR%%/state;') {
    my $name = $state ? 'I112 with state' : 'I112 without state';
    start($state);
    my %live = map { $_ => sign_in($_) } @others, 'bob', 'carol';
    my $alice = sign_in('alice');

    # A few fit: nothing is coarsened, each is listed.
    my @ended = end_sessions('alice', 50);
    is taken(@ended), 0, "$name: 50 that ended are refused";
    is $server->verdicts($alice), '200', "$name: alice's other session goes on meanwhile";
    is join(' ', refused(%live)), '', "$name: and everybody's";

    # Far more than fit, all of one user.
    push @ended, end_sessions('alice', 1500);
    is taken(@ended), 0, "$name: 1550 that ended are refused";
    is $server->verdicts($alice), '401', "$name: alice's other session has ended before its time";
    my @refused = refused(%live);
    cmp_ok scalar @refused, '<=', 4, "$name: others go on, but for a few" or diag @refused;
    delete @live{@refused};

    my $again = sign_in('alice');
    is $server->verdicts($again), '200', "$name: alice can sign in again";
    push @ended, end_sessions('alice', 200);
    is taken(@ended), 0, "$name: what ended since is refused too";
    push @ended, end_sessions($_, 1) for @others[0 .. 9];
    is taken(@ended), 0, "$name: others' logouts have room";
    is join(' ', refused(%live)), '', "$name: and take nobody else's session";

    # Again in another process's memory, of another size and of the same.
    if ($state) {
        %live = map { $_ => sign_in($_) } @others;
        $server->kill_all;
        $server->run;
        is taken(@ended), 0, "$name, restarted: all that ended are refused";
        is join(' ', refused(%live)), '', "$name, restarted: who was in is in";
        $server->reload($http =~ s/%%STATE%%/$state/r =~ s/64k/1m/r);
        $server->wait_for_old_workers;
        is taken(@ended), 0, "$name, a larger zone: all that ended are refused";
        is join(' ', refused(%live)), '', "$name, a larger zone: who was in is in";
        $server->reload($http =~ s/%%STATE%%/$state/r);
        $server->wait_for_old_workers;
        is taken(@ended), 0, "$name, a smaller zone: all that ended are refused";
        cmp_ok scalar(() = refused(%live)), '<=', 4, "$name, a smaller zone: who was in is in, but for a few";
    }

    # Everybody ends more than fits: nobody can be let in who has ended, and everybody can sign in.
    my @many = map { end_sessions($_, 60) } @others;
    is taken(@ended, @many), 0, "$name: everybody has ended 60, all are refused";
    %live = map { $_ => sign_in($_) } @others;
    is join(' ', refused(%live)), '', "$name: everybody can sign in";
    if ($state) {
        $server->restart;
        is taken(@ended, @many), 0, "$name: everybody has ended 60, all are refused after a restart";
        is join(' ', refused(%live)), '', "$name: everybody is still in";
    }
    # A session that takes the place of another one is not ended with it.
    {
        my $client = $server->client(headers => [], port => $server->port('all'));
        my $refused = 0;
        for (1 .. 150) {
            $client->login('alice', $PASSWORD{alice});
            $refused++ if $client->get('/hello.txt')->status != 200;
        }
        is $refused, 0, "J139 $name: who signs in again and again is signed in each time";
    }
    name_more_than_fit() if $state;
    $server->stop;
}

# An operator names more than fits: all sessions end, and nobody waits for the next one.
sub name_more_than_fit () {
    my $command = $AuthGate::COMMAND;
    my $before = sign_in('alice');
    is $server->verdicts($before), '200', 'J139 alice is in';
    my @ids = map { sprintf '%08x%024x', ($_ * 0x9E3779B1) & 0xffffffff, $_ } 1 .. 6000;
    open my $said, '-|', $command, qw(session revoke --state), $server->path('state'), qw(--realm ops), @ids
        or die "$command: $!";
    is scalar(() = readline $said), 6000, 'J139 6000 are named';
    close $said;
    AuthGate::Server::wait_until { $server->verdicts($before) eq '401' } 10, 'all sessions to end';
    my %live = map { $_ => sign_in($_) } @others, 'alice', 'bob', 'carol';
    is join(' ', refused(%live)), '', 'J139 who signs in then is in at once';
    $server->kill_all;
    $server->run;
    is $server->verdicts($before), '401', 'J139 restarted: what had ended is refused';
    is join(' ', refused(%live)), '', 'J139 restarted: who was in is in';
    my $again = sign_in('alice');
    is $server->verdicts($again), '200', 'J139 restarted: who signs in then is in at once';
}

done_testing;
