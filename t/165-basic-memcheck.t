# E57: valgrind finds no error in a worker whose clients go away while a Basic credential is checked, in the
# access phase and in subrequests.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Memcheck;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use Test::More;
use Time::HiRes ();

# Nothing is remembered, so that each request is checked.
my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        accept cookie basic;
        basic_cache 1s;
        checks running=2 waiting=4;
    }
    authgate_realm two {
        limit off;
        users %%USERS%%;
        accept basic;
        path /two/;
        cookie two;
        basic_cache 1s;
        checks running=1 waiting=8;
    }
    authgate_realm few {
        limit retries=2 find=1s ban=1s;
        users %%USERS%%;
        accept cookie basic;
        path /few/;
        cookie few;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        client_max_body_size 10m;
        location = /status { authgate off; stub_status; }
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /own { error_page 401 403 /own/page; authgate_require user=alice; try_files /hello.txt =404; }
        location = /own/page { authgate off; return 401 "own\n"; }
        location = /optional { authgate ops optional; try_files /hello.txt =404; }
        location = /any { satisfy any; deny all; try_files /hello.txt =404; }
        location = /verify { authgate_verify ops; }
        location = /asked { authgate off; auth_request /verify; auth_request_set $who $authgate_user;
                            add_header X-Who $who; try_files /hello.txt =404; }
        location = /asked-app { authgate off; auth_request /verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /twice { authgate off; auth_request /verify; mirror /verify; try_files /hello.txt =404; }
        location = /mirror { authgate off; mirror /verify; try_files /hello.txt =404; }
        location = /chain { authgate ops optional; try_files /missing /chained; }
        location = /chained { authgate two; try_files /hello.txt =404; }
        location = /verify-two { authgate_verify two; }
        location = /two-asked { auth_request /verify-two; try_files /hello.txt =404; }
        location = /after { authgate off; post_action /hello.txt; try_files /hello.txt =404; }
        location = /few { authgate few; try_files /hello.txt =404; }
        location = /verify-few { authgate_verify few; }
        location = /few-asked { authgate off; auth_request /verify-few; try_files /hello.txt =404; }
        location = /page { authgate off; ssi on; ssi_types *; try_files /page.html =404; }
    }
EOF_HTTP
AuthGate::write_file($server->path('html/page.html'),
    'a<!--# include virtual="/verify" -->b<!--# include virtual="/verify" -->c');
my $app = AuthGate::Upstream->start($server->port('app'));

$server->run;
my $client = $server->client(headers => []);
my $number = 0;

# A credential that has not been seen: right ones are remembered for a second.
sub unseen () { return basic('alice', 'canary-wrong-' . ++$number) }

my @paths = qw(/hello.txt /app /own /optional /any /verify /asked /asked-app /twice /mirror /page
    /authgate/session /chain /two-asked /after /few /few-asked);
my %refused = map { $_ => 200 } qw(/optional /mirror /page /after);
for my $path (@paths) {
    my $status = $client->get($path, right('alice'))->status;
    is $status, $path eq '/verify' ? 204 : 200, "$path: let in";
    is $client->get($path, unseen())->status, $refused{$path} // 401, "$path: refused";
}
is $client->get('/own', right('bob'))->status, 403, 'forbidden, with a page of its own';

# A check takes some 50 ms here.
my %way = (
    closed => sub ($pending) { $pending->close },
    reset => sub ($pending) { $pending->reset },
);
for my $path (@paths) {
    for my $way (sort keys %way) {
        for my $round (1 .. 3) {
            my @same = unseen();
            my @pending = map { pending($client, $path, $_ % 2 ? @same : unseen()) } 1 .. 6;
            Time::HiRes::sleep(rand 0.15) if $round > 1;
            $way{$way}->($_) for @pending;
        }
    }
    $server->nothing_is_left("$path, 36 gone");
}

# With bodies, of which some have come.
for my $path (qw(/app /hello.txt /asked-app)) {
    for my $round (1 .. 3) {
        my @pending = map {
            my @body = $_ % 2 ? ('Content-Length' => 3000) : ('Transfer-Encoding' => 'chunked');
            pending($client, "POST $path", unseen(), @body, '' => $_ % 2 ? 'x' x (1000 * rand 3) : "5\r\nabcde\r\n")
        } 1 .. 6;
        Time::HiRes::sleep(rand 0.15);
        $_->reset for @pending[ 0 .. 2 ];
        $_->close for @pending[ 3 .. 5 ];
    }
    $server->nothing_is_left("$path, bodies cut short");
}

# Pipelined.
for my $round (1 .. 4) {
    my @two = map { get_bytes($client, $_, unseen(), Connection => 'keep-alive') } '/hello.txt', '/asked';
    my $pending = AuthGate::Pending->send($client, join '', @two, get_bytes($client, '/hello.txt', unseen()));
    Time::HiRes::sleep(rand 0.2);
    $round % 2 ? $pending->reset : $pending->close;
}
$server->nothing_is_left('pipelined');

# Streams.
my $h2 = $server->port('h2');
my $connection = AuthGate::Streams->connect($h2);
for my $path (@paths) {
    for my $round (1 .. 3) {
        my @same = unseen();
        my @streams = map { $connection->request(GET => $path, $_ % 2 ? [@same] : [unseen()]) } 1 .. 6;
        push @streams, $connection->request(POST => $path, [unseen()], 'x' x 500);
        push @streams, $connection->request(POST => $path, [unseen()], undef);
        $connection->data($streams[-1], 'half');
        Time::HiRes::sleep(rand 0.15) if $round > 1;
        $connection->reset($_) for @streams;
        $connection->ping;
    }
}
is $connection->status($connection->request(GET => '/hello.txt', [right('alice')]), 60), 200,
    'E57 streams reset';
$connection->close;
$server->nothing_is_left('streams reset');
for my $round (1 .. 6) {
    my $connection = AuthGate::Streams->connect($h2);
    $connection->request(GET => $paths[ $_ % @paths ], [unseen()]) for 1 .. 12;
    Time::HiRes::sleep(rand 0.15) if $round > 1;
    $connection->abort;
}
$server->nothing_is_left('connections with streams gone');

# Another network takes the place of one that waits.
my $other = $server->client(from => '127.0.0.2', headers => []);
for my $path ('/hello.txt', '/asked') {
    my @flood = map { pending($client, $path, unseen()) } 1 .. 10;
    my @others = map { pending($other, $path, unseen()) } 1 .. 4;
    $_->reset for @flood[0, 2, 4], $others[1];
    is scalar(grep { $_->answer->status !~ /\A(?:401|503|500)\z/ } grep { $_->{socket} } @flood, @others), 0,
        "E57 two networks, $path: all who stay are answered";
}
$server->nothing_is_left('two networks');

# Those that wait for a decision of the limiter, each from a network of its own or of one.
for my $round (1 .. 6) {
    my @same = unseen();
    my @pending = map {
        my $from = $server->client(from => '127.0.6.' . ($_ % 3 + 3 * $round), headers => []);
        pending($from, $_ % 2 ? '/few' : '/few-asked', $_ % 5 ? unseen() : @same)
    } 1 .. 18;
    Time::HiRes::sleep(rand 0.1) if $round > 1;
    $_->reset for @pending[ 0, 3, 8, 9 ];
    is scalar(grep { $_->answer->status !~ /\A(?:401|429|500)\z/ } grep { $_->{socket} } @pending), 0,
        'E57 limited: all who stay are answered';
}
$server->nothing_is_left('limited');

# It ends with checks under way.
pending($client, $_, unseen()) for @paths;
$server->is_clean;

done_testing;
