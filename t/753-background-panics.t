# J131: work in a background thread that panics has come to its end: it is tried again, and the alert names the
# place. J140: what cannot be decided is refused. For the module that fails on request.

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Response;
use AuthGate::Server;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $faults = "$AuthGate::DIRECTORY/faults";
AuthGate::write_file($faults, '');
chmod 0644, $faults;

my $server = AuthGate::Server->start(<<'EOF_HTTP', main => 'env AUTHGATE_FAULTS;', env => { AUTHGATE_FAULTS => $faults });
    authgate_realm ops {
        limit off;
        users %%USERS%%;
        state %%DIR%%/state;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location /live {
            proxy_pass http://127.0.0.1:%%PORT_app%%;
            proxy_http_version 1.1;
            proxy_set_header Upgrade    $http_upgrade;
            proxy_set_header Connection upgrade;
        }
    }
EOF_HTTP
my ($worker) = $server->workers;

# An application that changes to a protocol of its own: it sends back what it gets.
my $listener = IO::Socket::INET->new(Listen => 5, LocalPort => $server->port('app'), LocalAddr => '127.0.0.1', ReuseAddr => 1)
    or die $@;
my $application = fork // die $!;
if (!$application) {
    my $socket = $listener->accept or POSIX::_exit(1);
    while (<$socket>) { last if /^\r?$/ }
    syswrite $socket, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
    while (sysread $socket, my $bytes, 100) { syswrite $socket, $bytes }
    POSIX::_exit(0);
}
close $listener;
END { kill TERM => $application if $application }

sub alerts ($pattern) { return scalar grep { /\[alert\].*$pattern/ } split /^/, $server->error_log }

# The users file: read again at the next look, by the same worker.
AuthGate::write_file($faults, 'users');
AuthGate::append_file($server->path('users'), $AuthGate::USERS =~ s/\A.*?:/dave:/r =~ s/\n.*//sr . "\n");
$server->wait_for_log(qr/\[alert\]/);
my $place = qr{authgate: panic at \S+\.rs:\d+$}m;
AuthGate::Server::wait_until { alerts($place) >= 2 } 10, 'another try';
pass 'J131 users: tried again, and each time the alert names the place';
unlike $server->error_log, qr/read again, users: 4/, 'J131 users: dave is not there yet';
is $server->client->login('alice', $PASSWORD{alice})->status, 303, 'J131 users: the others hold';
AuthGate::write_file($faults, '');
$server->wait_for_log(qr/read again, users: 4/);
is $server->client->login('dave', $PASSWORD{alice})->status, 303, 'J131 users: the file is read again';

# The journal: written anew when the panic is over.
my $browser = $server->client;
$browser->sign_in('bob');
is $browser->sign_out->status, 303, 'J131 journal: bob signs out';
$browser->sign_in('alice');
my $journal = $server->path('state/ops.ended');
ok -s $journal, 'J131 journal: which it says';
AuthGate::write_file($faults, 'journal');
my $before = alerts($place);
unlink $journal or die $!;
AuthGate::Server::wait_until { alerts($place) > $before } 10, 'a panic';
ok !-s $journal, 'J131 journal: removed, and not written anew yet';
AuthGate::write_file($faults, '');
AuthGate::Server::wait_until { -s $journal } 10, 'the journal to be written anew';
pass 'J131 journal: it is written anew';

is $browser->get('/hello.txt')->status, 200, 'J131 and alice is let in all the while';
is_deeply [$server->workers], [$worker], 'J131 by the same worker';

# A worker that does not know its users: an upgraded connection is closed, as a request would be refused.
{
    my $socket = $browser->connect;
    syswrite $socket, "GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: upgrade\r\n"
        . 'Cookie: ' . $browser->cookie_header . "\r\n\r\n";
    is AuthGate::Response->read($socket, 'GET')->status, 101, 'J140 a connection is open';
    syswrite $socket, "hello\n";
    is readline $socket, "hello\n", 'J140 and stays so';
    AuthGate::write_file($faults, 'outdated');
    ok IO::Select->new($socket)->can_read(10) && !sysread($socket, my $byte, 1),
        'J140 it is closed where its user is not known any more';
    like $server->error_log, qr/connection closed, user "alice", reason "error", realm "ops"/,
        'J140 and the log says why';
    is $browser->get('/hello.txt')->status, 500, 'J140 as a request is refused';
    AuthGate::write_file($faults, '');
    AuthGate::append_file($server->path('users'), "# read again\n");
    AuthGate::Server::wait_until { $browser->get('/hello.txt')->status == 200 } 10, 'alice to be back';
}

# A worker that could not even begin to look whether its users are those of the others.
{
    AuthGate::write_file($faults, 'users start');
    kill KILL => $worker;
    AuthGate::Server::wait_until { grep { $_ != $worker } $server->workers } 10, 'another worker';
    is $browser->get('/hello.txt')->status, 500, 'J140 a new worker whose beginning fails lets nobody in';
    AuthGate::write_file($faults, '');
    AuthGate::Server::wait_until { $browser->get('/hello.txt')->status == 200 } 10, 'alice to be back';
    pass 'J140 until it has read them';
    $server->expect_alert(qr/exited on signal 9/);
}

# The lock of shared memory: not waited for by who holds it, and free again after a panic.
for my $case (['lock-twice', 'shared memory is locked twice'], ['lock-panics', 'panic at \S+']) {
    my ($fault, $said) = @$case;
    my $before = alerts($said);
    my $client = $server->client;
    $client->sign_in('bob');
    is eval { $client->get('/hello.txt', 'X-Authgate-Fault' => $fault)->status }, 200, "lock, $fault: answered";
    is alerts($said), $before + 1, "lock, $fault: one alert";
    is eval { $client->sign_out->status }, 303, "lock, $fault: the lock is free again";
}

# A password check, in the same words.
is $server->client->login('panic-in-check', 'canary-wrong')->status, 500, 'J131 a check: 500';
is alerts(qr{authgate: panic at \S+\.rs:\d+ in a password check$}m), 1, 'J131 a check: the alert names the place';
unlike AuthGate::read_file($server->path('logs/output.log')), qr/panicked|on request/,
    'J131 nothing is printed';
$server->expect_alert(qr/authgate: (?:panic at \S+\.rs:\d+|shared memory is locked twice)/);

done_testing;
