# The location's own error_page holds for 401; it never touches the 302 nor the gate's own pages.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;

        location /named  { error_page 401 = @own; error_page 302 403 404 405 415 = @own; }
        location /status { error_page 401 /own.html; }
        location /other  { error_page 401 =418 /own.html; }
        location /url    { error_page 401 = https://sso.example/; }
        location /gated  { error_page 401 /gated-page.html; }
        location /not    { error_page 403 404 /own.html; }
        location /proxied {
            error_page 401 = @own;
            proxy_intercept_errors on;
            proxy_pass http://127.0.0.1:%%PORT_behind%%;
        }
        location /first  { authgate off; recursive_error_pages on; error_page 404 /second; }
        location /only   { authgate off; error_page 404 /second; }
        location /second { error_page 401 = @own; }
        location /dressed { error_page 401 /dressed.html; }
        location = /dressed.html {
            authgate off;
            alias %%DIR%%/html/own.html;
            expires 1d;
            add_header Cache-Control public always;
        }
        location = /own.html { authgate off; }
        location @own { authgate off; return 200 "own"; }
        location /authgate/ { error_page 302 303 400 401 403 404 405 413 415 503 = @own; }
    }
    server { listen 127.0.0.1:%%PORT_behind%%; return 401 "of the application"; }
EOF_HTTP
AuthGate::write_file($server->path('html/own.html'), 'the own page');
AuthGate::write_file($server->path('html/gated-page.html'), 'behind the gate');

my @script = ('Sec-Fetch-Mode' => 'cors');
my $client = $server->client;

# 401: the configuration's page.
my $named = $client->get('/named', @script);
is $named->status, 200, 'error_page 401 = @own: what it says';
is $named->body, 'own', 'error_page 401 = @own: its body';
my $status = $client->get('/status', @script);
is $status->status, 401, 'error_page 401 /page: still 401';
is $status->body, 'the own page', 'error_page 401 /page: its body';
is $status->header('WWW-Authenticate'), 'Bearer realm="ops"', 'error_page 401 /page: with the challenge';
is_deeply [ $status->headers('Cache-Control') ], ['no-store'], 'error_page 401 /page: not to be stored';
my $dressed = $client->get('/dressed', @script);
is $dressed->status, 401, 'error_page 401 to a page that expires: still 401';
like join(', ', $dressed->headers('Cache-Control')), qr/\bno-store\b/,
    'error_page 401 to a page that expires: not to be stored';
is $dressed->headers('WWW-Authenticate'), 1, 'error_page 401 to a page that expires: one challenge';
is $client->request('HEAD', '/status', undef, @script)->status, 401, 'error_page 401 /page: HEAD';
is $client->post('/status', [ a => 1 ])->body, 'the own page', 'error_page 401 /page: POST';
is $client->get('/other', @script)->status, 418, 'error_page 401 =418: another status';
is $client->get('/url', @script)->header('Location'), 'https://sso.example/',
    'error_page 401 to another server';
my $gated = $client->get('/gated', @script);
is $gated->status, 401, 'H90 error_page 401 to a gated page: 401, no loop';
unlike $gated->body, qr/behind the gate/, 'H90 and nothing of that page';
is $client->get('/not', @script)->status, 401, 'error_page for other statuses: 401';
unlike $client->get('/not', @script)->body, qr/own/,
    'error_page for other statuses: the own body of the gate';
is $client->get('/proxied', @script)->body, 'own', 'error_page 401 = @own before a proxy';
is $client->get('/second', @script)->body, 'own', 'recursive_error_pages: the first page';
is $client->get('/first', @script)->body, 'own', 'recursive_error_pages: the page of a page';
is $client->get('/only',  @script)->status, 401, 'without it: no page of a page';

# 302: never.
for my $path (qw(/named /status /other /url /gated /not /proxied)) {
    my $response = $client->get($path);
    is $response->status, 302, "$path: a navigation is redirected all the same";
    is $response->header('Location'), "/authgate/login?rd=$path", "$path: to the login page";
}

# The gate's pages: never.
is $client->get('/authgate/login')->status, 200, 'the login page';
like $client->login('alice', 'wrong')->body, qr/Wrong user name/, 'a wrong password: the form';
is $client->login('alice', 'wrong')->status, 403, 'a wrong password: 403';
is $client->post('/authgate/login', [ rd => 1, rd => 2 ])->status, 400, 'a bad form: 400';
is $client->request('POST', '/authgate/login', 'x' x 9000,
    'Content-Type' => 'application/x-www-form-urlencoded')->status, 413, 'a large form: 413';
is $client->request('POST', '/authgate/login', 'x', 'Content-Type' => 'text/plain')->status, 415,
    'no form: 415';
is $client->login('alice', $PASSWORD{alice}, headers => [ 'Sec-Fetch-Site' => 'cross-site' ])->status, 403,
    'a post from another site: 403';
is $client->get('/authgate/nothing')->status, 404, 'an unknown name: 404';
is $client->request('PUT', '/authgate/login', '')->status, 405, 'another method: 405';
is $client->get('/authgate/session')->status, 401, 'no session: 401';
is $client->sign_in('alice')->status, 303, 'a login: 303';
is $client->get('/authgate/login')->status, 303, 'the login page when signed in: 303';

# Who is signed in gets the application's own.
is $client->get('/proxied')->body, 'own', 'the 401 of an application is its own matter';
is $client->get('/own.html')->status, 200, 'signed in';
is $client->sign_out->status, 303, 'a logout: 303';

done_testing;
