# G85a, H88: nginx-conf/forward-auth.conf and -front.conf as they are written: an nginx without the module asks the gate
# of another one about each request, and nothing but what the gate lets through gets to the application.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $gate = AuthGate::Server->prepare('');
my $example = AuthGate::Examples::adapted('forward-auth.conf',
    '/etc/nginx/authgate/users' => '%%USERS%%', 'state     /var/lib/authgate;' => 'keys %%KEYS%%; state %%DIR%%/state; '
        . 'accept cookie bearer basic; limit off; session idle=20s max=1h;',
    'listen 192.0.2.2:8082;' => "listen 127.0.0.1:%%PORT%%; listen unix:%%DIR%%/gate.sock;\n"
        . 'location = /require { authgate_verify ops; authgate_require group=sre; }',
    'set_real_ip_from 192.0.2.10;' => 'set_real_ip_from 127.0.0.0/8; set_real_ip_from unix:;',
    '192.0.2.10' => '127.0.0.1');
$gate->configure(<<"EOF_HTTP");
    log_format who '\$remote_addr \$realip_remote_addr \$request_uri \$status '
                   'user="\$authgate_user" remote="\$remote_user"';
    access_log %%DIR%%/logs/who.log who;
    $example
EOF_HTTP

my $front = AuthGate::Server->prepare('', module => '');
$front->configure(AuthGate::Examples::adapted('forward-auth-front.conf',
    '192.0.2.2:8082' => '127.0.0.1:' . $gate->port, 'listen 443 ssl;' => "listen 127.0.0.1:%%PORT%%;\n"
        . 'location /sre/ { auth_request /-/gate/require; proxy_pass http://127.0.0.1:%%PORT_app%%; }'
        . 'location = /-/gate/require { internal; proxy_pass http://127.0.0.1:' . $gate->port . '/require; }',
    'ssl_certificate     /etc/nginx/tls/example.com.pem;' => '',
    'ssl_certificate_key /etc/nginx/tls/example.com.key;' => '',
    '127.0.0.1:9090' => '127.0.0.1:%%PORT_app%%'));
my $app = AuthGate::Upstream->start($front->port('app'));
$gate->run;
$front->run;

sub outcome (@request) { return $app->outcome(@request) }

my $browser = $front->client;
my $curl    = $front->client(headers => []);

# Nobody.
my $target = '/graph?g0.expr=up%7Bjob%3D%22x%22%7D&g0.tab=1&x=a+b';
my $sent   = $browser->get($target);
is $sent->status, 302, 'H88 a navigation is sent to the login page';
is $sent->header('Location'),
    '/authgate/login?rd=/graph%3Fg0.expr%3Dup%257Bjob%253D%2522x%2522%257D%26g0.tab%3D1%26x%3Da%2Bb',
    'H88 with the whole address';
is outcome($curl, 'GET', '/metrics'), 401, 'H88 a program gets 401';
is outcome($curl, 'POST', '/api'), 401, 'H88 a post too';
my $told = $curl->get('/metrics');
is join('|', $told->headers('WWW-Authenticate')), 'Basic realm="ops", charset="UTF-8"', 'H88 once, with the challenge';
is $curl->get('/x', Accept => 'application/json')->body =~ /"error":"(\w+)"/ && $1, 'unauthenticated', 'H88 JSON';
is $browser->get('/x', %{ +{ @$_ } })->header('Location'), '/authgate/login?rd=/x', "D55 it leads there alone, @$_"
    for ['X-Original-URL' => '/y'], ['X-Forwarded-Uri' => '//evil.com/'], ['X-Forwarded-Host' => 'evil.com'];
is $browser->post('/x', [a => 1], 'Sec-Fetch-Mode' => 'cors')->status, 401, 'H88 no redirect answers a post';

# A login through the front, and back to where it began.
my ($login) = $sent->header('Location');
like $browser->get($login)->body, qr/<form\b/, 'the login page through the front';
my ($rd) = $login =~ /rd=(.*)/;
$rd =~ s/%(..)/chr hex $1/ge;
my $in = $browser->sign_in('alice', rd => $rd);
is $in->header('Location'), $target, 'H88 signed in, it leads back to the whole address';
like $in->header('Set-Cookie'), qr/^__Host-authgate=\S+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
    'a cookie for TLS';
is outcome($browser, 'GET', $target), '200 1 alice ops,sre', 'H88 and the application is told who it is';
is outcome($browser, 'POST', '/x'), '200 1 alice ops,sre', 'H88 a post';
is outcome($browser, 'GET', '/', 'X-Forwarded-User' => 'mallory', 'Remote-User' => 'mallory'), '200 1 alice ops,sre',
    'G84 a client does not say who it is';
is $browser->get('/authgate/session')->status, 200, 'its session';

# The body stays with the request that is asked about.
$browser->post('/x', [text => 'a body']);
like $app->last_request, qr/\r\n\r\ntext=a%20body\z/, 'H88 a post keeps its body';

# Basic and API tokens.
is outcome($curl, 'GET', '/x', basic('bob', $PASSWORD{bob})), '200 1 bob dev', 'H88 Basic';
is outcome($curl, 'GET', '/x', basic('bob', 'canary-wrong')), 401, 'H88 Basic, wrong';
is outcome($browser, 'GET', '/x', basic('bob', 'canary-wrong')), 401, 'G82 Basic, wrong, beside a valid cookie';
my $any = AuthGate::Token::api(user => 'carol');
is outcome($curl, 'GET', '/x', Authorization => "Bearer $any"), '200 1 carol ', 'H88 API token';
is outcome($curl, 'GET', '/x', Authorization => "Bearer ${any}x"), 401, 'H88 API token, altered';

# An API token with limits opens exactly what it should.
my $limited = AuthGate::Token::api(user => 'alice', methods => ['GET'], paths => ['/metrics']);
my @token   = (Authorization => "Bearer $limited");
my $ALICE   = '200 1 alice ops,sre';
for my $case (
    ['GET',  '/metrics',             $ALICE],
    ['GET',  '/metrics?x=/admin',    $ALICE],
    ['GET',  '/metrics/cadvisor',    $ALICE],
    ['GET',  '/%6detrics',           $ALICE],
    ['POST', '/metrics',             403],
    ['HEAD', '/metrics',             403],
    ['GET',  '/metricsx',            403],
    ['GET',  '/',                    403],
    ['GET',  '/admin?/metrics',      403],
    ['GET',  '/metrics/../admin',    403],
    ['GET',  '/metrics/%2e%2e/admin', 403],
    ['GET',  '/metrics/..;/admin',   403],
    ['GET',  '/metrics/..%2fadmin',  403],
    ['GET',  '/admin/..%2fmetrics',  403],
    ['GET',  '//metrics',            403],
    ['GET',  '/metrics#/admin',      403],
    ['GET',  '/admin#/metrics',      403],
    )
{
    my ($method, $path, $expected) = @$case;
    is outcome($curl, $method, $path, @token), $expected, "G85a limited token: $method $path";
}
my $before = $app->count;
my $absolute = $curl->raw("GET http://localhost/admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "Authorization: Bearer $limited\r\n\r\n");
is $absolute->status, 403, 'G85a limited token: the absolute form of another address';
is $curl->raw("GET /metrics HTTP/1.0\r\nAuthorization: Bearer $limited\r\n\r\n")->status, 500,
    'G85a limited token: a request without a host is not known';
is $app->count, $before, 'G85a limited token: the application was not asked';

# Nothing that a client adds changes that: neither on what the token may not open, nor on what it may.
my @LINES = (
    ['X-Original-URL'     => '/metrics'], ['X-Original-URL'     => 'http://localhost/metrics'],
    ['X-Original-Method'  => 'GET'],      ['X-Forwarded-Method' => 'GET'],
    ['X-Forwarded-Uri'    => '/metrics'], ['X-Forwarded-Host'   => 'localhost'],
    ['X-Forwarded-Proto'  => 'https'],    ['X-Original-Uri'     => '/metrics'],
    ['X_Original_URL'     => '/metrics'], ['X_Forwarded_Uri'    => '/metrics'],
    ['X-Rewrite-URL'      => '/metrics'], ['X-HTTP-Method-Override' => 'GET'],
    ['X-Forwarded-For'    => '127.0.0.1'], ['Forwarded'         => 'for=127.0.0.1;host=localhost;proto=https'],
);
for my $lines (map({ [@$_] } @LINES), map({ [@$_, @$_] } @LINES), [map { @$_ } @LINES]) {
    my $name = join ' ', @$lines > 8 ? 'all' : @$lines;
    is outcome($curl, 'GET', '/admin', @token, @$lines), 403, "G85a another path, $name";
    is outcome($curl, 'POST', '/metrics', @token, @$lines), 403, "G85a another method, $name";
    is outcome($curl, 'GET', '/metrics', @token, @$lines), $ALICE, "G85a what it may open, $name";
}

# Straight to the gate, from peers that it does not believe and from the one that it does.
my @told = ('X-Original-URL' => 'https://localhost/metrics', 'X-Original-Method' => 'GET');
my @forwarded = ('X-Forwarded-Method' => 'GET', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'localhost',
    'X-Forwarded-Uri' => '/metrics');
my $proxy    = $gate->client(headers => []);
my $stranger = $gate->client(headers => [], from => '127.0.0.2');
my $local    = $gate->client(headers => [], unix => $gate->path('gate.sock'));
for my $path (qw(/verify /verify-or-login)) {
    for my $fields (\@told, \@forwarded) {
        my $kind = "$path $fields->[0]";
        is $proxy->get($path, @token, @$fields)->status, 204, "G85a $kind: of a proxy that is believed";
        is $proxy->get($path, @token, @$fields, 'X-Forwarded-For' => '198.51.100.9')->status, 204,
            "G85a $kind: whomever it speaks for";
        is $stranger->get($path, @token, @$fields)->status, 403, "G85a $kind: of a stranger";
        is $stranger->get($path, @token, @$fields, 'X-Forwarded-For' => $_)->status, 403,
            "G85a $kind: of a stranger who says to be $_" for '127.0.0.1', '127.0.0.1, 127.0.0.1', 'unix:';
        is $local->get($path, @token, @$fields)->status, 403, "G85a $kind: over a unix socket";
        is $local->get($path, @token, @$fields, 'X-Forwarded-For' => '127.0.0.1')->status, 403,
            "G85a $kind: over a unix socket, which says to be the proxy";
    }
    is $proxy->get($path, @token)->status, 403, "G85a $path: of a proxy that tells nothing";
    is $proxy->get($path, @token, @told, 'X-Forwarded-Uri' => '/admin')->status, 403,
        "G85a $path: of a proxy that tells two things";
    is $stranger->get($path, Authorization => "Bearer $any", @told)->status, 204,
        "G85a $path: a token without limits of a stranger";
}
is $proxy->get('/metrics', @token, @told)->status, 404, 'G85a only authgate_verify reads them';

# What another user may is none of a group's.
my %user;
$user{$_} = $front->client for qw(alice bob);
$user{$_}->sign_in($_) for keys %user;
is $user{alice}->get('/sre/')->status, 200, 'authgate_require';
is outcome($user{bob}, 'GET', '/sre/'), 403, 'authgate_require, another';
is $user{bob}->get('/', 'Sec-Fetch-Mode' => 'navigate')->status, 200, 'who has a session all the same';

# What the gate calls the user, where a verifier and no gate stands, is nobody unverified.
my $log = AuthGate::read_file($gate->path('logs/who.log'));
like $log, qr{^127\.0\.0\.1 127\.0\.0\.1 /verify 204 user="alice" remote="alice"$}m, 'G82 the verified user in the log';
my $cookie_only = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie; }
    server {
        listen 127.0.0.1:%%PORT%%;
        location = /verify { authgate_verify ops; add_header X-User "<$remote_user>" always; }
        location /authgate/ { authgate_endpoints ops; }
        location / {
            auth_request /verify;
            auth_request_set $who $remote_user;
            add_header X-Who "<$who>" always;
            root %%DIR%%/html;
        }
    }
EOF_HTTP
my $alice = $cookie_only->client;
$alice->sign_in('alice');
my @bob = basic('bob', 'canary-not-looked-at');
is $alice->get('/verify', @bob)->header('X-User'), '<alice>', 'G82 $remote_user of a verifier';
is $alice->get('/hello.txt', @bob)->header('X-Who'), '<alice>', 'G82 $remote_user through auth_request_set';
is $cookie_only->client(headers => [])->get('/verify', @bob)->header('X-User'), '<>',
    'G82 $remote_user of a verifier, nobody';

# The cookie is renewed through the front, and a response with it is nobody else's.
my $old = $browser->cookie('__Host-authgate');
my $renewed;
AuthGate::Server::wait_until {
    $renewed = $browser->get('/metrics');
    $renewed->headers('Set-Cookie');
}
20, 'a renewed cookie';
is $renewed->status, 200, 'a renewed cookie comes with the response';
is scalar(() = $renewed->headers('Set-Cookie')), 1, 'once';
like $renewed->header('Set-Cookie'), qr/^__Host-authgate=/, 'of the gate';
is $renewed->header('Cache-Control'), 'private', 'H96 which is nobody else\'s';
isnt $browser->cookie('__Host-authgate'), $old, 'another one';
is outcome($browser, 'GET', '/'), $ALICE, 'which holds';
my $next = $browser->get('/');
is join('|', $next->headers('Set-Cookie'), $next->headers('Cache-Control')), '', 'and nothing with the next response';

# And out again.
is $browser->sign_out->status, 303, 'signing out through the front';
is outcome($browser, 'GET', '/', Cookie => "__Host-authgate=$old"), 302, 'A23 ends the session';

done_testing;
