# E58, E59: nginx is reloaded, stopped and replaced while passwords are checked.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my ($nginx) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};
$AuthGate::NGINX = $nginx if $AuthGate::NGINX eq 'nginx';    # USR2 needs the whole path

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks running=2 waiting=64;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /status { authgate off; stub_status; access_log off; }
        location = /open   { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP

# mid takes some 60 ms, slow half a second and more.
my $users = join '',
    'mid:' . bcrypt('canary-mid', 10) . "\n",
    'slow:' . bcrypt('canary-slow', 13) . "\n",
    'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n";

sub prepare (%option) {
    my $server = AuthGate::Server->prepare($http, %option);
    AuthGate::write_file($server->path('users'), $users);
    return $server;
}

# Right and wrong passwords: two checks run, the others wait.
sub logins ($server, $count) {
    my @logins = map {
        my $password = $_ % 3 ? 'canary-mid' : wrong_password();
        my $client = $server->client(from => "127.0.1.$_");
        { pending => AuthGate::Pending->login($client, 'mid', $password), wanted => $_ % 3 ? 303 : 403 };
    } 1 .. $count;
    is $server->client->get('/open')->status, 200, 'other requests are answered meanwhile';
    return @logins;
}

sub are_answered ($name, @logins) {
    is_deeply [map { $_->{pending}->answer->status } @logins], [map { $_->{wanted} } @logins], $name;
}

sub goes ($pid, $seconds, $name) {
    ok eval {
        AuthGate::Server::wait_until { !is_alive($pid) } $seconds, 'process to go';
    }, $name;
}

sub no_trace ($server, $name) {
    unlike $server->error_log, qr/open socket|exited on signal|fatal code/, $name;
}

# E58
{
    my $server = prepare();
    $server->run;
    for my $round (1 .. 3) {
        my ($old) = $server->workers;
        my @logins = logins($server, 24);
        ok $server->reload, "E58 reload $round";
        my $under_way = grep { !$_->{pending}->is_answered } @logins;
        cmp_ok $under_way, '>', 4, "E58 reload $round comes while checks run and wait";
        is $server->client->login('alice', $PASSWORD{alice})->status, 303,
            "E58 reload $round: the new worker takes logins";
        are_answered("E58 reload $round: all are answered", @logins);
        goes($old, 5, "E58 reload $round: then the old worker exits");
    }

    # A session that an old worker has made is good in the new one.
    my ($old) = $server->workers;
    my $client = $server->client;
    my $pending = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    is $server->client->get('/open')->status, 200, 'E58 a check runs';
    ok $server->reload, 'E58 reload during one check';
    my $answer = $client->keep_cookies($pending->answer);
    is $answer->status, 303, 'E58 one check: answered';
    is $client->get('/hello.txt')->status, 200, 'E58 one check: the session is good in the new worker';
    goes($old, 5, 'E58 one check: then the old worker exits');

    # Streams of one connection.
    ($old) = $server->workers;
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my @streams = map { $connection->login('mid', 'canary-mid') } 1 .. 8;
    $connection->ping;
    ok $server->reload, 'E58 reload during checks of HTTP/2';
    is_deeply [map { $connection->status($_) } @streams], [(303) x 8],
        'E58 HTTP/2: all streams are answered';
    $connection->close;
    goes($old, 5, 'E58 HTTP/2: then the old worker exits');

    # Who has gone does not keep the old worker.
    ($old) = $server->workers;
    my @gone = map { AuthGate::Pending->login($client, 'slow', 'canary-slow') } 1 .. 8;
    is $server->client->get('/open')->status, 200, 'E58 8 checks run and wait';
    ok $server->reload, 'E58 reload';
    $_->reset for @gone;
    goes($old, 6, 'E58 after the running checks the old worker exits where all clients have gone');

    # Twin: without any check it exits at once, whatever timers of ours there are.
    ($old) = $server->workers;
    ok $server->reload, 'E58 reload without checks';
    goes($old, 2, 'E58 an idle worker exits at once');
    no_trace($server, 'E58 no socket was left open and no process crashed');
}

# E59: QUIT answers all that has come.
{
    my $server = prepare(workers => 2);
    $server->run;
    my @workers = $server->workers;
    my @logins = logins($server, 16);
    kill QUIT => $server->pid;
    are_answered('E59 QUIT: all are answered', @logins);
    goes($_, 5, 'E59 QUIT: the worker exits') for @workers;
    no_trace($server, 'E59 QUIT: no socket was left open');
    $server->stop('QUIT');
}

# TERM answers nobody, and crashes nowhere.
{
    my $server = prepare();
    $server->run;
    my ($worker) = $server->workers;
    my @logins = logins($server, 16);
    kill TERM => $server->pid;
    goes($worker, 5, 'E59 TERM: the worker exits');
    no_trace($server, 'E59 TERM: nothing crashed');
    $server->stop;
}

# The same for a worker alone: the master starts another.
{
    my $server = prepare();
    $server->run;
    my ($worker) = $server->workers;
    my @logins = logins($server, 16);
    kill TERM => $worker;
    goes($worker, 5, 'E59 TERM to a worker: it exits');
    ok eval {
        AuthGate::Server::wait_until { $server->workers } 5, 'a new worker';
    }, 'E59 TERM to a worker: another starts';
    is $server->client->login('alice', $PASSWORD{alice})->status, 303,
        'E59 TERM to a worker: the other takes logins';
    no_trace($server, 'E59 TERM to a worker: nothing crashed');
}

# worker_shutdown_timeout closes the connections under the checks.
for my $signal (qw(HUP QUIT)) {
    my $server = prepare();
    my $conf = AuthGate::read_file($server->path('nginx.conf'));
    AuthGate::write_file($server->path('nginx.conf'), $conf =~ s/worker_shutdown_timeout \K\w+/100ms/r);
    $server->run;
    my ($worker) = $server->workers;
    my @pending = map { AuthGate::Pending->login($server->client, 'slow', 'canary-slow') } 1 .. 8;
    is $server->client->get('/open')->status, 200, '8 checks run and wait';
    kill $signal => $server->pid;
    goes($worker, 8,
        "E59 worker_shutdown_timeout, $signal: the worker exits when the running checks have ended");
    my @unanswered = grep { $_->answer->status == 0 } @pending;
    cmp_ok scalar @unanswered, '>=', 6, "E59 worker_shutdown_timeout, $signal: who waited is cut off";
    no_trace($server, "E59 worker_shutdown_timeout, $signal: no socket was left open");
    $server->stop($signal eq 'QUIT' ? 'QUIT' : 'TERM');
}

# A binary upgrade. WINCH is for a master in the background.
{
    my $server = prepare();
    my $pid_of = sub ($file) { AuthGate::read_file($server->path($file)) =~ s/\s+//gr };
    is system(join ' ', map({ quotemeta } $server->command), '2>/dev/null'), 0,
        'E59 upgrade: nginx is in the background';
    my $old = AuthGate::Server::wait_until { $pid_of->('nginx.pid') } 10, 'nginx to start';
    my @background = ($old);
    eval {
        my @logins = logins($server, 16);
        kill USR2 => $old;
        my $new =
            AuthGate::Server::wait_until { -s $server->path('nginx.pid.oldbin') && $pid_of->('nginx.pid') }
        10, 'the new master';
        isnt $new, $old, 'E59 upgrade: USR2 starts a new master';
        push @background, $new;
        $server->{pid} = $new;
        AuthGate::Server::wait_until { $server->workers } 10, 'the new worker';
        $server->{pid} = $old;
        my ($worker) = $server->workers;
        kill WINCH => $old;
        my @later = logins($server, 4);
        are_answered('E59 upgrade: the checks of the old worker are answered', @logins);
        are_answered('E59 upgrade: later ones too', @later);
        goes($worker, 5, 'E59 upgrade: WINCH: the old worker exits');
        kill QUIT => $old;
        goes($old, 5, 'E59 upgrade: QUIT: the old master exits');
        is $server->client->login('alice', $PASSWORD{alice})->status, 303,
            'E59 upgrade: the new binary takes logins';
        my @last = logins($server, 8);
        kill QUIT => $new;
        are_answered('E59 upgrade: the new binary answers all before it exits', @last);
        goes($new, 5, 'E59 upgrade: QUIT: the new master exits');
        1;
    } or fail "E59 upgrade: $@";
    delete $server->{pid};
    kill KILL => grep { is_alive($_) } @background;
    no_trace($server, 'E59 upgrade: no socket was left open and nothing crashed');
    $server->check_logs;
}

done_testing;
