# J125: behind auth_request too, who has gone gives up the turn, unhashed. nginx tells the subrequest alone of it.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Metrics;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users  %%USERS%%;
        accept cookie basic;
        checks running=1 waiting=4;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        location = /asks    { auth_request /verify; try_files /hello.txt =404; }
        location = /verify  { internal; authgate_verify ops; }
        location = /page    { ssi on; ssi_types *; try_files /page.html =404; }
        location = /status  { stub_status; access_log off; }
        location = /metrics { authgate_metrics; access_log off; }
    }
EOF_HTTP

# slow takes half a second or so, in which all this happens.
AuthGate::write_file($server->path('users'),
    'slow:' . bcrypt('canary-slow', 13) . "\n" . 'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n");
AuthGate::write_file($server->path('html/page.html'), 'a<!--# include virtual="/verify" -->b');
$server->run;
my $client = $server->client;

sub checks_made () {
    return AuthGate::Metrics->read($client)->value('authgate_password_check_duration_seconds_count{realm="ops"}');
}

sub waiting () { return AuthGate::Metrics->read($client)->value('authgate_password_checks_waiting{realm="ops"}') }

# Three that wait for their turn, and two that wait for the check of one of these.
my @passwords = ('canary-no-1', 'canary-no-2', ('canary-no-3') x 3);

# Only the slow login and `$others` connections are left while its check is under way.
sub nobody_waits ($slow, $others = 0) {
    return eval {
        AuthGate::Server::wait_until {
            die "too late\n" if $slow->is_answered;
            connections($client)->{active} == 1 + $others && waiting() == 0;
        }
        10, 'clients to be gone';
    };
}

sub ends ($case, $slow, $before) {
    is $slow->answer->status, 303, "J125 $case: the check that ran goes on";
    is checks_made() - $before, 1, "J125 $case: and no other was made";
    is $client->get('/asks', basic('alice', $PASSWORD{alice}))->status, 200, "J125 $case: the next one is let in";
}

my %way = (
    'closed' => sub ($pending) { $pending->close },
    'reset' => sub ($pending) { $pending->reset },
    'said that it sends no more' => sub ($pending) { shutdown $pending->{socket}, 1 },
);
for my $path ('/asks', '/page') {
    for my $way (sort keys %way) {
        my $case   = "$path, who has $way";
        my $before = checks_made();
        my $slow   = AuthGate::Pending->login($client, 'slow', 'canary-slow');
        connections($client);
        my @gone = map { pending($client, $path, basic('alice', $_)) } @passwords;
        AuthGate::Server::wait_until { waiting() == 3 } 10, 'all to wait';
        $way{$way}->($_) for @gone;
        ok nobody_waits($slow), "J125 $case, waits no more";
        ends($case, $slow, $before);
    }
}

# HTTP/2: streams one by one, and the whole connection.
for my $way (qw(reset abort close)) {
    my $case       = "HTTP/2, $way";
    my $before     = checks_made();
    my $slow       = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    connections($client);
    my @gone = map { $connection->request(GET => '/asks', [basic('alice', $_)]) } @passwords;
    AuthGate::Server::wait_until { waiting() == 3 } 10, 'all to wait';
    $way eq 'reset' ? $connection->reset($_) : $connection->$way for $way eq 'reset' ? @gone : ($way);
    ok nobody_waits($slow, $way eq 'reset'), "J125 $case: nobody waits any more";
    is $connection->status($connection->request(GET => '/asks', [basic('alice', $PASSWORD{alice})])), 200,
        "J125 $case: the connection goes on"
        if $way eq 'reset';
    $connection->close if $way eq 'reset';
    is $slow->answer->status, 303, "J125 $case: the check that ran goes on";
    is checks_made() - $before, 1, "J125 $case: and no other was made";
}

# Twin: who stays is answered.
{
    my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    connections($client);
    my @stay = map { pending($client, '/asks', basic('alice', $_)) } @passwords, ($PASSWORD{alice}) x 2;
    is $slow->answer->status, 303, 'J125 who stays: the check that ran';
    is_deeply [map { $_->answer->status } @stay], [(401) x 5, (200) x 2], 'J125 who stays is answered';
}
like $server->access_log, qr{"GET /asks HTTP/1.1" 499 }, 'J125 nginx saw them go';

done_testing;
