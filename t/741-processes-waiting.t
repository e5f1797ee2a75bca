# E58: a worker that is told to go answers those, too, who wait for another worker: for the check of an equal Basic
# credential, or for the limiter, which another worker's check will tell what to say.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit retries=1; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location = /pid { authgate off; return 200 $pid; }
    }
EOF_HTTP
# Half a second and more.
AuthGate::write_file($server->path('users'), 'slow:' . bcrypt('canary-slow', 13) . "\n");
$server->run;

# One worker checks, the other has what `$ask` sends wait for that; both are told to go.
sub are_answered ($name, $status, $ask) {
    my @workers = $server->workers;
    my @pending = map { $ask->($server->client(worker => $_, headers => [])) } @workers;
    is grep({ $_->is_answered } @pending), 0, "$name: nobody is answered yet";
    ok $server->reload, "$name: reload";
    is_deeply [ map { $_->answer->status } @pending ], [ $status, $status ], "$name: all are answered";
    ok eval {
        AuthGate::Server::wait_until { !grep { is_alive($_) } @workers } 5, 'the old workers to go';
    }, "$name: then the old workers exit";
}

are_answered('E58 followers', 200, sub ($client) { pending($client, '/hello.txt', basic('slow', 'canary-slow')) });
are_answered('E58 undecided', 303, sub ($client) { AuthGate::Pending->login($client, 'slow', 'canary-slow') });
unlike $server->error_log, qr/open socket/, 'E58 no socket was left open';
done_testing;
