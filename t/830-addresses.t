# H92, H93: the verdict is that of the location that nginx serves, however the address is written, and whatever a
# request lacks.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location /          { add_header X-Location root always; }
        location /pub/      { add_header X-Location pub always; }
        location /private   { add_header X-Location private always; authgate ops; }
        location = /private/open.txt { add_header X-Location open always; }
    }
    server {
        listen 127.0.0.1:%%PORT_slashes%%;
        root %%DIR%%/html;
        merge_slashes off;
        location /          { add_header X-Location root always; }
        location /private   { add_header X-Location private always; authgate ops; }
    }
    log_format variables '$status "$authgate_user" "$authgate_groups" "$authgate_realm" "$authgate_method" '
        '"$authgate_session" "$authgate_expires" "$authgate_status" "$remote_user" end';
    server {
        listen 127.0.0.1:%%PORT_all%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        access_log %%DIR%%/logs/variables.log variables;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

for my $directory (qw(pub private)) {
    mkdir $server->path("html/$directory") or die $!;
    AuthGate::write_file($server->path("html/$directory/$_"), "content of $directory\n")
        for qw(page.txt open.txt);
}
$server->make_certificate;
$server->run;

my $alice = $server->client;
$alice->sign_in('alice');

sub ask ($target, $headers = '', $port = $server->port) {
    return $server->client(port => $port)
        ->raw("GET $target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$headers\r\n");
}

# The written address, and the location that nginx takes for it.
my @addresses = (
    ['/private/page.txt', 'private'],
    ['/private', 'private'],
    ['/pub/page.txt', 'pub'],
    ['/private/page.txt#/pub/page.txt', 'private'],
    ['/private/page.txt?x=/pub/', 'private'],
    ['/private/page.txt?', 'private'],
    ['/private/page.txt;/pub/', 'private'],
    ['/pub/page.txt?x=/private/', 'pub'],
    ['/pub/page.txt#/private/page.txt', 'pub'],
    ['/pub/..;/private/page.txt', 'pub'],
    ['/pub/../private/page.txt', 'private'],
    ['/pub/%2e%2e/private/page.txt', 'private'],
    ['/pub/%2E%2e/private/page.txt', 'private'],
    ['/pub/.%2e/private/page.txt', 'private'],
    ['/pub/%2e%2e%2fprivate%2fpage.txt', 'private'],
    ['/pub/%252e%252e/private/page.txt', 'pub'],
    ['/pub/./../private/./page.txt', 'private'],
    ['/pub/x/../../private/page.txt', 'private'],
    ['/private/../pub/page.txt', 'pub'],
    ['/private/%2e%2e/pub/page.txt', 'pub'],
    ['//private/page.txt', 'private'],
    ['///private///page.txt', 'private'],
    ['/pub/..//private/page.txt', 'private'],
    ['/%70rivate/page.txt', 'private'],
    ['/%2fprivate/page.txt', 'private'],
    ['/priv%61te/page.txt', 'private'],
    ['/private%2fpage.txt', 'private'],
    ['/private/open.txt', 'open'],
    ['/private/open.txt/', 'private'],
    ['/private/open.txt%2f..%2fpage.txt', 'private'],
    ['/Private/page.txt', 'root'],
    ['/private/page.txt%00.css', '400'],
    ['/private%00/page.txt', '400'],
    ['/pub/%00/../private/page.txt', '400'],
    ['/../private/page.txt', '400'],
    ['/pub/../../private/page.txt', '400'],
    ['/private/%zz', '400'],
    ['private/page.txt', '400'],
    ['http://x/private/page.txt', 'private'],
    ['http://x/pub/../private/page.txt', 'private'],
    ['http://other.example/private/page.txt', 'private'],
    ['HTTP://x//private/page.txt', 'private'],
    ['http://x/pub/page.txt', 'pub'],
    ['*', '400'],
);

for my $address (@addresses) {
    my ($target, $location) = @$address;
    my $response = ask($target);
    unlike $response->raw, qr/content of private/, "H92 $target: nothing private gets out"
        if $location ne 'open';
    if ($location =~ /\d/) { is $response->status, $location, "H92 $target: $location"; next }
    is $response->header('X-Location'), $location, "H92 $target: location $location";
    if ($location eq 'private') { is $response->status, 401, "H92 $target: 401" }
    else { like $response->status, qr/\A(?:200|404)\z/, "H92 $target: open" }
}

# What proxies write changes nothing.
for my $line (
    'X-Original-URL: /pub/page.txt',
    'X-Rewrite-URL: /pub/page.txt',
    'X-Forwarded-Uri: /pub/page.txt',
    'X-Original-Method: OPTIONS',
    'X-HTTP-Method-Override: OPTIONS',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-User: alice',
    'Remote-User: alice',
    'Authorization: Bearer agt_x',
    'Upgrade: websocket',
    'Sec-Fetch-Site: same-origin',
    'Range: bytes=0-1',
    'If-None-Match: *',
    'Purpose: prefetch'
    )
{
    my $response = ask('/private/page.txt', "$line\r\n");
    is $response->status, 401, "H92 $line: 401";
    unlike $response->raw, qr/content of private/, "H92 $line: nothing private gets out";
}

# Twin: the same addresses, for alice.
is $alice->get('/pub/%2e%2e/private/page.txt')->body, "content of private\n",
    'H92 alice gets what nginx serves';
is $alice->get('//private/page.txt')->body, "content of private\n", 'H92 alice, two slashes';

is ask('//private/page.txt', '', $server->port('slashes'))->header('X-Location'), 'root',
    'H92 merge_slashes off: another location';
is ask('/private//page.txt', '', $server->port('slashes'))->status, 401, 'H92 merge_slashes off: gated';

# H93. Short of everything.
my $all = $server->client(port => $server->port('all'));
my ($worker) = $server->workers;
for my $case (
    ['HTTP/0.9', "GET /hello.txt\r\n", 0],
    ['HTTP/0.9, a query', "GET /hello.txt?x=1\r\n", 0],
    ['HTTP/0.9, the root', "GET /\r\n", 0],
    ['HTTP/1.0 without headers', "GET /hello.txt HTTP/1.0\r\n\r\n", 401],
    ['HTTP/1.0, line feeds alone', "GET /hello.txt HTTP/1.0\n\n", 401],
    ['HTTP/1.0 with Accept', "GET /hello.txt HTTP/1.0\r\nAccept: text/html\r\n\r\n", 302],
    ['HTTP/1.0, an empty Host', "GET /hello.txt HTTP/1.0\r\nHost:\r\n\r\n", 400],
    ['HTTP/1.0, an empty Cookie', "GET /hello.txt HTTP/1.0\r\nCookie:\r\n\r\n", 401],
    ['HTTP/1.0, an empty Authorization', "GET /hello.txt HTTP/1.0\r\nAuthorization:\r\n\r\n", 401],
    [
        'HTTP/1.0, empty fields',
        "GET /hello.txt HTTP/1.0\r\nAccept:\r\nSec-Fetch-Mode:\r\nOrigin:\r\n\r\n", 401
    ],
    ['HTTP/1.0, a fresh POST', "POST /hello.txt HTTP/1.0\r\n\r\n", 401],
    ['HTTP/1.1 without Host', "GET /hello.txt HTTP/1.1\r\n\r\n", 400],
    ['HTTP/1.1, Host alone', "GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 401],
    )
{
    my ($name, $bytes, $status) = @$case;
    my $response = $all->raw($bytes);
    is $response->status, $status, "H93 $name: " . ($status || 'no status line');
    unlike $response->raw, qr/hello from/, "H93 $name: no content";
}
is $all->raw("HEAD /hello.txt HTTP/1.0\r\n\r\n", 'HEAD')->status, 401,
    'H93 HEAD, HTTP/1.0 without headers: 401';
like $all->raw("GET /authgate/login\r\n")->body, qr/<form\b/, 'H93 HTTP/0.9: the login page';
is $all->raw("GET /authgate/login HTTP/1.0\r\n\r\n")->status, 200,
    'H93 HTTP/1.0 without headers: the login page';
is $all->raw("GET /authgate/session HTTP/1.0\r\n\r\n")->status, 401,
    'H93 HTTP/1.0 without headers: no session';
is $all->raw("POST /authgate/login HTTP/1.0\r\n\r\n")->status, 415,
    'H93 HTTP/1.0 without headers: a login without a form';
is $all->raw("POST /authgate/logout HTTP/1.0\r\n\r\n")->status, 303,
    'H93 HTTP/1.0 without headers: a logout of nobody';
my $form = AuthGate::Client::form([username => 'alice', password => $PASSWORD{alice}]);
my $type = "Content-Type: application/x-www-form-urlencoded\r\n";
is $all->raw("POST /authgate/login HTTP/1.0\r\n${type}Content-Length: @{[ length $form ]}\r\n\r\n$form")
    ->status, 303,
    'H93 HTTP/1.0 without Host: a login';

# What is no request at all, and still asks for the variables when it is logged.
my $wrong = AuthGate::Client->new(port => $server->port('all'), headers => []);
my $plain = AuthGate::Client->new(port => $server->port('tls'), headers => []);
for my $case (
    ['a garbage line', "\x16\x03\x01\0\r\n\r\n", 400],
    ['an empty method', " /hello.txt HTTP/1.1\r\n\r\n", 400],
    ['HTTP/9', "GET /hello.txt HTTP/9.9\r\n\r\n", 505],
    ['a long line', 'GET /' . 'x' x 40_000 . " HTTP/1.1\r\nHost: x\r\n\r\n", 414],
    ['a long header', "GET /hello.txt HTTP/1.1\r\nHost: x\r\nCookie: " . 'x' x 40_000 . "\r\n\r\n", 400],
    ['two Hosts', "GET /hello.txt HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400],
    ['a bad Host', "GET /hello.txt HTTP/1.1\r\nHost: x/y\r\n\r\n", 400],
    ['a bad length', "POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400],
    [
        'two lengths',
        "POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400
    ],
    ['an unknown coding', "POST /authgate/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n", 501],
    ['TRACE', "TRACE /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ['CONNECT', "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ['plain HTTP to TLS', "GET /hello.txt HTTP/1.0\r\n\r\n", 400, $plain],
    )
{
    my ($name, $bytes, $status, $client) = @$case;
    my $response = ($client // $wrong)->raw($bytes);
    like $response->status, qr/\A(?:$status|400)\z/, "H93 $name: refused";
    unlike $response->raw, qr/hello from/, "H93 $name: no content";
}
my @logged = AuthGate::read_file($server->path('logs/variables.log')) =~ /^(\d{3} .*)$/mg;
cmp_ok scalar @logged, '>', 25, 'H93 all are logged';
is_deeply [grep { !/ end\z/ } @logged], [], 'H93 all are logged whole';
is_deeply [grep { /"(?:alice|bob)"/ } @logged], [], 'H93 none is said to be a user';
is_deeply [$server->workers], [$worker], 'H93 the worker lives';

done_testing;
