# Posts that send a byte and then nothing: dropped at client_body_timeout, little memory each, and others
# sign in meanwhile (C48; two hundred here, a thousand in the stress script).

use v5.36;

use AuthGate;
use AuthGate::Server;
use IO::Select;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%% backlog=512;
        authgate ops;
        root %%DIR%%/html;
        client_body_timeout 2s;
    }
EOF_HTTP

my $COUNT = 200;
my ($worker) = $server->workers;

# Resident memory of the worker, in KiB.
sub resident () { return AuthGate::read_file("/proc/$worker/status") =~ /^VmRSS:\s*(\d+)/m ? $1 : die }

my $head = "POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    . "Content-Length: 8000\r\n\r\n";
my $client = $server->client;
$client->sign_in('alice');
my $before  = resident();
my $began   = Time::HiRes::time();
my $sockets = IO::Select->new;
for (1 .. $COUNT) {
    my $socket = $client->connect;
    print $socket $head, 'u';
    $sockets->add($socket);
}

# Once this is answered the worker has seen all of them.
is $server->client->sign_in('bob')->status, 303, 'C48 another login works meanwhile';
my $during = resident();
my $took   = Time::HiRes::time() - $began;
is $client->get('/hello.txt')->status, 200, 'C48 and so does what is gated';
my @early = $took < 1.5 ? $sockets->can_read(0) : ();
is @early, 0, 'C48 none is dropped yet';
diag sprintf 'C48 %d slow posts: the worker grew by %d KiB, %.1f KiB each', $COUNT, $during - $before,
    ($during - $before) / $COUNT;
my $most = -d $AuthGate::REPORTS ? 128 : 64;    # sanitizers put room around each allocation
cmp_ok +($during - $before) / $COUNT, '<', $most, 'C48 little memory each';

my @dropped;    # when
my $answers  = '';
my $deadline = $began + 10;
while ($sockets->count && Time::HiRes::time() < $deadline) {
    for my $socket ($sockets->can_read(0.5)) {
        next if sysread $socket, $answers, 4096, length $answers;
        push @dropped, Time::HiRes::time() - $began;
        $sockets->remove($socket);
        close $socket;
    }
}
is @dropped, $COUNT, 'C48 all are dropped';
is $answers, '', 'C48 without an answer';
cmp_ok $dropped[0]  // 0,  '>=', 1.9, 'C48 not before the timeout';
is_within $dropped[-1], 5, 'C48 at the timeout';
is $server->client->login('carol', $PASSWORD{carol})->status, 303, 'C48 logins go on';
my $timed_out = () = $server->access_log =~ /"POST \/authgate\/login HTTP\/1\.1" 408 /g;
is $timed_out, $COUNT, 'C48 as timed out';
unlike $server->error_log, qr/login failed/, 'C48 no password was looked at';
diag sprintf 'C48 after them: %d KiB more than before', resident() - $before;

# One that goes on in time is taken, however slow.
my $body   = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice} ]);
my $socket = $client->connect;
print $socket $head =~ s/8000/length $body/er;
for my $piece (unpack '(a20)*', $body) {
    print $socket $piece;
    is $server->client->get('/authgate/nothing')->status, 404, 'C48 a piece of a slow post';
}
is AuthGate::Response->read($socket, 'POST')->status, 303, 'C48 a slow post in time is taken';

done_testing;
