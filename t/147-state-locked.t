# J135: another process holds the lock of the journal. The worker waits for it neither with a sign-out
# nor with anything else; the session has ended, and is written down once the lock is free.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Fcntl qw(LOCK_EX LOCK_UN);
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
my ($alice, $bob) = map { $server->client } 1, 2;
$alice->sign_in('alice');
$bob->sign_in('bob');
my $cookie = $bob->cookie('authgate');
my $id = AuthGate::Token::read($cookie)->{session};

sub bob_is_in () { return $server->client(headers => [])->get('/hello.txt', Cookie => "authgate=$cookie")->status }
sub written () { return index(AuthGate::read_file($server->path('state/ops.ended')), pack 'H*', $id) >= 0 }

open my $lock, '<', $server->path('state/ops.lock') or die $!;
flock $lock, LOCK_EX or die $!;

# The lock is held until all of this is answered, so that whoever waited for it would wait for ever.
{
    local $SIG{ALRM} = sub { die "no answer while the lock is held\n" };
    alarm 30;
    is eval { $bob->sign_out->status } // $@, 500, 'J135 bob signs out: he is told that it is not written down';
    is eval { bob_is_in() } // $@, 401, 'J135 but his session has ended';
    my $others = eval { join ' ', map { $alice->get('/hello.txt')->status } 1 .. 50 };
    is $others // $@, join(' ', (200) x 50), 'J135 other requests are answered meanwhile';
    is eval { $server->client->login('carol', $PASSWORD{carol})->status } // $@, 303, 'J135 and who signs in is in';
    alarm 0;
}
ok !written(), 'the end is not in the journal yet';
like $server->error_log, qr/\[crit\].* ended session cannot be written down: flock\(\) /, 'J135 with a line in the log';
flock $lock, LOCK_UN or die $!;
ok eval { AuthGate::Server::wait_until { written() } 20, 'the end to be written'; 1 },
    'J135 the lock is free: the end is written down' or diag $@;
is bob_is_in(), 401, 'bob is still out';
$alice->sign_out;
done_testing;
