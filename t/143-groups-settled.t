# A22: files that have settled are looked at and not read, with a groups file and without; and where
# there is no groups file, nothing more is asked of the system than for the users file.

use v5.36;

use AuthGate;
use AuthGate::Server;
use POSIX ();
use Test::More;

plan skip_all => 'strace cannot trace here' if system('strace -o /dev/null true 2>/dev/null') != 0;

# Traces what a worker asks of the system about files.
sub attach ($server) {
    my ($pid) = $server->workers;
    my @what = ('-o', $server->path('logs/strace'), '-e', 'trace=%file,read', '-y');
    my $tracer = fork // die "fork: $!";
    if (!$tracer) {
        open STDERR, '>', '/dev/null';
        exec 'strace', '-f', @what, '-p', $pid or POSIX::_exit(127);
    }
    AuthGate::Server::wait_until {
        !grep { AuthGate::read_file($_) !~ /^TracerPid:\s+$tracer$/m } glob "/proc/$pid/task/*/status";
    }
    10, 'strace';
    return $tracer;
}

# The calls so far that are about one of the two files, and match.
sub calls ($server, $file, $call) {
    my $path = $server->path($file);
    my @lines = split /^/, AuthGate::read_file($server->path('logs/strace'));
    return scalar grep { /^\d+\s+(?:$call)/ && /\Q$path\E[">]/ } @lines;
}

my $READ = qr/open|read/;
my $LOOK = qr/\w*stat/;

for my $groups (0, 1) {
    my $name   = $groups ? 'with a groups file' : 'without a groups file';
    my $line   = $groups ? 'groups %%DIR%%/groups;' : '';
    my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; $line }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
    AuthGate::write_file($server->path('groups'), "night: alice\n");
    $server->run;
    my $tracer = attach($server);
    my $reads  = sub { calls($server, 'users', $READ) + calls($server, 'groups', $READ) };
    AuthGate::write_file($server->path('users'), "# edited\n$AuthGate::USERS");
    AuthGate::Server::wait_until { calls($server, 'users', $READ) } 5, 'the users file to be read';

    # Eight looks after the last reading, which is far more than between two readings.
    my ($seen, $looks) = (0, 0);
    ok eval {
        AuthGate::Server::wait_until {
            my $now = $reads->();
            ($seen, $looks) = ($now, calls($server, 'users', $LOOK)) if $now != $seen;
            calls($server, 'users', $LOOK) >= $looks + 8;
        }
        10, 'the files to settle';
    }, "A22 $name: settled files are looked at and not read";
    kill INT => $tracer;
    waitpid $tracer, 0;
    my ($users, $others) = map { calls($server, $_, $LOOK) } qw(users groups);
    if   ($groups) { cmp_ok abs($others - $users), '<', 2, "A22 $name: both are looked at, as often" }
    else           { is $others, 0, "A22 $name: no other is looked at" }
    is calls($server, 'groups', $READ) > 0, !!$groups, "A22 $name: what is read when the users file was edited";
}

done_testing;
