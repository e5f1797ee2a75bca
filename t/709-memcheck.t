# E57: valgrind finds no error in a worker whose clients go away.

use v5.36;

use AuthGate;
use AuthGate::Streams;
use AuthGate::Pending;
use AuthGate::Memcheck;
use AuthGate::Server;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks running=2 waiting=4;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /status { authgate off; stub_status; }
    }
EOF_HTTP

$server->run;

my $client = $server->client;
my $bytes = AuthGate::Pending::login_bytes($client, 'alice', $PASSWORD{alice});
my $body = index($bytes, "\r\n\r\n") + 4;

$client->sign_in('alice');
is $client->get('/hello.txt')->status, 200, 'a gated file';
is $client->login('alice', 'canary-wrong')->status, 403, 'a wrong password';

# A check takes some 50 ms here.
my %way = (
    closed => sub ($pending) { $pending->close },
    reset => sub ($pending) { $pending->reset },
);
for my $way (sort keys %way) {
    for my $round (1 .. 6) {
        my @pending = map { AuthGate::Pending->send($client, $bytes) } 1 .. 8;
        Time::HiRes::sleep(rand 0.2) if $round > 1;
        $way{$way}->($_) for @pending;
    }
    $server->nothing_is_left("48 $way");

    $way{$way}->(AuthGate::Pending->send($client, substr $bytes, 0, $body + $_)) for 0 .. 9;
    $server->nothing_is_left("10 $way in the middle of the form");
}

my $connection = AuthGate::Streams->connect($server->port('h2'));
for my $round (1 .. 6) {
    my @streams = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 8;
    Time::HiRes::sleep(rand 0.2) if $round > 1;
    $connection->reset($_) for @streams;
    $connection->ping;
}
is $connection->status($connection->login('alice', $PASSWORD{alice}), 60), 303, 'E57 48 streams reset';
$connection->close;
$server->nothing_is_left('48 streams reset');

for my $round (1 .. 6) {
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    $connection->login('alice', $PASSWORD{alice}) for 1 .. 8;
    Time::HiRes::sleep(rand 0.2) if $round > 1;
    $connection->abort;
}
$server->nothing_is_left('6 HTTP/2 connections with 8 streams');

my @pending = map { AuthGate::Pending->send($client, $bytes) } 1 .. 5;
is_deeply [map { $_->answer->status } @pending], [(303) x 5], 'E57 who stays is answered';

# Another network's login takes the place of one that waits, whose request is answered from within, and
# those of both go away.
my $other = $server->client(from => '127.0.0.2');
for my $round (1 .. 4) {
    my @flood = map { AuthGate::Pending->send($client, $bytes) } 1 .. 8;
    my @others = map { AuthGate::Pending->send($other, $bytes) } 1 .. 4;
    $_->reset for $round % 2 ? (@flood[0, 2, 4], @others[1, 3]) : ();
    my @left = grep { $_->{socket} } @flood, @others;
    is scalar(grep { $_->answer->status !~ /\A(?:303|503)\z/ } @left), 0,
        'E57 two networks: all who stay are answered';
}
$server->nothing_is_left('two networks');

# It ends with a check under way.
AuthGate::Pending->send($client, $bytes);
$server->is_clean;

done_testing;
