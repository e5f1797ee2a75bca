# J119: what a stranger sends costs the gate work in proportion to its length, and not many times what nginx has with
# it anyway, whatever it is made of and however many realms a server has. Counted are instructions: they do not depend
# on how busy the machine is.

use v5.36;

use AuthGate;
use AuthGate::Streams;
use AuthGate::Work;
use List::Util ();
use Test::More;

# Per byte, over what the same bytes cost a server without a realm. nginx itself takes 10 to 45. The 32 KiB of header
# that it reads unless told otherwise are a millisecond of work then.
my $MOST = 100;

# Twice the length is twice the work at the most: beyond some lengths nothing is read any more. What comes on top are
# calls that take a vector at a time, and what nginx does now and then.
my $DOUBLED  = 2.2;
my $ROUNDING = 10_000;
# A byte: what is so little says more of where the C library finds memory than of us.
my $HARDLY   = 3;

my @others = map { "r$_" } 1 .. 20;
my $realms = join "\n    ", map { "authgate_realm $_ { users %%USERS%%; path /$_/; cookie $_; accept cookie bearer basic; }" } @others;
my $used = join "\n        ", map { "location = /$_ { authgate $_; }" } @others;

my $server = AuthGate::Work->start(<<"EOF_HTTP");
    large_client_header_buffers 8 64k;
    keepalive_timeout 600s;
    access_log off;
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        cookie authgate domain=example.com;
        limit off;
        accept cookie bearer basic;
        forwarded 127.0.0.1;
        login_url http://login.example.com/authgate/login;
        return_hosts app.example.com;
    }
    $realms
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        listen 127.0.0.1:%%PORT_plain_h2%% http2;
        root %%DIR%%/html;
        location /authgate/ { return 200; }
        location = /verify  { return 204; }
    }
    server {
        listen 127.0.0.1:%%PORT_gated%%;
        listen 127.0.0.1:%%PORT_gated_h2%% http2;
        server_name app.example.com;
        root %%DIR%%/html;
        authgate ops;
        location = /verify { authgate_verify ops; }
    }
    server {
        listen 127.0.0.1:%%PORT_open%%;
        root %%DIR%%/html;
        location = /gated { authgate ops; }
    }
    server {
        listen 127.0.0.1:%%PORT_many%%;
        root %%DIR%%/html;
        location = /gated { authgate ops; }
        $used
    }
EOF_HTTP

# What a request costs there, and its status.
sub http1 ($where, $bytes) {
    my $client = $server->client(headers => [], port => $server->port($where));
    my $status;
    my $cost = $server->instructions(sub { $status = $client->raw($bytes)->status });
    return ($cost, $status);
}

my %connection;

sub http2 ($where, @fields) {
    my $connection = $connection{$where} //= AuthGate::Streams->connect($server->port("${where}_h2"));
    my $status;
    my $cost = $server->instructions(
        sub { $status = $connection->status($connection->request(GET => '/hello.txt', \@fields), 60) });
    return ($cost, $status);
}

# So many bytes of a text, over and over.
sub fill ($text, $length) { return substr $text x (1 + $length / length $text), 0, $length }

# As many whole ones as that many bytes hold, and never over a thousand lines, which is all that some versions of nginx take.
sub repeat ($text, $length) { return $text x ($length / length $text) }

my $host = "Host: app.example.com\r\nConnection: close\r\n";

sub get (@lines) { return join '', "GET /hello.txt HTTP/1.1\r\n$host", @lines, "\r\n" }
sub ask ($target, @lines) { return join '', "GET $target HTTP/1.1\r\n$host", @lines, "\r\n" }

sub post ($body, @lines) {
    my $type = grep({/^Content-Type/} @lines) ? '' : "Content-Type: application/x-www-form-urlencoded\r\n";
    my $length = length $body;
    return join '', "POST /authgate/login HTTP/1.1\r\n$host$type", @lines, "Content-Length: $length\r\n\r\n$body";
}

# One byte in each chunk.
sub chunked ($body) {
    my $chunks = join '', map { "1\r\n$_\r\n" } split //, $body;
    return "POST /authgate/login HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n";
}

# A field of that name and length.
sub field ($name, $text, $after = '') {
    return sub ($length) { return get("$name: " . fill($text, $length) . "$after\r\n") };
}

my $navigation = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";
my $unchecked  = '&password=' . 'x' x 1025;    # such a password is refused without a check

my %everywhere = (
    'Cookie: semicolons'        => field(Cookie => ';'),
    'Cookie: names'             => field(Cookie => 'a;'),
    'Cookie: equals signs'      => field(Cookie => '=;'),
    'Cookie: pairs'             => field(Cookie => 'a=;'),
    'Cookie: blanks'            => field(Cookie => " \t", 'a=1'),
    'Cookie: blank pieces'      => field(Cookie => ' ;'),
    'Cookie: a long name'       => field(Cookie => 'a', '=1'),
    'Cookie: a long value'      => field(Cookie => 'a='),
    'Cookie: ours, empty'       => field(Cookie => 'authgate=;'),
    'Cookie: ours, long'        => field(Cookie => 'authgate=v1.first.' . 'A' x 480 . '; '),
    'Cookie: ours among others' => field(Cookie => 'a=1; authgate=x; '),
    'Cookie: names as long as ours' => field(Cookie => 'authgatf=;'),
    'lines of Cookie'           => sub ($n) { get(repeat("Cookie: a=1\r\n", $n)) },
    'lines of Cookie, ours'     => sub ($n) { get(repeat("Cookie: authgate=\r\n", $n)) },
    'lines of Cookie, ours behind long ones' => sub ($n) {
        my $long = 'Cookie: ' . ';' x ($n / 3) . "\r\n";
        return get($long, $long, repeat("Cookie: authgate=\r\n", $n / 3));
    },
    'lines of Cookie, some of them ours' => sub ($n) { get(repeat("Cookie: a=1\r\nX: y\r\nCookie: authgate=\r\n", $n)) },
    'lines of another name'     => sub ($n) { get(repeat("X-Abc: defgh\r\n", $n)) },
    'Authorization: Basic'      => field(Authorization => 'Basic ' . 'QWxhZGRpbjpvcGVu' x 1000),
    'Authorization: Basic and blanks' => sub ($n) { get('Authorization: Basic ' . ' ' x $n . "YQ==\r\n") },
    'Authorization: a token'    => field(Authorization => 'Bearer agt_v1.first.' . 'A' x 16_000),
    'Authorization: dots'       => field(Authorization => 'Bearer agt_v1' . '.' x 16_000),
    'Authorization: others'     => field(Authorization => 'Negotiate ' . 'A' x 16_000),
);

my %gated = (
    'Accept: commas'        => field(Accept => ','),
    'Accept: short ranges'  => field(Accept => 'a,'),
    'Accept: types'         => field(Accept => 'text/html;q=0,'),
    'Accept: JSON types'    => field(Accept => 'a/b+json;q=0,'),
    'Accept: parameters'    => field(Accept => 'text/html' . ';' x 16_000),
    'Accept: weights'       => field(Accept => 'text/html' . ';q=0.1' x 4_000),
    'lines of Accept'       => sub ($n) { get(repeat("Accept: a/b\r\n", $n)) },
    'Upgrade: commas'       => field(Upgrade => ','),
    'Upgrade: protocols'    => field(Upgrade => 'websockex,'),
    'Sec-Fetch-Mode'        => field('Sec-Fetch-Mode' => 'navigate'),
    'lines as long as Sec-Fetch-Mode' => sub ($n) { get(repeat("Sec-Fetch-Modf: a\r\n", $n)) },
    'lines of Sec-Fetch-User' => sub ($n) { get(repeat("Sec-Fetch-User: a\r\n", $n)) },
    'Origin'                => field(Origin => 'http://a.'),
    'target: a query'       => sub ($n) { ask('/hello.txt?' . fill('a=b&', $n), $navigation) },
    'target: codes'         => sub ($n) { ask('/' . repeat('%61', $n), $navigation) },
    'target: segments'      => sub ($n) { ask('/' . fill('a/', $n), $navigation) },
    'login: rd'             => sub ($n) { ask('/authgate/login?rd=/' . fill('a/', $n)) },
    'login: rd in codes'    => sub ($n) { ask('/authgate/login?rd=%2F' . repeat('%2561', $n)) },
    'login: rd elsewhere'   => sub ($n) { ask('/authgate/login?rd=http://' . fill('app.example.com.', $n) . '/') },
    'login: fields'         => sub ($n) { ask('/authgate/login?' . fill('a&', $n)) },
    'login: rd repeated'    => sub ($n) { ask('/authgate/login?' . fill('rd=&', $n)) },
    'login: after'          => sub ($n) { ask('/authgate/login?after=' . fill('1', $n)) },
    'session page'          => sub ($n) { ask('/authgate/session', 'Accept: ' . fill('a/b,', $n) . "\r\n") },
    'verify: X-Original-URL' => sub ($n) { ask('/verify', 'X-Original-URL: /' . fill('a/', $n) . "\r\n") },
    'verify: X-Original-URL, codes' => sub ($n) { ask('/verify', 'X-Original-URL: /' . repeat('%61', $n) . "\r\n") },
    'verify: X-Forwarded-Uri' => sub ($n) { ask('/verify', 'X-Forwarded-Uri: /?' . fill('a', $n) . "\r\n") },
    'verify: X-Forwarded-Host' => sub ($n) { ask('/verify', "X-Forwarded-Uri: /\r\nX-Forwarded-Host: " . fill('a.', $n) . "\r\n") },
    'verify: X-Forwarded-Method' => sub ($n) { ask('/verify', 'X-Forwarded-Method: ' . fill('A', $n) . "\r\n") },
    'verify: lines of X-Original-URL' => sub ($n) { ask('/verify', repeat("X-Original-URL: /\r\n", $n)) },
    'post: Origin'          => sub ($n) { post('', 'Origin: http://' . fill('a.', $n) . "\r\n") },
    'post: Origin, the port' => sub ($n) { post('', 'Origin: http://a:' . fill('1', $n) . "\r\n") },
    'post: Content-Type'    => sub ($n) { post('', 'Content-Type: ' . fill('a;', $n) . "\r\n") },
    'post: Content-Encoding' => sub ($n) { post('', 'Content-Encoding: ' . fill('a,', $n) . "\r\n") },
);

# Forms have 8 KiB at the most.
my %forms = (
    'form: fields'    => sub ($n) { post(fill('a&', $n)) },
    'form: ampersands' => sub ($n) { post(fill('&', $n) . $unchecked) },
    'form: codes'     => sub ($n) { post('a=' . repeat('%61', $n) . $unchecked) },
    'form: plus signs' => sub ($n) { post('a=' . fill('+', $n) . $unchecked) },
    'form: a name'    => sub ($n) { post('username=' . fill('<', $n) . $unchecked) },
    'form: a password' => sub ($n) { post('username=alice&password=' . 'x' x 1025 . repeat('%61', $n)) },
    'form: rd'        => sub ($n) { post('username=alice&rd=/' . repeat('%2561', $n) . $unchecked) },
    'form: chunks of one byte' => sub ($n) { chunked(fill('%z&', $n / 6)) },
);

# Four bytes of length and name of each field are not counted.
my %http2 = (
    'HTTP/2: crumbs'       => sub ($n) { (cookie => 'a=1') x ($n / 12) },
    'HTTP/2: crumbs, ours' => sub ($n) { (cookie => 'authgate=') x ($n / 18) },
    'HTTP/2: semicolons'   => sub ($n) { (cookie => ';' x ($n / 8)) x 8 },
    'HTTP/2: lines'        => sub ($n) { ('sec-fetch-modf' => 'a') x ($n / 18) },
);

# What is looked at as it stands, decoded once and decoded twice: 2 KiB of a way back, 8 KiB of a target that a proxy
# tells.
my %most = (
    (map { $_ => 280 } 'login: rd', 'login: rd in codes', 'form: rd'),
    (map { $_ => 400 } 'verify: X-Original-URL', 'verify: X-Original-URL, codes'),
    # A credential is known again by an HMAC over name and password.
    'form: a name' => 230,
);

# What requests of these lengths cost, there and where there is no gate.
sub costs ($case, $where, $ask, $make, @lengths) {
    return map {
        my ($cost)           = $ask->($where, $make->($_));
        my ($plain, $status) = $ask->('plain', $make->($_));
        fail "J119 $case: nginx refuses it itself, $status" if $status !~ /^(?:20[04]|404)$/;
        ($cost, $plain);
    } @lengths;
}

# nginx's timer, a few times a second, and a request that comes in pieces add to what one costs: what is over a limit
# is measured again, and the least counts.
sub bounded ($case, $where, $ask, $make, $length) {
    my $most = $most{$case} // $MOST;
    my (@least, @over, $beyond);
    for my $try (1 .. 5) {
        my @costs = costs($case, $where, $ask, $make, 100, 1500, $length / 2 + 50, $length);
        @least = map { List::Util::min($costs[$_], $least[$_] // ()) } 0 .. $#costs;
        my ($none, @added) = map { $_->[0] - $_->[1] } List::Util::pairs(@least);
        my ($short, $half, $whole) = map { $_ > $none ? $_ - $none : 0 } @added;
        note sprintf '%-45s %-6s %8d %9d %9d %9d %6.1f', $case, $where, $none, @added, $whole / $length;
        my @each = map { int } ($short - $ROUNDING) / 1400, ($half - $ROUNDING) / ($length / 2), ($whole - $ROUNDING) / $length;
        @over   = grep { $_ > $most } @each;
        $beyond = $whole - List::Util::max($HARDLY * $length, $DOUBLED * $half + $ROUNDING);
        last if !@over && $beyond <= 0;
    }
    is "@over", '', "J119 $case: at most $most instructions a byte, $where";
    cmp_ok $beyond, '<=', 0, "J119 $case: not more than in proportion, $where";
}

http1($_, get()) for (qw(plain gated open many)) x 2;
http2($_) for (qw(plain gated)) x 2;

for my $case (sort keys %everywhere) {
    bounded($case, $_, \&http1, $everywhere{$case}, 12_000) for qw(gated open many);
}
bounded($_, 'gated', \&http1, $gated{$_}, 12_000) for sort keys %gated;
bounded($_, 'gated', \&http1, $forms{$_}, 6_500) for sort keys %forms;
bounded($_, 'gated', \&http2, $http2{$_}, 8_000) for sort keys %http2;

# ---- The work of many requests is that of each ------------------------------------------------------

my ($one, $head) = map { my $request = $_; List::Util::min(map { (http1('gated', $request))[0] } 1 .. 3) } get(),
    get() =~ s/^GET/HEAD/r;
cmp_ok $head, '<=', $one, 'J119 HEAD costs no more than GET';

my $many = sub ($count) {
    my $socket = $server->client(headers => [], port => $server->port('gated'))->connect;
    my $kept = get() =~ s/Connection: close\r\n//r;
    print $socket $kept x ($count - 1), get();
    my $answers = join '', <$socket>;
    is scalar(() = $answers =~ m{^HTTP/1.1 401 }mg), $count, "J119 $count pipelined requests are answered";
};
my ($few, $more);
for my $try (1 .. 5) {
    ($few, $more) = map { my $count = $_; $server->instructions(sub { $many->($count) }, $count) } 10, 40;
    last if $more <= 4.2 * $few;
}
cmp_ok $more, '<=', 4.2 * $few, 'J119 pipelined requests cost what each costs';

done_testing;
