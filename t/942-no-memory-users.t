# I111, I113: a users file for which a worker has no memory is not taken, and the worker goes on; it is read once
# there is memory.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

plan skip_all => 'sanitizers take addresses of their own' if -d $AuthGate::REPORTS;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
    }
EOF_HTTP
my ($worker) = $server->workers;
my $client = $server->client;
$client->sign_in('alice');

# The soft limit of address space, set as the worker's own user: so it takes no privilege to lift it.
sub limit ($bytes) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        if ($> == 0) {
            my ($uid, $gid) = ((getpwnam 'nobody')[2], scalar getgrnam 'nogroup');
            ($(, $)) = ($gid, "$gid $gid");
            ($<, $>) = ($uid, $uid);
        }
        exec 'prlimit', '--pid', $worker, "--as=$bytes:" or die "prlimit: $!";
    }
    waitpid $pid, 0;
    is $?, 0, "the limit is $bytes";
}

sub size () { return AuthGate::read_file("/proc/$worker/status") =~ /^VmSize:\s*(\d+)/m ? $1 * 1024 : die }

my $line = AuthGate::read_file($server->path('users')) =~ /^bob(:.*\n)/m ? $1 : die;
limit(size() + 4_000_000);
my $comments = '# ' . 'x' x 8_000_000 . "\n";
# Whole at once: half of it there may be memory for, and none left to look at it.
my $users = $server->path('users');
AuthGate::write_file("$users.new", AuthGate::read_file($users) . "$comments\ndora$line");
rename "$users.new", $users or die "rename: $!";
ok eval { $server->wait_for_log(qr/users file of realm "ops" not taken.* failed \(out of memory\)/) }, 'I111 it is not read';
is_deeply [$server->workers], [$worker], 'I111 the worker lives';
is $client->get('/hello.txt')->status, 200, 'I111 the last good one holds';
AuthGate::append_file($server->path('users'), "# again\n");
limit('unlimited');
ok eval {
    AuthGate::Server::wait_until { $server->client->login('dora', $PASSWORD{bob})->status == 303 } 20, 'dora';
}, 'I111 read once there is memory';

done_testing;
