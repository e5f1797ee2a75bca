# A22: a worker that nginx starts in the place of one that died knows what the other workers know, or
# lets nobody in.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; limit off; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
my $file   = $server->path('users');
my $client = $server->client;
$client->sign_in('bob');
my $token = $client->cookie('authgate');
my ($alice, undef, $carol) = split /^/, $AuthGate::USERS;

sub bob () { return $server->client(headers => [])->get("/hello.txt", Cookie => "authgate=$token")->status }
sub login ($user) { return $server->client->login($user, $PASSWORD{$user})->status }
sub lines () { return scalar(() = $server->error_log =~ /not taken/g) }

# Kills the worker and asks the next one from its first moment on: the statuses that bob gets.
sub new_worker () {
    my ($old) = $server->workers;
    kill KILL => $old;
    AuthGate::Server::wait_until { grep { $_ != $old } $server->workers } 5, 'another worker';
    my %seen;
    my $until = Time::HiRes::time() + 1.5;
    $seen{ bob() }++ while Time::HiRes::time() < $until;
    return [ sort keys %seen ];
}

AuthGate::write_file($file, $alice . $carol);
AuthGate::Server::wait_until { bob() == 401 } 5, 'bob to be refused';
is_deeply new_worker(), [401], 'A22 bob is deleted: a new worker never lets him in';
is login('bob'),   403, 'A22 nor does it take his password';
is login('alice'), 303, 'A22 alice signs in';

# What the others go on with was never in this worker.
my $before = lines();
AuthGate::append_file($file, "no colon\n");
AuthGate::Server::wait_until { lines() > $before } 5, 'a line about the broken file';
is_deeply new_worker(), [500], 'A22 the file is broken: a new worker lets nobody in';
is login($_), 500, "A22 nor $_ at the login" for qw(alice bob);

AuthGate::write_file($file, $alice . $carol);
AuthGate::Server::wait_until { bob() == 401 } 5, 'the file to be taken';
is login('alice'), 303, 'A22 the file is good again: alice signs in';

unlink $file or die $!;
AuthGate::Server::wait_until { $server->error_log =~ /failed \(2: / } 5, 'a line about the missing file';
is login('alice'), 303, 'A22 the file is gone: the old worker goes on';
is_deeply new_worker(), [500], 'A22 a new one lets nobody in';
$server->expect_alert(qr/exited on signal 9/);

done_testing;
