# I113: whatever stands in the place of the users or keys file, nobody waits for it: not nginx -t, and
# not a worker that starts.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Workers;
use POSIX ();
use Test::More;

my $http = <<"EOF_HTTP";
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; }
    server { $AuthGate::Workers::SERVER authgate ops; }
EOF_HTTP
my %content = (users => $AuthGate::USERS, keys => $AuthGate::KEYS);
my %instead = (
    'a named pipe' => sub ($file) { POSIX::mkfifo($file, 0644) },
    'an endless device' => sub ($file) { symlink '/dev/zero', $file },
    'a directory' => sub ($file) { mkdir $file },
);

for my $file (sort keys %content) {
    for my $name (sort keys %instead) {
        my $server = AuthGate::Server->prepare($http);
        my $path   = $server->path($file);
        unlink $path or die $!;
        $instead{$name}->($path) or die $!;
        my $command = join ' ', map { quotemeta } 'timeout', 3, $server->command('-t');
        my $limit   = -d $AuthGate::REPORTS ? '' : 'ulimit -v 2000000;';    # sanitizers take more addresses
        my $said    = qx{($limit exec $command) 2>&1};
        is $? >> 8, 1, "I113 $file, $name: nginx -t fails, and at once";
        like $said, qr/\[emerg\] .*"\Q$path\E".* in \S+nginx\.conf:\d+/, "I113 $file, $name: with file and line";
    }
}

# A worker in the place of one that died, when the users are not those of the (re)load any more.
for my $name ('a named pipe', 'a directory') {
    my $server = AuthGate::Server->start($http);
    $server->expect_alert(qr/exited on signal 9/);
    my $workers = AuthGate::Workers->connect($server);
    my ($old)   = $workers->pids;
    my $path    = $server->path('users');
    my ($alice) = split /^/, $AuthGate::USERS;
    AuthGate::write_file($path, $alice);
    ok defined $workers->settle(sub ($pid) { $workers->login($pid, 'bob', $PASSWORD{bob})->status }, 403),
        'bob is deleted';
    unlink $path or die $!;
    $instead{$name}->($path) or die $!;
    kill KILL => $old;
    ok eval {
        AuthGate::Server::wait_until { grep { $_ != $old } $server->workers } 5, 'another worker';
    }, "I113 $name: a new worker starts" or next;
    is $server->client->login('bob', $PASSWORD{bob})->status, 500, "I113 $name: it lets nobody in";
    rmdir $path or unlink $path or die $!;
    AuthGate::write_file($path, $alice);
    ok eval {
        AuthGate::Server::wait_until { $server->client->login('alice', $PASSWORD{alice})->status == 303 } 3, 'alice';
    }, "I113 $name: and takes the next good file";
}

done_testing;
