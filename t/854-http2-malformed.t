# H93 over HTTP/2: what no client should send, in the midst of a connection on which passwords are being checked.

use v5.36;

use AuthGate;
use AuthGate::Malformed;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; accept cookie bearer basic; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        location = /status { authgate off; stub_status; access_log off; }
    }
    server {
        listen 127.0.0.1:%%PORT_h2%% http2;
        authgate ops;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my ($worker) = $server->workers;

sub connect () { return AuthGate::Streams->connect($server->port('h2')) }

# 0: the stream was reset, or the connection closed.
sub status ($connection, $stream) {
    return eval { $connection->status($stream) } // ($@ =~ /HTTP.2 connection closed/ ? 0 : $@);
}

for my $case (AuthGate::Malformed::heads()) {
    my ($what, $fields) = @$case;
    for my $body ('', 'username=alice&password=x') {
        my $connection = &connect;
        my $login  = $connection->login('alice', $PASSWORD{alice});
        my $status = status($connection, $connection->fields($fields, $body));
        my $end    = $body ? 'with a body' : 'alone';
        like $status, qr/\A(?:0|30[1-8]|4\d\d)\z/, "H93 HTTP/2, $what, $end: refused";
        my $other = status($connection, $login);
        like $other, qr/\A(?:0|303)\z/, "H93 HTTP/2, $what, $end: a login beside it is answered or goes with the connection";
        $connection->close;
    }
}

# Frames that stand where they must not, or are none. The connection goes, with the logins on it.
my ($DATA, $HEADERS, $PRIORITY, $RST, $SETTINGS, $PUSH, $PING, $GOAWAY, $WINDOW, $CONTINUATION) = 0 .. 9;
my %frames = (
    'DATA on a stream that never was' => [$DATA, 1, 99, 'x'],
    'DATA on no stream' => [$DATA, 1, 0, 'x'],
    'HEADERS on no stream' => [$HEADERS, 5, 0, "\x82"],
    'HEADERS on an even stream' => [$HEADERS, 5, 100, "\x82"],
    'HEADERS with more padding than there is' => [$HEADERS, 0x0d, 99, "\xff\x82"],
    'HEADERS that name no field of the table' => [$HEADERS, 5, 99, "\xff\xff\xff\x7f"],
    'HEADERS that break off' => [$HEADERS, 5, 99, "\0\x7f\xff"],
    'HEADERS in bad Huffman code' => [$HEADERS, 5, 99, "\0\x84\xff\xff\xff\xff\x81\xff"],
    'HEADERS that depend on themselves' => [$HEADERS, 0x25, 99, pack('NC', 99, 1) . "\x82"],
    'CONTINUATION of nothing' => [$CONTINUATION, 4, 99, "\x82"],
    'RST_STREAM of a stream that never was' => [$RST, 0, 99, pack 'N', 8],
    'RST_STREAM that is too short' => [$RST, 0, 1, 'x'],
    'PRIORITY that is too short' => [$PRIORITY, 0, 1, 'x'],
    'SETTINGS of another length' => [$SETTINGS, 0, 0, 'x' x 7],
    'SETTINGS on a stream' => [$SETTINGS, 0, 1, ''],
    'PUSH_PROMISE' => [$PUSH, 4, 1, pack('N', 2) . "\x82"],
    'PING that is too short' => [$PING, 0, 0, 'x'],
    'WINDOW_UPDATE of nothing' => [$WINDOW, 0, 0, pack 'N', 0],
    'WINDOW_UPDATE of too much' => [$WINDOW, 0, 0, pack 'N', 0x7fffffff],
    'GOAWAY' => [$GOAWAY, 0, 0, pack 'NN', 0, 0],
    'a frame of an unknown type' => [77, 0xff, 99, 'x' x 100],
    'a frame that is too long' => [$DATA, 0, 1, 'x' x 20_000],
);
for my $what (sort keys %frames) {
    my $connection = &connect;
    my @logins = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 5;
    $connection->write(AuthGate::Streams::frame($frames{$what}->@*));
    my @wrong = grep { !/\A(?:0|303)\z/ } map { status($connection, $_) } @logins;
    is "@wrong", '', "H93 HTTP/2, $what: logins beside it are answered or go with the connection";
    $connection->close;
}
for my $length (1, 10, 100, 5000) {
    my $connection = &connect;
    $connection->login('alice', $PASSWORD{alice}) for 1 .. 5;
    $connection->write(join '', map { chr rand 256 } 1 .. $length);
    $connection->close;
}

is $app->count, 0, 'H93 HTTP/2: the application was never asked';
my $client = $server->client;
ok eval { AuthGate::Server::wait_until { connections($client)->{active} == 0 } 10, 'connections to end' },
    'H93 HTTP/2: no connection is left';
is_deeply [$server->workers], [$worker], 'H93 HTTP/2: the worker lives';
is $client->login('alice', $PASSWORD{alice})->status, 303, 'H93 HTTP/2: a login goes on';

done_testing;
