# E57: the client goes away at any moment of a password check.

use v5.36;

use AuthGate;
use AuthGate::Streams;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks running=2 waiting=16;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        root %%DIR%%/html;
        authgate ops;
        location = /status { authgate off; stub_status; access_log off; }
        location = /open   { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP

# A check takes some 20 ms: long enough to be hit at any moment.
AuthGate::write_file($server->path('users'), 'alice:' . bcrypt($PASSWORD{alice}, 8) . "\n");
$server->make_certificate;
$server->run;

my $client = $server->client;
my ($worker) = $server->workers;
my $bytes = AuthGate::Pending::login_bytes($client, 'alice', $PASSWORD{alice});
my $body_at = index($bytes, "\r\n\r\n") + 4;

# The first login of each kind opens what stays open.
$client->sign_in('alice');
AuthGate::Streams->connect($server->port('h2'))->close;
my $tls = $server->client(port => $server->port('tls'), tls => 1);
$tls->sign_in('alice');
settled();

# The connection that asked may be open for a moment yet: the count that stays.
my @seen;
AuthGate::Server::wait_until {
    push @seen, descriptors($worker);
    @seen > 5 && 5 == grep { $_ == $seen[-1] } @seen[-5 .. -1];
}
5, 'descriptors to settle';
my $descriptors = $seen[-1];

# Nothing is under way: only the connection that asks is there.
sub settled () {
    return eval {
        AuthGate::Server::wait_until {
            my $now = connections($client);
            $now->{active} == 0 && $now->{writing} == 0;
        }
        10, 'requests and connections to end';
    };
}

sub nothing_is_left ($case) {
    ok settled(), "$case: no request and no connection is left";
    ok eval {
        AuthGate::Server::wait_until { descriptors($worker) == $descriptors } 5, 'descriptors';
    }, "$case: as many descriptors as before";
    is_deeply [$server->workers], [$worker], "$case: the same worker";
    is $server->client->login('alice', $PASSWORD{alice})->status, 303, "$case: a login goes on";
}

# A moment of the check; the moments are spread over more than it takes.
sub some_time_later () { Time::HiRes::sleep(rand 0.03) }

# Some at once: two checks run, the others wait, or there is no more room.
sub abort_many ($rounds, $send, $leave) {
    for my $round (1 .. $rounds) {
        my @pending = map { $send->($_) } 1 .. 12;
        some_time_later() if $round % 4;
        $leave->($_) for $round % 2 ? @pending : reverse @pending;
    }
}

my $whole = sub { AuthGate::Pending->send($client, $bytes) };

abort_many(20, sub { $whole->() }, sub ($pending) { $pending->close });
nothing_is_left('E57 240 clients close while their checks run and wait');

abort_many(20, sub { $whole->() }, sub ($pending) { $pending->reset });
nothing_is_left('E57 240 clients reset while their checks run and wait');

abort_many(6, sub { $whole->() }, sub ($pending) { shutdown $pending->{socket}, 1 });
nothing_is_left('E57 72 clients say that they send no more');

my $any_part = sub {
    return AuthGate::Pending->send($client, substr $bytes, 0,
        $body_at + int rand length($bytes) - $body_at);
};
abort_many(6, sub { $any_part->() }, sub ($pending) { $pending->reset });
nothing_is_left('E57 72 clients reset in the middle of the form');

abort_many(6, sub { $any_part->() }, sub ($pending) { $pending->close });
nothing_is_left('E57 72 clients close in the middle of the form');

# With the next request behind it already.
abort_many(
    6,
    sub { AuthGate::Pending->send($client, $bytes . "GET /open HTTP/1.1\r\nHost: x\r\n\r\n") },
    sub ($pending) { $pending->reset }
);
nothing_is_left('E57 72 clients reset with a request pipelined behind');

for my $way ('close', 'reset') {
    abort_many(4, sub { AuthGate::Pending->send($tls, $bytes) }, sub ($pending) { $pending->$way });
    nothing_is_left("E57 48 clients $way their TLS connections");
}

# HTTP/2: the streams of one connection are reset one by one, and the connection goes on.
my $connection = AuthGate::Streams->connect($server->port('h2'));
for my $round (1 .. 20) {
    my @streams = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 12;
    some_time_later() if $round % 4;
    $connection->reset($_) for $round % 2 ? @streams : reverse @streams;
    $connection->ping;
}
is $connection->status($connection->login('alice', $PASSWORD{alice})), 303,
    'E57 240 resets of streams: a login on the same connection goes on';
$connection->close;
nothing_is_left('E57 240 resets of streams');

# A reset before the form has come whole.
$connection = AuthGate::Streams->connect($server->port('h2'));
for (1 .. 50) {
    my $stream = $connection->request(
        POST => '/authgate/login',
        ['content-type' => 'application/x-www-form-urlencoded'], undef
    );
    $connection->data($stream, 'username=alice&pass');
    $connection->reset($stream);
    $connection->ping;
}
is $connection->status($connection->request(GET => '/open')), 200,
    'E57 50 resets in the middle of the form: the connection goes on';
$connection->close;
nothing_is_left('E57 50 resets in the middle of the form');

# The whole connection goes, with all its streams.
for my $round (1 .. 20) {
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    $connection->login('alice', $PASSWORD{alice}) for 1 .. 12;
    some_time_later() if $round % 4;
    $round % 2 ? $connection->abort : $connection->close;
}
nothing_is_left('E57 20 HTTP/2 connections go with 12 checks each');

# Twin: who stays is answered, right among those who leave.
my @stay = map { ($whole->()->reset, $whole->())[-1] } 1 .. 6;
is_deeply [map { $_->answer->status } @stay], [(303) x 6], 'E57 who stays is answered';
nothing_is_left('E57 some stay');

# A request behind the login on the same connection, with it or during the check, is answered after it.
for my $when ('with it', 'during the check') {
    my $socket = $client->connect;
    my $login = AuthGate::Pending::login_bytes($client, 'alice', $PASSWORD{alice},
        headers => { Connection => 'keep-alive' });
    my $next = "GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    print $socket $when eq 'with it' ? $login . $next : $login;
    if ($when ne 'with it') {
        connections($client);    # a round trip: the login has been read
        print $socket $next;
    }
    is AuthGate::Response->read($socket, 'POST')->status, 303, "E57 a request $when: the login is answered";
    is AuthGate::Response->read($socket, 'GET')->body, "hello from behind the gate\n",
        "E57 a request $when: and then the request";
}
nothing_is_left('E57 two requests on a connection');

# The moments were right: nginx saw clients go while it had no answer for them.
my @gone = $server->access_log =~ m{"POST /authgate/login HTTP/[\d.]+" 499 }g;
cmp_ok scalar @gone, '>', 300, 'E57 most went before they were answered';

done_testing;
