# The places of the gate among nginx's modules: behind the other access checkers, before mirror and
# try_files, and the filter behind headers (facts 1 to 3).

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    log_format backend '$request_method $request_uri cookie=$http_cookie body=$request_body';

    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location / { }
        location /denied { deny all; }
        location /basic  { auth_basic x; auth_basic_user_file %%DIR%%/htpasswd; }
        location /request { auth_request /says-403; }
        location = /says-403 { internal; return 403; }

        location /backend { try_files /nothing @backend; }
        location /post    { try_files $uri @backend; }
        location @backend { authgate off; proxy_pass http://127.0.0.1:%%PORT_backend%%; }

        location /ssi     { ssi on; ssi_types text/plain; }
        location /open-ssi { authgate off; ssi on; ssi_types text/plain; }
        location /part    { proxy_pass http://127.0.0.1:%%PORT_backend%%; }
    }

    # Everything that writes headers.
    server {
        listen 127.0.0.1:%%PORT_headers%%;
        root %%DIR%%/html;
        authgate ops;
        expires 1d;
        add_header Referrer-Policy no-referrer always;
        add_header Cache-Control "public, max-age=86400" always;
        add_header Set-Cookie "authgate=planted; Path=/" always;
        add_header Set-Cookie "theme=dark; Path=/" always;
        add_header X-Frame-Options SAMEORIGIN always;
        add_header X-Added yes always;
    }

    # Everything that looks at requests.
    server {
        listen 127.0.0.1:%%PORT_mirror%%;
        root %%DIR%%/html;
        authgate ops;
        mirror /mirror;
        location = /mirror { authgate off; internal; proxy_pass http://127.0.0.1:%%PORT_backend%%/mirrored$request_uri; }
        location /         { proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /open     { authgate off; proxy_pass http://127.0.0.1:%%PORT_backend%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_try%%;
        root %%DIR%%/html;
        authgate ops;
        try_files $uri @backend;
        location @backend { proxy_pass http://127.0.0.1:%%PORT_backend%%; }
    }

    server {
        listen 127.0.0.1:%%PORT_backend%%;
        access_log %%DIR%%/logs/backend.log backend;
        location / { proxy_pass http://127.0.0.1:%%PORT_last%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_last%%;
        access_log off;
        location / { return 200 "backend: cookie $http_cookie\n"; }
    }
EOF_HTTP

mkdir $server->path("html/$_") for qw(ssi open-ssi);
AuthGate::write_file($server->path('html/ssi/page.txt'), "page <!--#include virtual=\"/part/1\" --> end\n");
AuthGate::write_file($server->path('html/open-ssi/page.txt'),
    "open <!--#include virtual=\"/authgate/session\" --> end\n");
AuthGate::write_file($server->path('html/open-ssi/login.txt'),
    "open <!--#include virtual=\"/authgate/login\" --> end\n");
AuthGate::write_file($server->path('htpasswd'), "nobody:x\n");
$server->run;

my $browser = $server->client;
my $alice = $server->client;
$alice->sign_in('alice');
my $cookie = 'theme=dark; ' . $alice->cookie_header . '; lang=en';

sub backend_log () { return AuthGate::read_file($server->path('logs/backend.log')) }

# Fact 1: the gate is asked last.
for my $case (['/denied', 403], ['/basic', 401], ['/request', 403]) {
    my ($path, $status) = @$case;
    my $response = $browser->get($path);
    is $response->status, $status, "fact 1 $path: the other checker speaks first";
    is $response->header('Location'), undef, "fact 1 $path: no redirect";
}
is $browser->get('/elsewhere')->status, 302, 'fact 1 twin: without another checker the gate redirects';

# Fact 1: the filter has the last word.
my $headers = $server->client(port => $server->port('headers'));
for my $case (
    ['the login page', '/authgate/login', 200],
    ['a redirect', '/hello.txt', 302],
    ['a 404 of the gate', '/authgate/x', 404]
    )
{
    my ($name, $path, $status) = @$case;
    my $response = $headers->get($path);
    is $response->status, $status, "fact 1 $name: $status";
    is_deeply [$response->headers('Cache-Control')], ['no-store'],
        "fact 1 $name: expires and add_header do not make it cacheable";
    is_deeply [$response->headers('Expires')], [], "fact 1 $name: no Expires";
    is_deeply [$response->headers('Set-Cookie')], ['theme=dark; Path=/'],
        "fact 1 $name: no cookie of the gate's name from elsewhere";
    is_deeply [$response->headers('X-Added')], ['yes'], "fact 1 $name: other headers stay";
}
is_deeply [$headers->get('/authgate/login')->headers('Referrer-Policy')], ['same-origin'],
    'fact 1 the login page: one Referrer-Policy, its own';
is_deeply [$headers->get('/authgate/login')->headers('X-Frame-Options')], ['DENY'],
    'fact 1 the login page: one X-Frame-Options, its own';
my $signed_in = $headers->login('alice', $PASSWORD{alice});
is $signed_in->status, 303, 'fact 1 a login: 303';
is scalar(grep { /^authgate=v1\./ } $signed_in->headers('Set-Cookie')), 1,
    'fact 1 a login: the cookie of the gate';
is scalar(grep { /^authgate=/ } $signed_in->headers('Set-Cookie')), 1,
    'fact 1 a login: no other of its name';
is_deeply [$signed_in->headers('Cache-Control')], ['no-store'], 'fact 1 a login: not cacheable';
my $content = $headers->get('/hello.txt');
is $content->status, 200, 'fact 1 twin: the content';
is_deeply [$content->headers('Referrer-Policy')], ['no-referrer'], 'fact 1 twin: its headers are its own';
ok scalar(grep { /max-age=86400/ } $content->headers('Cache-Control')), 'fact 1 twin: it may be cached';
is_deeply [$content->headers('Set-Cookie')], ['theme=dark; Path=/'],
    'fact 1 twin: no cookie of the gate\'s name';

# Fact 2: mirror.
my $mirrored = $server->client(port => $server->port('mirror'));
is $mirrored->get('/secret')->status, 302, 'fact 2 mirror: refused';
is $mirrored->post('/secret', [x => 'canary-body'])->status, 401, 'fact 2 mirror: a post refused';
is $mirrored->login('alice', 'canary-wrong')->status, 403, 'fact 2 mirror: a wrong login';
is $mirrored->sign_in('alice')->status, 303, 'fact 2 mirror: a login';
is backend_log(), '', 'fact 2 mirror: nothing of a refused request or a login is mirrored';
is $mirrored->get('/page', Cookie => $cookie)->body, "backend: cookie theme=dark; lang=en\n",
    'fact 2 mirror: the request itself';
AuthGate::Server::wait_until { backend_log() =~ m{/mirrored/page} } 5, 'the mirrored request';
like backend_log(), qr{^GET /mirrored/page cookie=theme=dark; lang=en body=}m,
    'fact 2 mirror: without the cookie of the gate';
is $mirrored->get('/open', Cookie => $cookie)->status, 200, 'fact 2 mirror: an open location';
AuthGate::Server::wait_until { backend_log() =~ m{/mirrored/open} } 5, 'the mirrored request';
like backend_log(), qr{^GET /mirrored/open cookie=theme=dark; lang=en body=}m,
    'fact 2 mirror: an open location, without the cookie';
unlike backend_log(), qr/authgate=|v1\./, 'fact 2 mirror: no token in any';

# Fact 2: subrequests.
is $browser->get('/ssi/page.txt')->status, 302, 'fact 2 SSI: a gated page';
is $alice->get('/ssi/page.txt', Cookie => $cookie)->body,
    "page backend: cookie theme=dark; lang=en\n end\n",
    'fact 2 SSI: its parts are fetched without the cookie of the gate';
is $browser->get('/open-ssi/page.txt')->status, 200,
    'fact 2 SSI: an open page that includes a page of the gate';
like $alice->get('/open-ssi/page.txt')->body, qr/\Aopen .*end\n\z/s, 'fact 2 SSI: the same for alice';
like $browser->get('/open-ssi/login.txt')->body, qr/\Aopen .*end\n\z/s,
    'fact 2 SSI: the login page as a part';
is $browser->post('/open-ssi/login.txt', [username => 'alice', password => 'canary-wrong'])->status, 405,
    'fact 2 SSI: a post to it reaches no login';

# Fact 3: try_files and a named location.
my $before = length backend_log();
for my $port ('', 'try') {
    for my $path (qw(/backend /backend/deeper /post)) {
        my $client = $server->client(port => $server->port($port));
        is $client->get($path)->status, 302, "fact 3 $path $port: refused";
        unlike $client->get($path)->raw, qr/backend: /, "fact 3 $path $port: no content";
        is $client->post($path, [a => 'b'])->status, 401, "fact 3 $path $port: a post is refused";
        is $client->get($path, Accept => '*/*', 'Sec-Fetch-Mode' => 'cors')->status, 401,
            "fact 3 $path $port: a fetch is refused";
    }
}
is length backend_log(), $before, 'fact 3 the backend saw none of it';
my $try = $server->client(port => $server->port('try'));
like $try->get('/authgate/login')->body, qr/<form\b/, 'fact 3 try_files does not take the login page away';
is $try->sign_in('alice')->status, 303, 'fact 3 nor the login';
is $try->get('/x')->body, "backend: cookie \n", 'fact 3 twin: alice gets to the backend';
is $alice->get('/backend', Cookie => $cookie)->body, "backend: cookie theme=dark; lang=en\n",
    'fact 3 twin: without the cookie of the gate';

done_testing;
