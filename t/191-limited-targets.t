# J122: what an API token with limits opens is what the application is asked for, however nginx hands it on.

use v5.36;

use AuthGate;
use AuthGate::Http2;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

# Each hands the request on in another way.
my %PROXY = (
    'without URI'       => 'location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }',
    'with URI'          => 'location / { proxy_pass http://127.0.0.1:%%PORT_app%%/; }',
    'with $1'           => 'location ~ ^/(.*)$ { proxy_pass http://127.0.0.1:%%PORT_app%%/$1; }',
    'with $uri'         => 'location / { proxy_pass http://127.0.0.1:%%PORT_app%%$uri; }',
    'with $request_uri' => 'location / { proxy_pass http://127.0.0.1:%%PORT_app%%$request_uri; }',
    'merge_slashes off' => 'merge_slashes off; location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }',
    'rewrite'           => 'location / { rewrite ^/x(/.*)$ $1 break; proxy_pass http://127.0.0.1:%%PORT_app%%; }',
    'auth_request'      => 'location / { authgate off; auth_request /.verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /.verify { internal; authgate_verify ops; }',
    'error_page'        => 'location / { error_page 418 = @app; return 418; }
        location @app { authgate ops; proxy_pass http://127.0.0.1:%%PORT_app%%; }',
);
my %port;
@port{ sort keys %PROXY } = map { "proxy$_" } 1 .. keys %PROXY;
my $servers = join "\n", map {
    "server { listen 127.0.0.1:%%PORT_$port{$_}%%; authgate ops; $PROXY{$_} }"
} sort keys %PROXY;

my $server = AuthGate::Server->prepare(<<"EOF_HTTP", workers => 1);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; forwarded 127.0.0.1; limit off; }
    $servers
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        authgate ops;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /verify { authgate off; authgate_verify ops; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my @LIMITED = (Authorization => 'Bearer '
    . AuthGate::Token::api(user => 'alice', paths => ['/metrics', '/app/metrics', '/übersicht/', '/x/metrics']));

# What these open in one reading is something else in another.
my @DOUBTFUL = (
    qw(/admin//../metrics /admin%2f..%2fmetrics /admin/%2e%2e/metrics /admin/../metrics /admin/.%2E/metrics),
    qw(/app/metrics/%252e%252e/admin /metrics/%252e%252e%252fadmin /metrics/%25 /metrics%2500),
    qw(//metrics /metrics//x //admin/metrics/..//metrics /./metrics /metrics/. /metrics/..),
    qw(/metrics/..;/admin /metrics/..;x=1/admin /metrics;/../admin /metrics/%2e%2e;/admin /metrics/..%3b/admin),
    qw(/metrics/;/x /metrics/.;/x),
    qw(/metrics%2fx /metrics%2Fx /metrics%5c..%5cadmin /metrics/..\\admin /metrics/%5C..%5Cadmin),
    '/admin#/../metrics', '/metrics#/x', '/metrics/%23x', '/metrics/%3fx',
    qw(/metrics/%0d%0aX:%20y /metrics/%09 /metrics/%7f /metrics/x%0a),
    qw(/metrics/... /metrics/..%20/admin /metrics/.%20./admin /metrics/%20 /metrics/..+/admin),
    qw(/metrics/%c0%ae%c0%ae/admin /metrics/%c0%afadmin /metrics/%ff),
    qw(/metrics/%EF%BC%8E%EF%BC%8E/admin /metrics%EF%BC%8F..%EF%BC%8Fadmin /metrics/%E2%88%95x /metrics/%E2%80%A5/admin),
);
my @PLAIN = (
    '/metrics', '/metrics?x=/../y&%zz#/', '/%6detrics', '/metrics/', '/metrics/a%20b', '/metrics/.well-known/a..b',
    '/metrics/a;v=1/b', '/metrics/a+b', '/app/metrics/x', '/%C3%BCbersicht/x', "/\xc3\xbcbersicht/x",
    '/metrics/%E5%90%8D%E5%89%8D',
);

for my $how (sort keys %PROXY) {
    my $client = $server->client(headers => [], port => $server->port($port{$how}));
    for my $target (@DOUBTFUL) {
        my $before = $app->count;
        my $answer = $client->get($target, @LIMITED);
        # nginx itself refuses some of them.
        like $answer->status, qr/\A40[03]\z/, "J122 $how: $target is not open"
            or diag $answer->status, ', the application was asked for ', $app->last_request =~ /\A(.*)/;
        is $app->count - $before, 0, "J122 $how: $target does not reach the application";
    }
    for my $target (@PLAIN) {
        my $before = $app->count;
        is $client->get($target, @LIMITED)->status, 200, "J122 $how: $target is open";
        is $app->count - $before, 1, "J122 $how: $target reaches the application";
    }
    for my $target ('/metrics', '/admin', '/admin//../metrics', '?/metrics') {
        my $head = "GET http://app.example$target HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n";
        my $answer = $client->raw("${head}Authorization: $LIMITED[1]\r\n\r\n");
        is $answer->status, $target eq '/metrics' ? 200 : 403, "J122 $how: absolute form, $target";
    }
}

# What counts is what the client has asked for, before a rewrite.
{
    my $client = $server->client(headers => [], port => $server->port($port{rewrite}));
    is $client->get('/x/metrics', @LIMITED)->status, 200, 'J122 rewrite: what the client asked for is allowed';
    like $app->last_request, qr{\AGET /metrics HTTP}, 'J122 rewrite: and the application is asked for what it became';
    is $client->get('/x/app/metrics', @LIMITED)->status, 403, 'J122 rewrite: what it became would be allowed';
}

# HTTP/2, and what another proxy asks about.
my $client = $server->client(headers => []);
my %is_plain = map { $_ => 1 } @PLAIN;
for my $target (@DOUBTFUL, @PLAIN) {
    my $answer = AuthGate::Http2::get($server->port('h2'), $target, authorization => $LIMITED[1]);
    my $expected = $is_plain{$target} ? qr/\A200\z/ : qr/\A40[03]\z/;
    like $answer->{status}, $expected, "J122 HTTP/2: $target";
    for my $told ($target, "https://app.example$target") {
        my $answer = $client->get('/verify', @LIMITED, 'X-Original-URL' => $told, 'X-Original-Method' => 'GET');
        is $answer->status, $is_plain{$target} ? 204 : 403, "J122 authgate_verify: $told";
    }
}

done_testing;
