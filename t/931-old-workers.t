# I108: a worker that is told to go does not wait for our timers, whatever they have had to do before; and it
# does wait for a request.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

# nginx itself lets new workers start for 100 ms before it tells the old ones to go.
my $AT_ONCE = 1.5;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        state %%DIR%%/state;
        accept cookie bearer basic;
    }
    authgate_realm dev { users %%USERS%%; groups %%DIR%%/groups; path /dev/; cookie dev; session idle=2s max=1h; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        keepalive_timeout 600s;
        authgate ops;
        location /dev { authgate dev; }
        location /slow { alias %%DIR%%/html/; limit_rate 100k; }
    }
EOF_HTTP

my $server = AuthGate::Server->prepare($http, main => 'worker_shutdown_timeout 600s;');
AuthGate::write_file($server->path('groups'), "sre: alice\n");
AuthGate::write_file($server->path('html/large'), 'x' x 400_000);
my $conf = AuthGate::read_file($server->path('nginx.conf')) =~ s/^worker_shutdown_timeout 20s;\n//mr;
AuthGate::write_file($server->path('nginx.conf'), $conf);
$server->run;
my $alice = $server->client;
$alice->sign_in('alice');

# Seconds from the signal until all workers of before have gone.
sub seconds_to_go ($signal = 'HUP') {
    my @old   = $server->workers;
    my $began = Time::HiRes::time();
    kill $signal => $server->pid;
    AuthGate::Server::wait_until { !grep { is_alive($_) } @old } 20, 'the old workers to go';
    return Time::HiRes::time() - $began;
}

# What a worker has to do before it is told to go.
my %before = (
    'idle' => sub { },
    'a login' => sub { $server->client->sign_in('bob') },
    'a renewal' => sub { $alice->get('/hello.txt') for 1 .. 3 },
    'failed logins and a ban' => sub { $server->client(from => '127.0.3.3')->login('carol', 'canary-no') for 1 .. 7 },
    'Basic credentials' => sub {
        $server->client(headers => [])->get('/hello.txt', right($_)) for qw(alice bob carol);
    },
    'an ended session, to be written' => sub {
        my $bob = $server->client;
        $bob->sign_in('bob');
        $bob->sign_out;
    },
    'users, to be read again' => sub {
        AuthGate::append_file($server->path('users'), 'user' . rand(1e9) . ':' . bcrypt('canary-x', 4) . "\n");
    },
    'users with a mistake' => sub { AuthGate::append_file($server->path('users'), "half\n"); sleep 1 },
    'a connection that is kept' => sub {
        my $socket = $server->client->connect;
        print $socket "GET /authgate/login HTTP/1.1\r\nHost: x\r\n\r\n";
        AuthGate::Response->read($socket, 'GET');
        return $socket;
    },
);
for my $name (sort keys %before) {
    my $kept    = $before{$name}->();
    my $users   = AuthGate::read_file($server->path('users'));
    AuthGate::write_file($server->path('users'), $users =~ s/^half\n//mr) if $name =~ /mistake/;
    my $seconds = seconds_to_go();
    is_within $seconds, $AT_ONCE, "I108 $name: the old worker goes at once";
    AuthGate::Server::wait_until { $server->workers == 1 } 20, 'the new worker';
    is $alice->get('/hello.txt')->status, 200, "I108 $name: the new one works";
}

# Twin: a request keeps it, and nothing else does.
{
    my ($old) = $server->workers;
    my $socket = $alice->connect;
    print $socket "GET /slow/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: @{[ $alice->cookie_header ]}\r\n\r\n";
    AuthGate::Server::wait_until { my $bit; sysread $socket, $bit, 1 } 5, 'the answer to begin';
    my $began = Time::HiRes::time();
    kill HUP => $server->pid;
    AuthGate::Server::wait_until { grep { $_ != $old } $server->workers } 20, 'the new worker';
    my $length = 1;
    while (sysread $socket, my $bytes, 65_536) { $length += length $bytes }
    cmp_ok Time::HiRes::time() - $began, '>', 1.5, 'I108 (an answer that takes its time)';
    cmp_ok $length, '>', 400_000, 'I108 the old worker stays for it, to its end';
    ok eval {
        AuthGate::Server::wait_until { !is_alive($old) } $AT_ONCE, 'the old worker to go';
    }, 'I108 and then goes at once';
}

my @all   = ($server->pid, $server->workers);
my $began = Time::HiRes::time();
$server->stop('QUIT');
is_within Time::HiRes::time() - $began, $AT_ONCE, 'I108 QUIT: all of nginx goes at once';
is_deeply [grep { is_alive($_) } @all], [], 'I108 QUIT: all of it';
my $log = AuthGate::read_file("$AuthGate::LOGS/$server->{name}.error.log");
like $log, qr/gracefully shutting down/, 'I108 (the log)';
unlike $log, qr/open socket|exited on signal|fatal code/, 'I108 nothing was left open';

done_testing;
