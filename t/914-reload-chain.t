# J129: nginx has one chain of header filters for the whole process, and a reload that fails has built it
# anew. A worker that nginx starts then, in the place of one that died, goes on with the running
# configuration: what it answers is whole, whether the failed one knew the module or not.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;

my $gated = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        accept cookie basic;
        limit off;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        expires 1h;
        add_header X-Server whole always;
        location /app {
            proxy_pass http://127.0.0.1:%%PORT_app%%;
        }
        location = /verify {
            internal;
            authgate_verify ops;
        }
        location = /asked {
            authgate off;
            auth_request /verify;
            try_files /hello.txt =404;
        }
    }
EOF_HTTP
my $open = <<'EOF_HTTP';
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        add_header X-Server whole always;
        location = /user { return 200 "user=$remote_user\n"; }
    }
EOF_HTTP
my $application = <<'EOF_HTTP';
    server {
        listen 127.0.0.1:%%PORT_app%%;
        add_header Set-Cookie "authgate=canary-foreign";
        location / { return 200 "of the application\n"; }
        location = /user { return 200 "user=$remote_user\n"; }
    }
EOF_HTTP

# Whatever comes after it: the whole configuration has been read by then.
my $failing = "access_log %%DIR%%/no-such-directory/access.log;\n";
my $module  = $AuthGate::MODULE;

# Has a reload fail, and another worker start after it.
sub fail_and_kill ($server, $name, $loaded, $http) {
    my $kept = $server->{option}{module};
    my ($old) = $server->workers;
    $server->{option}{module} = $loaded;
    ok !$server->reload($http . $failing), "J129 $name: the reload is refused";
    $server->{option}{module} = $kept;
    kill KILL => $old;
    AuthGate::Server::wait_until { grep { $_ != $old } $server->workers } 10, 'another worker';
}

sub is_whole ($server, $name) {
    my $browser = $server->client;
    my $answer  = $browser->get('/hello.txt');
    is $answer->status, 302, "J129 $name: nobody is sent to the login page";
    is $answer->header('Location'), '/authgate/login?rd=/hello.txt', "J129 $name: with its address";
    like join(',', $answer->headers('Cache-Control')), qr/no-store/, "J129 $name: which no cache keeps";
    is $answer->header('X-Server'), 'whole', "J129 $name: and with the server's own field";
    is $browser->request('HEAD', '/hello.txt', undef)->header('Location'),
        '/authgate/login?rd=/hello.txt', "J129 $name: HEAD as well";

    my $machine = $server->client(headers => []);
    for my $path (qw(/hello.txt /asked)) {
        $answer = $machine->get($path);
        is $answer->status, 401, "J129 $name, $path: a machine is told 401";
        like $answer->header('WWW-Authenticate') // '', qr/^Basic /, "J129 $name, $path: with a challenge";
    }
    is $machine->get('/hello.txt', basic('alice', $PASSWORD{alice}))->status, 200,
        "J129 $name: a machine is let in";
    $answer = AuthGate::Client->new(port => $server->port('app'), headers => [])
        ->get('/user', basic('nobody', 'canary-nobody'));
    is $answer->body, "user=nobody\n", "J129 $name: nginx's own \$remote_user where there is no gate";

    $answer = $browser->login('alice', $PASSWORD{alice});
    is $answer->status, 303, "J129 $name: alice signs in";
    is $answer->header('Location'), '/', "J129 $name: goes on";
    is scalar(grep { /^authgate=/ } $answer->headers('Set-Cookie')), 1, "J129 $name: and has a cookie";
    $answer = $browser->get('/app');
    is $answer->body, "of the application\n", "J129 $name: alice is let in";
    unlike $answer->raw, qr/canary-foreign/, "J129 $name: without a cookie of the gate's name";
    $answer = $browser->sign_out;
    is $answer->status, 303, "J129 $name: alice signs out";
    like join('', $answer->headers('Set-Cookie')), qr/Max-Age=0/, "J129 $name: and her cookie goes";
}

sub is_open ($server, $name) {
    my $machine = $server->client(headers => []);
    for my $answer (map { $machine->get('/hello.txt', @$_) } [], [Cookie => 'authgate=x']) {
        is $answer->status, 200, "J129 $name: the file is there for all";
        is $answer->header('X-Server'), 'whole', "J129 $name: with the server's own field";
    }
    is $machine->get('/user', basic('nobody', 'canary-nobody'))->body, "user=nobody\n",
        "J129 $name: \$remote_user";
}

# The gate runs.
my @others = (
    ['without the module', '', $open],
    ['without a realm', $module, $open],
    ['with another realm', $module, $gated =~ s/ops\b/dev/gr],
    ['without http fields', '', $open =~ s/add_header.*//r],
);
{
    my $server = AuthGate::Server->start($gated . $application);
    is_whole($server, 'at first');
    for my $other (@others) {
        my ($name, $loaded, $http) = @$other;
        fail_and_kill($server, $name, $loaded, $http . $application);
        is_whole($server, $name);
    }
    ok reload_whole($server, $gated . $application), 'J129 a reload that is taken';
    is_whole($server, 'after a reload that is taken');
    is scalar(() = $server->client->get('/authgate/login')->headers('Cache-Control')), 1,
        'J129 after a reload that is taken: every filter is in its place';
    $server->expect_alert(qr/no-such-directory|exited on signal 9/);
}

# Another server runs, which has no module, or no realm.
for my $case (['', 'no module runs'], [$module, 'no realm runs']) {
    my ($loaded, $name) = @$case;
    my $server = AuthGate::Server->start($open, module => $loaded);
    is_open($server, $name);
    fail_and_kill($server, $name, $module, $gated . $application);
    is_open($server, "$name, the gate fails");
    $server->{option}{module} = $module;
    ok reload_whole($server, $gated . $application), "J129 $name: the gate's reload is taken";
    is_whole($server, "$name, the gate comes");
    $server->{option}{module} = $loaded;
    ok reload_whole($server, $open), "J129 $name: and goes";
    is_open($server, "$name, the gate goes");
    fail_and_kill($server, "$name, again", $module, $gated . $application);
    is_open($server, "$name, the gate fails again");
    $server->expect_alert(qr/no-such-directory|exited on signal 9/);
}

# One process without a master: it reads the other configuration itself, and goes on as it was.
{
    my $server = AuthGate::Server->start($gated . $application, single => 1);
    is_whole($server, 'one process');
    for my $other (@others) {
        my ($name, $loaded, $http) = @$other;
        $server->{option}{module} = $loaded;
        ok !$server->reload($http . $failing), "J129 one process, $name: the reload is refused";
        $server->{option}{module} = $module;
        is_whole($server, "one process, $name");
    }
    $server->expect_alert(qr/\[emerg\]/);
}

done_testing;
