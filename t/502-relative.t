# Redirects on this host are relative: no name that a client sends gets into one (D55). A gated POST is
# never replayed (D56).

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name gate.example;
        authgate ops;
        root %%DIR%%/html;
        absolute_redirect on;
        server_name_in_redirect on;
        port_in_redirect on;
        location /app { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_behind%%;
        access_log %%DIR%%/logs/behind.log;
        location / { return 200 "$request_method $request_uri"; }
    }
EOF_HTTP

sub behind () { return AuthGate::read_file($server->path('logs/behind.log')) }

my @hosts = (
    'Host'                  => [ Host => 'evil.com' ],
    'Host with a port'      => [ Host => 'evil.com:1234' ],
    'X-Forwarded-Host'      => [ 'X-Forwarded-Host' => 'evil.com' ],
    'X-Forwarded-Proto'     => [ 'X-Forwarded-Proto' => 'https' ],
    'X-Forwarded-Port'      => [ 'X-Forwarded-Port' => '1234' ],
    'X-Forwarded-Uri'       => [ 'X-Forwarded-Uri' => '/evil' ],
    'X-Original-URL'        => [ 'X-Original-URL' => '/evil' ],
    'X-Forwarded-Prefix'    => [ 'X-Forwarded-Prefix' => '//evil.com' ],
    'Forwarded'             => [ Forwarded => 'host=evil.com;proto=https' ],
    'Referer'               => [ Referer => 'https://evil.com/' ],
);
while (my ($what, $headers) = splice @hosts, 0, 2) {
    my $client = $server->client;
    is $client->get('/app/a?b', @$headers)->header('Location'), '/authgate/login?rd=/app/a%3Fb',
        "D55 $what: the redirect to the login";
    is $client->get('/app', @$headers, 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json')->body,
        qq({"error":"unauthenticated","login":"/authgate/login?rd=/app"}\n), "D55 $what: its address in JSON";
    is $client->get('/authgate/logout', @$headers)->header('Location'), '/authgate/login',
        "D55 $what: GET logout";
    my $page = $client->get('/authgate/login?rd=/app', @$headers);
    is AuthGate::Page->parse($page->body)->action, '/authgate/login', "D55 $what: the form";
    unlike $page->raw, qr/evil/, "D55 $what: nothing of it on the page";
    is $client->login('alice', $PASSWORD{alice}, rd => '/app', headers => $headers)->header('Location'), '/app',
        "D55 $what: the login";
    is $client->get('/authgate/login?rd=/app', @$headers)->header('Location'), '/app',
        "D55 $what: GET login when signed in";
    is $client->post('/authgate/logout', [], @$headers)->header('Location'), '/authgate/login',
        "D55 $what: the logout";
}
my $absolute = "GET http://evil.com/app HTTP/1.1\r\nHost: evil.com\r\nAccept: text/html\r\n";
is $server->client->raw("${absolute}Connection: close\r\n\r\n")->header('Location'),
    '/authgate/login?rd=/app', 'D55 an absolute request target: its path alone';

# POST.
my $client = $server->client;
my $post   = $client->post('/app/save?x=1', [ a => 'b' ]);
is $post->status, 401, 'D56 a gated POST: 401, no redirect';
is $post->header('Location'), undef, 'D56 to nowhere';
my $link = AuthGate::Page->parse($post->body)->link;
is $link, '/authgate/login?rd=/app/save%3Fx%3D1', 'D56 but a link to the login';
is $client->post('/app/save', [ a => 'x' x 1_000_000 ])->status, 401, 'D56 a long one';
unlike behind(), qr/save/, 'D56 the application has seen nothing of it';

my $form = AuthGate::Page->parse($client->get($link)->body);
my $in   = $client->login('alice', $PASSWORD{alice}, rd => $form->field('rd'));
is $in->status, 303, 'D56 after the login 303, so that a browser asks with GET';
is $client->get($in->header('Location'))->body, 'GET /app/save?x=1', 'D56 for rd, once';
unlike behind(), qr/"POST/, 'D56 and nothing is ever posted';
is $client->post('/app/save', [ a => 'b' ])->body, 'POST /app/save', 'D56 signed in a POST goes on';

for my $method (qw(PUT DELETE PATCH)) {
    is $server->client->request($method, '/app/save', 'x')->status, 401, "D56 a gated $method: 401";
}

done_testing;
