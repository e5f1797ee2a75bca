# H93 over HTTP/3: what no client should send, in the midst of a connection on which passwords are being checked.

use v5.36;

use AuthGate;
use AuthGate::Http3;
use AuthGate::Malformed;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use Test::More;

AuthGate::Http3::skip_without_it();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; accept cookie bearer basic; }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h3%% quic;
        client_header_timeout 2s;
        authgate ops;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /status { authgate off; stub_status; access_log off; }
    }
EOF_HTTP
$server->make_certificate;
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my ($worker) = $server->workers;

# Frames and fields by hand: aioquic would not send all of these.
sub integer ($number) {
    return $number < 64 ? chr $number : $number < 0x4000 ? pack 'n', $number | 0x4000 : pack 'N', $number | 0x80000000;
}
sub frame ($type, $payload) { return integer($type) . integer(length $payload) . $payload }

# Literals that enter no table, without Huffman coding (RFC 9204, section 4.5.6).
sub field ($name, $value) {
    my $length = length $name;
    return chr(0x20 | $length) . $name . AuthGate::Streams::text($value) if $length < 7;
    $length -= 7;
    die 'a longer name than there is' if $length > 127;
    return chr(0x27) . chr($length) . $name . AuthGate::Streams::text($value);
}

sub request ($fields, $body) {
    my $head = frame(1, join '', "\0\0", map { field(@$_) } @$fields);
    return $body eq '' ? $head : $head . frame(0, $body);
}

sub connect () { return AuthGate::Http3->connect($server->port('h3')) }

# Many heads on one connection, as long as it lasts.
my $connection = &connect;
for my $case (AuthGate::Malformed::heads()) {
    my ($what, $fields) = @$case;
    for my $body ('', 'username=alice&password=x') {
        my $login  = $connection->login('alice', $PASSWORD{alice});
        my $answer = $connection->answer($connection->raw(request($fields, $body)));
        my $end    = $body ? 'with a body' : 'alone';
        like $answer->status, qr/\A(?:0|30[1-8]|4\d\d)\z/, "H93 HTTP/3, $what, $end: refused";
        my $other = $connection->answer($login);
        like $other->status, qr/\A(?:0|303)\z/, "H93 HTTP/3, $what, $end: a login beside it is answered or goes with the connection";
        next if !defined $other->{terminated};
        $connection->close;
        $connection = &connect;
    }
}
$connection->close;

# Frames that stand where they must not, or are none.
my $get = "\0\0\xd1\xd7\x50\x09localhost\xc1";    # RFC 9204: GET, https, localhost, /
my %bytes = (
    'a stream of nothing' => '',
    'DATA before HEADERS' => frame(0, 'x'),
    'DATA of half a frame' => frame(1, $get) . integer(0) . integer(100) . 'x',
    'HEADERS that break off' => substr(frame(1, $get), 0, 6),
    'HEADERS of nothing' => frame(1, ''),
    'HEADERS that name no field of the table' => frame(1, "\0\0\xff\xff\xff\x7f"),
    'HEADERS that wait for a table that never comes' => frame(1, "\x05\0\x80"),
    'HEADERS that are longer than any number' => "\x01\xff\xff\xff\xff\xff\xff\xff\xff",
    'HEADERS in bad Huffman code' => frame(1, "\0\0\xd1\xd7\x50\x84\xff\xff\xff\xff\xc1"),
    'HEADERS twice' => frame(1, $get) x 2,
    'DATA behind the trailers' => frame(1, $get) . frame(0, 'x') . frame(1, "\0\0") . frame(0, 'x'),
    'half a frame header' => "\x40",
    map({ ("a frame of type $_" => frame($_, "\0") . frame(1, $get)) } 2 .. 9, 13, 33, 4000),
);
my %one_way = (
    'a second control stream' => "\0" . frame(4, ''),
    'a push stream' => "\x01\0",
    'a second encoder stream' => "\x02",
    'a stream of an unknown type' => "\x40\x99hello",
    'a stream of half a type' => "\x40",
);
for my $what (sort keys %bytes, sort keys %one_way) {
    for my $more (0, 1) {
        my $connection = &connect;
        my @logins = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 3;
        my $stream = $connection->raw($bytes{$what} // $one_way{$what}, one_way => exists $one_way{$what}, more => $more);
        my @wrong = grep { !/\A(?:0|303)\z/ } map { $connection->status($_) } @logins;
        is "@wrong", '', "H93 HTTP/3, $what: logins beside it are answered or go with the connection";
        if (!$more && exists $bytes{$what}) {
            like $connection->status($stream), qr/\A(?:0|30\d|4\d\d)\z/, "H93 HTTP/3, $what: refused";
        }
        $connection->close;
    }
}
for my $length (1, 10, 100, 5000) {
    my $connection = &connect;
    $connection->login('alice', $PASSWORD{alice}) for 1 .. 3;
    $connection->raw(join('', map { chr rand 256 } 1 .. $length), one_way => $_) for 0, 1;
    $connection->ping if $length < 100;
    $connection->close;
}

is $app->count, 0, 'H93 HTTP/3: the application was never asked';
my $client = $server->client;
ok eval { AuthGate::Server::wait_until { connections($client)->{active} == 0 } 20, 'connections to end' },
    'H93 HTTP/3: no connection and no request is left';
is_deeply [$server->workers], [$worker], 'H93 HTTP/3: the worker lives';
is $client->login('alice', $PASSWORD{alice})->status, 303, 'H93 HTTP/3: a login goes on';

done_testing;
