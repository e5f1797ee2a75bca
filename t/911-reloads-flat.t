# I103: memory and descriptors do not grow with reloads.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;
use Time::HiRes ();

# What one reload takes must show: 2,000 users are some 500 KiB.
my $USERS   = 2_000;
my $WARM_UP = 50;
my $RELOADS = 500;
# What may be more after 450 reloads than after 50, in KiB: less than what the users of two of them take.
my $BOUND = 1_024;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 1);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; state %%DIR%%/state; }
    authgate_realm made { users %%USERS%%; path /made/; cookie made; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location /made { authgate made; }
    }
EOF_HTTP
my ($hash) = $AuthGate::USERS =~ /:([^:]+):/;
AuthGate::append_file($server->path('users'), "user$_:$hash\n") for 1 .. $USERS;
$server->run;
my $alice = $server->client;
$alice->sign_in('alice');

# Memory of a process, in KiB.
sub memory ($pid) {
    my ($size) = AuthGate::read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    return $size;
}

sub zones ($pid) { return scalar(() = AuthGate::read_file("/proc/$pid/maps") =~ m{/dev/zero}g) }

# Seen within milliseconds: nginx itself waits 100 ms in each reload. The master lets go of a worker's descriptors
# when it has seen its end, so a zombie is still one.
sub reload () {
    my ($old) = $server->workers;
    kill HUP => $server->pid;
    my $deadline = Time::HiRes::time() + 20;
    while (-e "/proc/$old" || !$server->workers) {
        die 'gave up waiting for the old worker to go' if Time::HiRes::time() > $deadline;
        Time::HiRes::sleep(0.002);
    }
}

# What the master and a worker take, once the worker has answered and opened the files of its state.
sub taken () {
    is $alice->get('/hello.txt')->status, 200, "I103 alice's session is good";
    my ($worker) = $server->workers;
    AuthGate::Server::wait_until {
        grep { (readlink // '') =~ m{/state/ops} } glob "/proc/$worker/fd/*"
    }
    5, 'the state to be open';
    return {
        master        => memory($server->pid),
        worker        => memory($worker),
        descriptors   => descriptors($server->pid),
        of_the_worker => descriptors($worker),
        zones         => zones($server->pid),
    };
}

# A number alone comes again on a busy machine.
sub identity ($pid) {
    my $since = (split ' ', AuthGate::read_file("/proc/$pid/stat"))[21];
    return "$pid since $since";
}

my $from = Time::HiRes::time();
my ($warm, %worker);
for my $number (1 .. $RELOADS) {
    reload();
    $worker{ identity(($server->workers)[0]) } = 1;
    $warm = taken() if $number == $WARM_UP;
}
my $end = taken();
is keys %worker, $RELOADS, "I103 $RELOADS reloads, each with a new worker";
note sprintf '%d reloads in %.0f s', $RELOADS, Time::HiRes::time() - $from;
note explain { warm => $warm, end => $end };

SKIP: {
    skip 'AddressSanitizer keeps what is freed for a while', 2 if -d $AuthGate::REPORTS;
    cmp_ok $end->{master} - $warm->{master}, '<', $BOUND, 'I103 the memory of the master is flat';
    cmp_ok $end->{worker} - $warm->{worker}, '<', $BOUND, 'I103 the memory of a new worker is that of an early one';
}
is $end->{descriptors}, $warm->{descriptors}, 'I103 the master has as many descriptors open';
# One more or less is a connection of this test that the worker has not closed yet.
cmp_ok abs($end->{of_the_worker} - $warm->{of_the_worker}), '<=', 1, 'I103 and so has a new worker';
is $end->{zones}, $warm->{zones}, 'I103 no shared memory is left behind';
is $server->client->login('bob', $PASSWORD{bob})->status, 303, 'I103 bob signs in at the end';

done_testing;
