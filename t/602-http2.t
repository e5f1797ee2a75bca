# Refusals and pages over HTTP/2.

use v5.36;

use AuthGate;
use AuthGate::Nghttp;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%% http2;
        authgate ops;
        root %%DIR%%/html;
        expires 1d;
    }
EOF_HTTP

my $FORM = 'application/x-www-form-urlencoded';

sub ask ($method, $path, $body, @headers) {
    return AuthGate::Nghttp::request($server->port, $method, $path, $body, {}, @headers);
}

my @navigate = ('Sec-Fetch-Mode' => 'navigate', Accept => 'text/html');
my $moved    = ask('GET', '/hello.txt', undef, @navigate);
is $moved->status, 302, 'a navigation: 302';
is $moved->header('Location'), '/authgate/login?rd=/hello.txt', 'to the login page';
is_deeply [ $moved->headers('Cache-Control') ], ['no-store'], 'not to be stored';

my $refused = ask('GET', '/hello.txt', undef, 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json');
is $refused->status, 401, 'a script: 401';
is $refused->header('WWW-Authenticate'), 'Bearer realm="ops"', 'the challenge';
is $refused->header('Content-Type'), 'application/json', 'the format';
is ask('POST', '/hello.txt', 'x' x 300_000, 'Content-Type' => 'text/plain')->status, 401, 'a long POST: 401';

my $page = ask('GET', '/authgate/login', undef, @navigate);
is $page->status, 200, 'the login page';
is $page->header('Content-Type'), 'text/html; charset=utf-8', 'its type';
is_deeply [ $page->headers('Cache-Control') ], ['no-store'], 'not to be stored';
is ask('HEAD', '/authgate/login', undef, @navigate)->header('Content-Length'), $page->header('Content-Length'), 'HEAD';
is ask('PUT', '/authgate/login', 'x', @navigate)->header('Allow'), 'GET, HEAD, POST', 'another method: Allow';
is ask('GET', '/authgate/nothing', undef, @navigate)->status, 404, 'an unknown name: 404';

my $body = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice}, rd => '/hello.txt' ]);
my $post = [ 'Content-Type' => $FORM, Accept => 'text/html' ];
my $cross = ask('POST', '/authgate/login', $body, @$post, 'Sec-Fetch-Site' => 'cross-site');
is $cross->status, 403, 'C37 a cross-site post: 403';
is $cross->headers('Set-Cookie'), 0, 'C37 no cookie';
is ask('POST', '/authgate/login', $body, @$post, Origin => 'null')->status, 403, 'C37 Origin null: 403';
my $here = 'http://127.0.0.1:' . $server->port;
is ask('POST', '/authgate/login', $body, @$post, Origin => $here)->status, 303,
    'C37 our own Origin, where the host is the pseudo-header :authority';

my $in = ask('POST', '/authgate/login', $body, @$post);
is $in->status, 303, 'a login: 303';
is $in->header('Location'), '/hello.txt', 'to rd';
my ($cookie) = $in->header('Set-Cookie') =~ /\A(authgate=[^;]+);/;
is ask('GET', '/hello.txt', undef, @navigate, Cookie => $cookie)->status, 200, 'signed in';
is ask('POST', '/authgate/logout', '', Cookie => $cookie)->status, 303, 'a logout';
is ask('GET', '/hello.txt', undef, @navigate, Cookie => $cookie)->status, 302, 'signed out';

done_testing;
