# What a request from nobody gets (reference, section 2): a page navigation is sent to the login page,
# anything else is told 401 in the format that it names.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops    { users %%USERS%%; }
    authgate_realm cookie { users %%USERS%%; accept cookie; path /cookie/; cookie c; }
    authgate_realm bearer { users %%USERS%%; accept bearer; path /bearer/; cookie b; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
        location /cookie-only { authgate cookie; }
        location /bearer-only { authgate bearer; }
        location /app { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location /optional { authgate ops optional; return 200; }
        location /dressed {
            expires 1d;
            add_header Cache-Control public always;
            add_header WWW-Authenticate 'Basic realm="own"' always;
        }
        location = /hello.txt { }
        location = /open { authgate off; alias %%DIR%%/html/hello.txt; }
    }
    server {
        listen 127.0.0.1:%%PORT_behind%%;
        access_log %%DIR%%/logs/behind.log;
        location / { return 200 "protected"; }
    }
EOF_HTTP

my $HTML   = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
my $client = $server->client(headers => []);

sub ask ($method, @headers) {
    my $response;
    my @lines = $server->lines_of(
        sub { $response = $client->request($method, '/app/x?a=b', $method =~ /GET|HEAD/ ? undef : 'x', @headers) });
    my @above = grep { !/\[(?:info|debug)\]/ } @lines;
    return ($response, "@above");
}

# Navigations.
my @navigations = (
    'navigate'                        => GET  => [ 'Sec-Fetch-Mode' => 'navigate', Accept => $HTML ],
    'navigate, whatever Accept says'  => GET  => [ 'Sec-Fetch-Mode' => 'navigate', Accept => 'application/json' ],
    'navigate without Accept'         => GET  => [ 'Sec-Fetch-Mode' => 'navigate' ],
    'navigate in a frame'             => GET  => [ 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'iframe' ],
    'navigate from another site'      => GET  => [ 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Site' => 'cross-site' ],
    'navigate with HEAD'              => HEAD => [ 'Sec-Fetch-Mode' => 'navigate', Accept => $HTML ],
    'no Sec-Fetch, text/html'         => GET  => [ Accept => $HTML ],
    'no Sec-Fetch, text/html alone'   => GET  => [ Accept => 'text/html' ],
    'no Sec-Fetch, Text/HTML;q=0.1'   => GET  => [ Accept => 'application/json, Text/HTML;q=0.1' ],
    'no Sec-Fetch, text/html, HEAD'   => HEAD => [ Accept => $HTML ],
    'another upgrade'                 => GET  => [ Accept => $HTML, Upgrade => 'h2c', Connection => 'Upgrade' ],
);
while (my ($what, $method, $headers) = splice @navigations, 0, 3) {
    my ($response, $above) = ask($method, @$headers);
    is $response->status, 302, "$what: 302";
    is $response->header('Location'), '/authgate/login?rd=/app/x%3Fa%3Db',
        "$what: to the login page and back";
    is_deeply [ $response->headers('Cache-Control') ], ['no-store'], "$what: not to be stored";
    is $response->headers('WWW-Authenticate'), 0, "$what: no challenge";
    is $response->headers('Set-Cookie'), 0, "$what: no cookie";
    is $response->body, '', "$what: no body";
    is $above, '', "$what: nothing above info in the log";
}

# Everything else.
my @upgrade = (Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13);
my @others  = (
    'fetch'                         => GET    => [ 'Sec-Fetch-Mode' => 'cors', Accept => '*/*' ],
    'fetch of HTML'                 => GET    => [ 'Sec-Fetch-Mode' => 'cors', Accept => $HTML ],
    'XHR of JSON'                   => GET    => [ 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json, */*' ],
    'an image'                      => GET    => [ 'Sec-Fetch-Mode' => 'no-cors', 'Sec-Fetch-Dest' => 'image' ],
    'a script'                      => GET    => [ 'Sec-Fetch-Mode' => 'no-cors', 'Sec-Fetch-Dest' => 'script' ],
    'a manifest'                    => GET    => [ 'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Dest' => 'manifest' ],
    'a service worker'              => GET    => [ 'Sec-Fetch-Mode' => 'same-origin', 'Sec-Fetch-Dest' => 'serviceworker' ],
    'an event stream'               => GET    => [ 'Sec-Fetch-Mode' => 'cors', Accept => 'text/event-stream' ],
    'Sec-Fetch without a mode'      => GET    => [ 'Sec-Fetch-Dest' => 'document', Accept => $HTML ],
    'a WebSocket'                   => GET    => [ @upgrade, Upgrade => 'websocket' ],
    'a WebSocket with text/html'    => GET    => [ @upgrade, Upgrade => 'WebSocket', Accept => $HTML ],
    'a WebSocket by a browser'      => GET    => [ @upgrade, Upgrade => 'websocket', 'Sec-Fetch-Mode' => 'websocket' ],
    'a WebSocket that navigates'    => GET    => [ @upgrade, Upgrade => 'h2c, websocket', 'Sec-Fetch-Mode' => 'navigate' ],
    'a form'                        => POST   => [ 'Sec-Fetch-Mode' => 'navigate', Accept => $HTML ],
    'a POST of a script'            => POST   => [ 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json' ],
    'PUT'                           => PUT    => [ Accept => $HTML ],
    'DELETE'                        => DELETE => [ Accept => $HTML ],
    'G85 a preflight'               => OPTIONS => [ Origin => 'https://x.example', 'Access-Control-Request-Method' => 'GET' ],
    'curl'                          => GET    => [ Accept => '*/*', 'User-Agent' => 'curl/7.88.1' ],
    'no header at all'              => GET    => [],
    'an empty Accept'               => GET    => [ Accept => '' ],
    'Prometheus'                    => GET    => [ Accept => 'application/openmetrics-text;q=0.5,text/plain;q=0.2,*/*;q=0.1' ],
    'text/html refused'             => GET    => [ Accept => 'text/html;q=0, */*' ],
    'XHTML alone'                   => GET    => [ Accept => 'application/xhtml+xml' ],
    'curl with HEAD'                => HEAD   => [ Accept => '*/*' ],
    'JSON with HEAD'                => HEAD   => [ Accept => 'application/json' ],
);
while (my ($what, $method, $headers) = splice @others, 0, 3) {
    my ($response, $above) = ask($method, @$headers);
    is $response->status, 401, "$what: 401";
    is $response->header('Location'), undef, "$what: no redirect";
    is_deeply [ $response->headers('Cache-Control') ], ['no-store'], "$what: not to be stored";
    is_deeply [ $response->headers('WWW-Authenticate') ], ['Bearer realm="ops"'],
        "$what: the challenge, never Basic";
    is $response->headers('Set-Cookie'), 0, "$what: no cookie";
    is $above, '', "$what: nothing above info in the log";
    if ($method eq 'HEAD') { is $response->body, '', "$what: no body" }
    else                   { cmp_ok length $response->body, '<', 10_000, "$what: a short body" }
}
is AuthGate::read_file($server->path('logs/behind.log')), '', 'G86 the application has seen none of them';

# The format of the body.
my @formats = (
    'application/json'                    => 'application/json',
    'application/json, text/html'         => 'application/json',
    'text/html, application/json;q=0.1'   => 'application/json',
    'application/problem+json'            => 'application/json',
    'text/json'                           => 'application/json',
    'Application/JSON; charset=utf-8'     => 'application/json',
    'application/json;q=0, text/html'     => 'text/html; charset=utf-8',
    $HTML                                 => 'text/html; charset=utf-8',
    'text/html;q=0'                       => 'text/plain; charset=utf-8',
    'application/*'                       => 'text/plain; charset=utf-8',
    '*/*'                                 => 'text/plain; charset=utf-8',
    'text/plain'                          => 'text/plain; charset=utf-8',
    'application/jsonp'                   => 'text/plain; charset=utf-8',
    'image/png'                           => 'text/plain; charset=utf-8',
);
while (my ($accept, $type) = splice @formats, 0, 2) {
    my $response = $client->request('GET', '/app/x?a=b', undef, 'Sec-Fetch-Mode' => 'cors', Accept => $accept);
    is $response->status, 401, "Accept $accept: 401";
    is $response->header('Content-Type'), $type, "Accept $accept: $type";
    my $login = '/authgate/login?rd=/app/x%3Fa%3Db';
    if ($type =~ /json/) {
        is_deeply JSON::PP::decode_json($response->body), { error => 'unauthenticated', login => $login },
            "Accept $accept: what and where";
    }
    elsif ($type =~ /html/) {
        is AuthGate::Page->parse($response->body)->link, $login, "Accept $accept: a link to the login";
    }
    else { is $response->body, "unauthenticated\n", "Accept $accept: a word" }
}

# The challenge says what the realm takes.
my @script = ('Sec-Fetch-Mode' => 'cors');
is $client->get('/cookie-only', @script)->header('WWW-Authenticate'), 'Cookie realm="cookie"',
    'cookies alone';
is $client->get('/bearer-only', @script)->header('WWW-Authenticate'), 'Bearer realm="bearer"', 'tokens alone';

# The location's own header fields.
my $dressed = $client->get('/dressed', @script);
is_deeply [ $dressed->headers('Cache-Control') ], ['no-store'],
    '401 under expires and add_header: not to be stored';
is $dressed->header('Expires'), undef, '401 under expires: no Expires';
my $moved = $client->get('/dressed', Accept => $HTML);
is_deeply [ $moved->headers('Cache-Control') ], ['no-store'],
    '302 under expires and add_header: not to be stored';
is $moved->header('Expires'), undef, '302 under expires: no Expires';

# A credential that is not valid is as none.
my $bad = $server->client(headers => [], cookies => { authgate => 'nonsense' });
is $bad->get('/hello.txt', Accept => $HTML)->status, 302, 'a bad cookie, a navigation: 302';
is $bad->get('/hello.txt', Accept => '*/*')->status, 401, 'a bad cookie, anything else: 401';
is $bad->get('/hello.txt', Accept => $HTML)->headers('Set-Cookie'), 0, 'a refused cookie is not cleared';
is $client->get('/hello.txt', Authorization => 'Bearer agt_nonsense', Accept => '*/*')->status, 401,
    'a bad token: 401';
is $client->get('/hello.txt', Authorization => 'Basic YWxpY2U6eA==', Accept => '*/*')->status, 401,
    'Basic where it is not taken: 401';

# Twins.
is $client->get('/open')->body, "hello from behind the gate\n", 'where the gate is off nobody is refused';
is $client->get('/optional')->status, 200, 'nor where it is optional';
my $alice = $server->client(headers => []);
$alice->sign_in('alice');
for my $method (qw(GET POST PUT DELETE OPTIONS)) {
    is $alice->request($method, '/app/x', $method eq 'GET' ? undef : 'x')->body, 'protected',
        "signed in, $method goes on";
}

done_testing;
