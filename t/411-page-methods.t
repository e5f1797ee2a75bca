# Unknown names, methods, and what is never asked of a page: conditions and ranges (H97).

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
        if_modified_since before;
        add_header Last-Modified "Thu, 01 Jan 1970 00:00:00 GMT";
        add_header ETag '"x"';
    }
EOF_HTTP

my $client = $server->client;
my $json   = $server->client(headers => [ Accept => 'application/json' ]);
my $alice  = $server->client;
$alice->sign_in('alice');

for my $name ('', qw(nothing login/ login/x logins Login login.html logout/ session/ ..login static/x.css)) {
    is $client->get("/authgate/$name")->status, 404, "/authgate/$name: 404";
    is $alice->get("/authgate/$name")->status, 404, "/authgate/$name when signed in: 404";
}
is $client->post('/authgate/nothing', [])->status, 404, 'an unknown name by POST: 404';
is $json->get('/authgate/nothing')->header('Content-Type'), 'application/json',
    'as JSON where that is wanted';
is $client->get('/authgate')->status, 302, 'the path without its last slash is none of the pages';
is $client->get('/authgate/../authgate/./login')->status, 200, 'a page by another spelling of its path';
is $client->get('/authgate//login')->status, 200, 'slashes are merged as nginx merges them';
is $client->get('/%61uthgate/log%69n')->status, 200, 'and codes decoded';

my %allow = (login => 'GET, HEAD, POST', logout => 'GET, HEAD, POST', session => 'GET, HEAD');
for my $name (sort keys %allow) {
    for my $method (qw(PUT DELETE PATCH OPTIONS PROPFIND FOO), $name eq 'session' ? 'POST' : ()) {
        my $response = $client->request($method, "/authgate/$name", '');
        is $response->status, 405, "$method $name: 405";
        is $response->header('Allow'), $allow{$name}, "$method $name: Allow";
        is $response->headers('Set-Cookie'), 0, "$method $name: no cookie";
    }
}
is $alice->request('DELETE', '/authgate/logout', '')->status, 405, 'DELETE logout is no logout';
is $alice->get('/hello.txt')->status, 200, 'the session goes on';
is $client->request('TRACE', '/authgate/login', undef)->status, 405, 'TRACE is refused by nginx';

for my $path (qw(login logout session nothing)) {
    for my $who ($client, $alice) {
        my $whose = $who == $alice ? 'signed in' : 'signed out';
        my $get   = $who->get("/authgate/$path");
        my $head  = $who->request('HEAD', "/authgate/$path", undef);
        is $head->status, $get->status, "HEAD $path, $whose: the status of GET";
        is $head->header('Content-Length'), $get->header('Content-Length'), "HEAD $path, $whose: the length";
        is $head->header('Content-Type'), $get->header('Content-Type'), "HEAD $path, $whose: the type";
    }
}
for my $path ('login', 'nothing') {
    my $socket = $client->connect;
    print $socket "HEAD /authgate/$path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my $all = join '', <$socket>;
    like $all, qr/\AHTTP\/1\.1 [^\0]*\r\n\r\n\z/, "HEAD $path: no byte of a body";
}

my @conditions = (
    'If-None-Match: *'    => [ 'If-None-Match'       => '*' ],
    'If-None-Match'       => [ 'If-None-Match'       => '"x"' ],
    'If-Modified-Since'   => [ 'If-Modified-Since'   => 'Fri, 31 Dec 2100 00:00:00 GMT' ],
    'If-Match'            => [ 'If-Match'            => '"y"' ],
    'If-Unmodified-Since' => [ 'If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT' ],
    'Range'               => [ 'Range'               => 'bytes=0-9' ],
    'Range at the end'    => [ 'Range'               => 'bytes=-5' ],
    'an empty Range'      => [ 'Range'               => 'bytes=1000000-' ],
    'Range and If-Range'  => [ 'Range'               => 'bytes=0-9', 'If-Range' => '"x"' ],
);
while (my ($what, $headers) = splice @conditions, 0, 2) {
    my $page = $client->get('/authgate/login', @$headers);
    is $page->status, 200, "H97 login page, $what: 200";
    is $page->body, $client->get('/authgate/login')->body, "H97 login page, $what: all of it";
    is $page->header('Accept-Ranges'), undef, "H97 login page, $what: no ranges";
    is $alice->get('/authgate/logout', @$headers)->status, 200, "H97 logout page, $what: 200";
    is $alice->get('/authgate/session', @$headers)->status, 200, "H97 session, $what: 200";
    is $alice->get('/authgate/login', @$headers)->status, 303, "H97 login page when signed in, $what: 303";
    is $client->get('/authgate/nothing', @$headers)->status, 404, "H97 unknown name, $what: 404";
    is $client->get('/hello.txt', @$headers)->status, 302, "H97 redirect to the login, $what: 302";
    is $client->get('/hello.txt', @$headers, 'Sec-Fetch-Mode' => 'cors')->status, 401,
        "H97 refusal, $what: 401";
}
is $alice->get('/hello.txt', Range => 'bytes=0-4')->status, 206, 'H97 a file has ranges';

my $old = $client->raw("GET /authgate/login HTTP/1.0\r\n\r\n");
is $old->status, 200, 'HTTP/1.0 without Host';
is $old->header('Content-Length'), length $old->body, 'its length';
is $client->raw("GET /authgate/login\r\n")->body, $old->body, 'HTTP/0.9';

done_testing;
