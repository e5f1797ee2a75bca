# J126: nginx redirects a request whose client goes away to the location's post_action, while it waits for a check. Then
# it is driven by what it does there alone, and what it waited for is nothing to it any more.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Metrics;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users  %%USERS%%;
        accept cookie basic;
        checks running=1 waiting=2;
    }
    authgate_realm posts { limit off; users %%USERS%%; path /posts/; cookie posts; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /then    { post_action /after; try_files /hello.txt =404; }
        location /posts/    { authgate posts; post_action /after; }
        location = /after   { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%;
                              proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location = /again   { post_action /gated; try_files /hello.txt =404; }
        location = /gated   { try_files /hello.txt =404; }
        location = /round   { post_action /round; try_files /hello.txt =404; }
        location = /asks    { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /verify  { internal; post_action /after; authgate_verify ops; }
        location = /status  { authgate off; stub_status; access_log off; }
        location = /metrics { authgate off; authgate_metrics; access_log off; }
    }
EOF_HTTP
AuthGate::write_file($server->path('users'),
    'slow:' . bcrypt('canary-slow', 13) . "\n" . 'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n");
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my $client = $server->client(headers => []);
my $other  = $server->client(headers => [], from => '127.0.0.2');

sub metric ($name, $realm) {
    return AuthGate::Metrics->read($client)->value("authgate_password_${name}{realm=\"$realm\"}");
}
sub checks_made ()         { return metric('check_duration_seconds_count', 'ops') }
sub waiting ()             { return metric('checks_waiting', 'ops') }
sub running ($realm = 'ops') { return metric('checks_running', $realm) }

# A credential that nobody has checked yet.
my $number = 0;
sub wrong () { return basic('alice', 'canary-no-' . ++$number) }

sub slow_is_running () {
    my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    AuthGate::Server::wait_until { running() == 1 } 10, 'the slow check to run';
    return $slow;
}

# Whoever has gone is with the application now, once, whatever comes of what it waited for.
sub is_asked_once ($case, $asked, $then) {
    AuthGate::Server::wait_until { $app->count == $asked + 1 } 10, 'the application to be asked';
    $then->();
    $app->release;
    ok eval {
        AuthGate::Server::wait_until {
            my $now = connections($client);
            $now->{active} == 0 && running() == 0 && waiting() == 0;
        } 10, 'requests to end';
    }, "J126 $case: nothing is left";
    is $app->count - $asked, 1, "J126 $case: the application is asked once";
    is $client->get('/gated', basic('alice', $PASSWORD{alice}))->status, 200, "J126 $case: the next one is let in";
}

# Each way to send a request, and to go away from it.
my %send = (
    'Basic' => sub (@credential) { pending($client, '/then', @credential) },
    'a subrequest' => sub (@credential) { pending($client, '/asks', @credential) },
);
sub goes ($pending) { $pending->close }

for my $kind (sort keys %send) {
    my $send = $send{$kind};

    # It follows the check of an equal credential, which ends.
    {
        my $asked = $app->count;
        $app->hold;
        my @slow   = basic('slow', $kind eq 'Basic' ? 'canary-slow' : 'canary-slower');
        my $leader = pending($client, '/gated', @slow);
        AuthGate::Server::wait_until { running() == 1 } 10, 'the check to run';
        my $gone = $send->(@slow);
        connections($client);
        goes($gone);
        is_asked_once("$kind, a follower", $asked, sub {
            is $leader->answer->status, $kind eq 'Basic' ? 200 : 401, "J126 $kind, a follower: who was checked is answered";
        });
    }

    # Its own check runs, and ends.
    {
        my ($asked, $made) = ($app->count, checks_made());
        $app->hold;
        my $gone = $send->(basic('slow', "canary-own-$kind"));
        AuthGate::Server::wait_until { running() == 1 } 10, 'the check to run';
        goes($gone);
        is_asked_once("$kind, while it is checked", $asked, sub {
            AuthGate::Server::wait_until { running() == 0 } 10, 'the check to end';
        });
        is checks_made() - $made, 1, "J126 $kind, while it is checked: (it was)";
    }

    # It waits for its turn, which comes.
    {
        my ($asked, $made) = ($app->count, checks_made());
        $app->hold;
        my $slow = slow_is_running();
        my $gone = $send->(wrong());
        AuthGate::Server::wait_until { waiting() == 1 } 10, 'it to wait';
        goes($gone);
        is_asked_once("$kind, in the queue", $asked, sub {
            is $slow->answer->status, 303, "J126 $kind, in the queue: the check that ran goes on";
            AuthGate::Server::wait_until { waiting() == 0 } 10, 'its turn to come';
        });
        is checks_made() - $made, 1, "J126 $kind, in the queue: it was not checked";
    }

    # Another one takes its place in the queue.
    {
        my $asked = $app->count;
        $app->hold;
        my $slow = slow_is_running();
        my $stays = pending($client, '/gated', wrong());
        my $gone  = $send->(wrong());
        AuthGate::Server::wait_until { waiting() == 2 } 10, 'them to wait';
        goes($gone);
        AuthGate::Server::wait_until { $app->count == $asked + 1 } 10, 'the application to be asked';
        my $takes = pending($other, '/gated', wrong());
        is $slow->answer->status, 303, "J126 $kind, displaced: the check that ran goes on";
        is $takes->answer->status, 401, "J126 $kind, displaced: the other one is answered";
        is $stays->answer->status, 401, "J126 $kind, displaced: the one that stays is answered";
        is_asked_once("$kind, displaced", $asked, sub { });
    }
}

# A login with the form.
{
    my $asked = $app->count;
    $app->hold;
    my $gone = AuthGate::Pending->login($client, 'slow', 'canary-slow', path => '/posts/login');
    AuthGate::Server::wait_until { running('posts') == 1 } 10, 'the check to run';
    goes($gone);
    is_asked_once('a login', $asked, sub {
        AuthGate::Server::wait_until { running('posts') == 0 } 10, 'the check to end';
    });
}

# HTTP/2: a stream is reset.
{
    my $asked = $app->count;
    $app->hold;
    my @slow       = basic('slow', 'canary-slowest');
    my $leader     = pending($client, '/gated', @slow);
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    AuthGate::Server::wait_until { running() == 1 } 10, 'the check to run';
    $connection->reset($connection->request(GET => '/then', \@slow));
    $connection->ping;
    AuthGate::Server::wait_until { $app->count == $asked + 1 } 10, 'the application to be asked';
    is $leader->answer->status, 401, 'J126 HTTP/2: who was checked is answered';
    $connection->close;
    is_asked_once('HTTP/2', $asked, sub { });
}

# What it is redirected to is gated, and asks anew; and the same again, as often as nginx redirects.
for my $path ('/again', '/round') {
    for my $moment ('while it is checked', 'in the queue', 'a follower') {
        my $case = "$path, $moment";
        my @credential = basic('slow', "canary-$case");
        my $slow = $moment eq 'in the queue' ? slow_is_running() : undef;
        my $leader = $moment eq 'a follower' ? pending($client, '/gated', @credential) : undef;
        AuthGate::Server::wait_until { running() == 1 } 10, 'the check to run' if $leader;
        my @gone = map { pending($client, $path, @credential) } 1 .. 2;
        connections($client);
        goes($_) for @gone;
        is $slow->answer->status, 303, "J126 $case: the check that ran goes on" if $slow;
        is $leader->answer->status, 401, "J126 $case: who was checked is answered" if $leader;
        ok eval {
            AuthGate::Server::wait_until {
                connections($client)->{active} == 0 && running() == 0 && waiting() == 0;
            } 20, 'requests to end';
        }, "J126 $case: nothing is left";
        is $client->get('/gated', basic('alice', $PASSWORD{alice}))->status, 200, "J126 $case: the next one is let in";
    }
}

is scalar($server->workers), 1, 'J126 the worker lives';
unlike $server->error_log, qr/exited on signal|open socket/, 'J126 and has lived all the time';

done_testing;
