# E57: who has gone holds no place among those who wait.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        checks running=1 waiting=4;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        location = /status { authgate off; stub_status; access_log off; }
    }
EOF_HTTP

# slow takes half a second or so, in which all this happens.
AuthGate::write_file($server->path('users'),
    'slow:' . bcrypt('canary-slow', 13) . "\n" . 'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n");
$server->run;
my $client = $server->client;

# Only the connection of the slow one is left while its check is under way.
sub only_slow_is_left ($slow) {
    return eval {
        AuthGate::Server::wait_until {
            die "too late\n" if $slow->is_answered;
            connections($client)->{active} == 1;
        }
        10, 'clients to be gone';
    };
}

my %way = (
    'closed' => sub ($pending) { $pending->close },
    'reset' => sub ($pending) { $pending->reset },
    'said that it sends no more' => sub ($pending) { shutdown $pending->{socket}, 1 },
);

for my $way (sort keys %way) {
    for my $moment ('at once', 'while waiting') {
        my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
        connections($client);
        my @gone = map { AuthGate::Pending->login($client, 'alice', $PASSWORD{alice}) } 1 .. 4;

        # At once: the end is there before the form is read, for all comes in one go.
        connections($client) if $moment eq 'while waiting';
        $way{$way}->($_) for @gone;
        ok only_slow_is_left($slow), "E57 who has $way $moment waits no more";

        my @pending = map { AuthGate::Pending->login($client, 'alice', $PASSWORD{alice}) } 1 .. 4;
        is $slow->answer->status, 303, "E57 $way $moment: the check that ran goes on";
        is_deeply [map { $_->answer->status } @pending], [(303) x 4],
            "E57 $way $moment: the places are free again";
    }
}

done_testing;
