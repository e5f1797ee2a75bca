# J127: where no thread takes a check, its request is answered, and the one that asks by auth_request too, also when the
# check is started from the end of another one.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Faults ();
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Users;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        limit  off;
        users  %%USERS%%;
        accept cookie basic;
        checks pool=passwords running=RUNNING waiting=8;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        location /          { authgate ops; }
        location = /asks    { auth_request /verify; try_files /hello.txt =404; }
        location = /verify  { internal; authgate_verify ops; }
        location = /status  { stub_status; access_log off; }
        location = /metrics { authgate_metrics; access_log off; }
    }
EOF_HTTP

my @asks = (['/hello.txt', 'Basic'], ['/asks', 'auth_request']);

sub nothing_is_left ($client, $case) {
    ok eval { AuthGate::Server::wait_until { connections($client)->{active} == 0 } 20, 'requests to end' },
        "J127 $case: nothing is left";
}

sub prepare ($running, $pool, @module) {
    my $server = AuthGate::Server->prepare($http =~ s/RUNNING/$running/r, main => "thread_pool passwords threads=1 $pool;", @module);
    AuthGate::write_file($server->path('users'), 'slow:' . bcrypt('canary-slow', 12) . "\n" . $AuthGate::USERS);
    $server->run;
    return $server;
}

# The only thread is busy, and the pool has no queue.
{
    my $server = prepare(8, 'max_queue=0');
    my $client = $server->client(headers => []);
    # Without a queue nginx takes nothing before the thread has come to wait for it.
    AuthGate::Server::wait_until { $client->login('alice', $PASSWORD{alice})->status == 303 } 20, 'a thread';
    # Again where the thread was not idle yet, or the check has ended before all had asked.
    my ($slow, @statuses);
    my $ask = sub {
        my @basic = map { my ($path) = @$_; map { $client->get($path, right('alice'))->status } 1, 2 } @asks;
        my $connection = AuthGate::Streams->connect($server->port('h2'));
        my $stream = $connection->status($connection->request(GET => '/asks', [right('alice')]));
        $connection->close;
        return ($client->login('alice', $PASSWORD{alice})->status, @basic, $stream);
    };
    AuthGate::Server::wait_until {
        $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
        connections($client);
        if (!$slow->is_answered) {
            @statuses = $ask->();
            return 1 if !$slow->is_answered;
        }
        $slow->answer;
        return 0;
    }
    60, 'all to ask while the only thread is busy';
    is_deeply \@statuses, [(500) x 6], 'J127 no thread: by the form, by Basic, behind auth_request, over HTTP/2';
    is $slow->answer->status, 303, 'J127 no thread: the check that ran goes on';
    nothing_is_left($client, 'no thread');
    like $server->error_log, qr/thread pool "passwords" queue overflow/, 'J127 no thread: the log says so';
}

# One check runs; those that wait for its end find no thread, but for the last.
sub one_after_another ($server, $client) {
    for (@asks) {
        my ($path, $name) = @$_;
        my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
        connections($client);
        # Two that are to be checked, and one that follows the first of them.
        my @none = map { pending($client, $path, basic('no-thread', $_)) } qw(canary-1 canary-2 canary-1);
        my $last = pending($client, $path, basic('alice', "canary-$name"));
        is $slow->answer->status, 303, "J127 $name: the check that ran";
        is_deeply [map { $_->answer->status } @none], [(500) x 3], "J127 $name: those without a thread are answered";
        is $last->answer->status, 401, "J127 $name: who has a thread again, too";
        nothing_is_left($client, $name);
    }
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    connections($client);
    my @none = map { $connection->request(GET => '/asks', [basic('no-thread', $_)]) } qw(canary-3 canary-4 canary-3);
    is $slow->answer->status, 303, 'J127 HTTP/2: the check that ran';
    is_deeply [map { $connection->status($_) } @none], [(500) x 3], 'J127 HTTP/2: those without a thread are answered';
    $connection->close;
    nothing_is_left($client, 'HTTP/2');
}

SKIP: {
    skip AuthGate::Faults::missing() if AuthGate::Faults::missing();
    my $server = prepare(1, '', module => $AuthGate::Faults::MODULE);
    one_after_another($server, $server->client(headers => []));
}

done_testing;
