# A20: session and device ids never come twice, whichever worker makes them; without randomness there is
# neither session nor cookie.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Load;
use AuthGate::Process;
use AuthGate::Token;
use Test::More;
use Time::HiRes ();

# Passwords in the clear are checked at once: as many sign-ins as the machine can do.
my $server = AuthGate::Daemon->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; allow_weak on; }
    keepalive_requests 1000000;
    add_header X-Worker $pid always;
    access_log off;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
EOF_HTTP
AuthGate::write_file($server->path('users'), "alice:{PLAIN}$PASSWORD{alice}\n");

# getrandom(), which fails while a file is there and adds a byte to it. Not by strace: a C library of 2024 or
# later makes random numbers without a system call.
my $dry = $server->path('no-randomness');
my $source = AuthGate::write_file($server->path('getrandom.c'), <<"EOF_C");
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

long syscall(long number, ...);

ssize_t getrandom(void *to, size_t length, unsigned flags)
{
    int file = open("$dry", O_WRONLY | O_APPEND);
    if (file == -1) return syscall(SYS_getrandom, to, length, flags);
    if (write(file, "x", 1) == 1) close(file);
    errno = EIO;
    return -1;
}
EOF_C
my $preload = $server->path('getrandom.so');
system('gcc', '-shared', '-fPIC', '-o', $preload, $source) == 0 or die 'gcc failed';
{
    local $ENV{LD_PRELOAD} = $preload;
    $server->run;
}

# The ids of the cookies of an answer: session, device.
sub ids ($answer) {
    my @cookies = map { /^[^=]+=([^;]*)/ } $answer->headers('Set-Cookie');
    return map { AuthGate::Token::read($_)->{session} } @cookies;
}

sub sign_in ($load) {
    state $signed_in = 0;
    my $connection = $load->connection(port => $server->port('all'));
    my $answer = $connection->ask('POST', '/authgate/login', form => [username => 'alice', password => $PASSWORD{alice}]);
    $load->expect('login', $answer, 303) or return;
    $load->keep(ids => join ' ', $answer->header('X-Worker'), ids($answer));
    # Now and then another connection, so that no worker goes without.
    delete $connection->{socket} if ++$signed_in % 100 == 0;
}

# So many seconds at full speed; what happens meanwhile happens in their middle.
sub sign_ins ($seconds, $meanwhile) {
    my @loads = map { AuthGate::Load->start(\&sign_in) } 1 .. 2;
    Time::HiRes::sleep($seconds / 2);
    $meanwhile->();
    Time::HiRes::sleep($seconds / 2);
    return AuthGate::Load->stop(@loads);
}

my @before = $server->workers;
my %during = (
    'at first' => sub { },
    'reload' => sub { $server->reload },
    'worker killed' => sub {
        my ($victim) = $server->workers;
        $server->expect_alert(qr/exited on signal 9/);
        kill KILL => $victim;
        $server->wait_until_gone($victim);
        AuthGate::Server::wait_until { $server->workers == 2 } 10, 'another worker';
    },
);
my (%session, %device, %worker);
for my $when ('at first', 'reload', 'worker killed') {
    my $tally = sign_ins(4.5, $during{$when});
    is_deeply $tally->{wrong}, [], "A20 $when: all who sign in get in";
    for my $made ($tally->{ids}->@*) {
        my ($worker, $session, $device) = split ' ', $made;
        $worker{$worker}++;
        $session{$session}++;
        $device{$device}++;
    }
}
note explain \%worker;

my $total = 0;
$total += $_ for values %worker;
note "$total sign-ins";
cmp_ok $total, '>', 2_000 / $AuthGate::SLOWER, 'A20 there were many';
is keys %worker, 5, 'A20 by two workers, by two after a reload, and by one in the place of a killed one';
is 0 + (grep { $worker{$_} < 50 } keys %worker), 0, 'A20 each made many';
is keys %session, $total, 'A20 all session ids are distinct';
is keys %device, $total, 'A20 all device ids are distinct';
is 0 + (grep { $session{$_} } keys %device), 0, 'A20 no device id is a session id';
is 0 + (grep { !/\A[0-9a-f]{32}\z/ } keys %session, keys %device), 0, 'A20 all have 128 bits';

# Nor does any half of one: what counts or repeats in part would.
for my $half (0, 1) {
    my %half = map { substr($_, 16 * $half, 16) => 1 } keys %session, keys %device;
    is keys %half, 2 * $total, 'A20 half of an id (' . ('first', 'second')[$half] . ') never comes twice either';
}

# ---- no randomness -------------------------------------------------------------------------------

my $trace = $server->path('trace');

# A tracer that writes down which files these processes open, where there may be one.
sub trace_files (@pids) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec 'strace', '-f', '-o', $trace, '-e', 'trace=open,openat', map { (-p => $_) } @pids or POSIX::_exit(127);
    }
    my $attached = eval {
        AuthGate::Server::wait_until {
            !grep { AuthGate::read_file($_) !~ /^TracerPid:\s+$pid$/m } map { glob "/proc/$_/task/*/status" } @pids;
        }
        10, 'strace';
    };
    return $pid if $attached;
    kill KILL => $pid;
    waitpid $pid, 0;
    return;
}

sub without_randomness ($action) {
    AuthGate::write_file($dry, '');
    chmod 0666, $dry;
    $action->();
    cmp_ok -s $dry, '>', 0, 'A20 (getrandom did fail)';
    unlink $dry;
}

sub login (@more) { return $server->client(port => $server->port('all'))->login('alice', $PASSWORD{alice}, @more) }

my $client = $server->client(port => $server->port('all'));
$client->sign_in('alice');
my @pids   = $server->workers;
my $tracer = trace_files(@pids);
without_randomness(sub {
    my %by;
    AuthGate::Server::wait_until {
        my $answer = login();
        is $answer->status, 500, 'A20 no randomness: 500';
        is_deeply [$answer->headers('Set-Cookie')], [], 'A20 no randomness: no cookie';
        $by{ $answer->header('X-Worker') } = 1;
        keys %by == 2;
    }
    10, 'both workers to answer';
    my $json = login(headers => [Accept => 'application/json']);
    is $json->status, 500, 'A20 no randomness, JSON: 500';
    is_deeply [$json->headers('Set-Cookie')], [], 'A20 no randomness, JSON: no cookie';
    is $client->get('/hello.txt')->status, 200, 'A20 no randomness: a session goes on';
    is $client->login('alice', 'canary-wrong')->status, 500, 'A20 no randomness: right and wrong are told alike';
    is $client->get('/hello.txt')->status, 200, 'A20 no randomness: nor has that ended it';
});
SKIP: {
    skip 'strace cannot attach here', 2 if !$tracer;
    kill INT => $tracer;
    waitpid $tracer, 0;
    my $files = AuthGate::read_file($trace);
    like $files, qr{hello\.txt}, 'A20 (the tracer saw files)';
    unlike $files, qr{/dev/u?random}, 'A20 no randomness: none is sought elsewhere';
}
is_deeply [sort $server->workers], [sort @pids], 'A20 no randomness: the workers live';
my $answer = login();
is $answer->status, 303, 'A20 randomness is back: alice signs in';
my @ids = ids($answer);
is 0 + (grep { $session{$_} || $device{$_} } @ids), 0, 'A20 with ids that are new';

# Nor does nginx start without.
$server->stop;
without_randomness(sub {
    local $ENV{LD_PRELOAD} = $preload;
    my $command = join ' ', map { quotemeta } $server->command;
    my $said = qx($command 2>&1 </dev/null);
    isnt $?, 0, 'A20 no randomness: nginx does not start';
    is $server->pid_in('nginx.pid'), '', 'A20 no randomness: none runs';
    note $said;
});

done_testing;
