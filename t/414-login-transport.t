# How a login may come over the wire, and who else may see it: nobody.

use v5.36;

use AuthGate;
use AuthGate::Server;
use IO::Socket::UNIX;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen unix:%%DIR%%/nginx.sock;
        authgate ops;
        root %%DIR%%/html;
        location /app { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location /ssi { ssi on; ssi_types *; }
        location /refused { error_page 401 = @login; }
        location /fails {
            proxy_intercept_errors on;
            error_page 401 = @login;
            proxy_pass http://127.0.0.1:%%PORT_behind%%;
        }
        location @login { rewrite ^ /authgate/login last; }
        location /tried { try_files /nothing /authgate/login; }
        location /accelerated { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
    }
    server {    # every body goes to a mirror, and is passed on as it comes
        listen 127.0.0.1:%%PORT_mirrored%%;
        authgate ops;
        mirror /mirror;
        mirror_request_body on;
        location = /mirror { internal; authgate off; proxy_pass http://127.0.0.1:%%PORT_behind%%/mirror; }
        location / {
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:%%PORT_behind%%;
        }
    }
    server {    # less than a form has
        listen 127.0.0.1:%%PORT_small%%;
        authgate ops;
        root %%DIR%%/html;
        client_max_body_size 20;
        keepalive_timeout 0;
    }
    server {
        listen 127.0.0.1:%%PORT_behind%%;
        access_log %%DIR%%/logs/behind.log;
        location / { return 204; }
        location /fails { return 401; }
        location /accelerated { add_header X-Accel-Redirect /authgate/login; return 204; }
    }
EOF_HTTP

my $FORM   = 'application/x-www-form-urlencoded';
my $body   = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice}, rd => '/a' ]);
my $client = $server->client;

sub request ($body, @headers) {
    return join "\r\n", 'POST /authgate/login HTTP/1.1', 'Host: x', 'Accept: text/html', "Content-Type: $FORM",
        @headers, '', $body;
}
my $length = 'Content-Length: ' . length $body;

is $client->raw(request($body, $length, 'Connection: close'))->status, 303, 'a length';
is $client->raw(request('', 'Connection: close'))->status, 403, 'neither length nor body: nothing filled in';
is $client->raw(request('', 'Content-Length: 0', 'Connection: close'))->status, 403, 'a length of 0';
is $client->raw("POST /authgate/login HTTP/1.0\r\nContent-Type: $FORM\r\n$length\r\n\r\n$body")->status, 303,
    'HTTP/1.0';
is $client->raw(request("0\r\n\r\n", 'Transfer-Encoding: chunked', 'Connection: close'))->status, 403,
    'no chunk';
my $chunk = sprintf "%X;extension=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n", length $body, $body;
is $client->raw(request($chunk, 'Transfer-Encoding: chunked', 'Connection: close'))->status, 303,
    'chunks with an extension and a trailer';
is $client->raw(request("zz\r\n", 'Transfer-Encoding: chunked', 'Connection: close'))->status, 400,
    'broken chunks: 400';
is $client->raw(request("5\r\nusernx\r\n", 'Transfer-Encoding: chunked', 'Connection: close'))->status, 400,
    'chunks that break later: 400';
is $client->raw(request($body, $length, 'Transfer-Encoding: chunked', 'Connection: close'))->status, 400,
    'a length and chunks: 400';

# Expect: the client waits before it sends the body.
my $socket = $client->connect;
print $socket request('', $length, 'Expect: 100-continue', 'Connection: close');
like scalar(readline $socket), qr{\AHTTP/1\.1 100 }, 'Expect: 100 Continue';
readline $socket;
print $socket $body;
is AuthGate::Response->read($socket, 'POST')->status, 303, 'Expect: the login';
$socket = $client->connect;
print $socket request('', $length, 'Expect: 100-continue', 'Sec-Fetch-Site: cross-site', 'Connection: close');
readline $socket for 1 .. 2;    # nginx says 100 before it throws a body away
is AuthGate::Response->read($socket, 'POST')->status, 403,
    'Expect: what is refused is refused without the body';

# Several on one connection, sent at once.
$socket = $client->connect;
my $wrong = AuthGate::Client::form([ username => 'alice', password => 'wrong' ]);
print $socket request($body, $length), request($wrong, 'Content-Length: ' . length $wrong),
    request($chunk, 'Transfer-Encoding: chunked'), "GET /authgate/nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    request($body, $length, 'Connection: close');
is AuthGate::Response->read($socket, $_->[0])->status, $_->[1], "one connection, $_->[2]"
    for [ POST => 303, 'a login' ], [ POST => 403, 'a wrong password' ], [ POST => 303, 'a login in chunks' ],
    [ GET => 404, 'another page' ], [ POST => 303, 'another login' ];
is scalar(readline $socket), undef, 'one connection, closed after the last';

# A unix socket, which has no address.
my $unix = IO::Socket::UNIX->new(Peer => $server->path('nginx.sock')) or die $!;
my $in;
my @lines = $server->lines_of(
    sub {
        print $unix request($body, $length, 'Connection: close');
        $in = AuthGate::Response->read($unix, 'POST');
    }
);
is $in->status, 303, 'a unix socket: a login';
like $lines[0], qr/authgate: login ok, user "alice", realm "ops", client: unix:,/,
    'a unix socket: its line in the log';

# A body over the location's own limit.
my $small = $server->client(port => $server->port('small'));
is $small->login('alice', $PASSWORD{alice})->status, 413, 'client_max_body_size: nginx refuses it';
is $small->get('/authgate/login')->status, 200, 'client_max_body_size: the page is there';

# Mirrors and applications never see a login.
my $mirrored = $server->client(port => $server->port('mirrored'));
is $mirrored->get('/authgate/login')->status, 200, 'a mirror: the page';
is $mirrored->login('alice', 'wrong')->status, 403, 'a mirror: a wrong password';
is $mirrored->sign_in('alice')->status, 303, 'a mirror: a login';
is $mirrored->get('/authgate/session')->status, 200, 'a mirror: the session';
is AuthGate::read_file($server->path('logs/behind.log')), '', 'a mirror has seen none of it';
is $mirrored->post('/app', [ a => 1 ])->status, 204, 'a mirror: a POST of one signed in';
AuthGate::Server::wait_until { AuthGate::read_file($server->path('logs/behind.log')) =~ m{POST /mirror} } 5,
    'the mirror to see a POST';
is $server->client(port => $server->port('mirrored'))->post('/app', [ a => 2 ])->status, 401,
    'a mirror: a POST of nobody';
my $seen = () = AuthGate::read_file($server->path('logs/behind.log')) =~ /POST/g;
is $seen, 2, 'is seen by neither';

# Who is signed in and tries again.
$client->forget_cookies;
$client->sign_in('alice');
my $alice = $client->cookie('authgate');
is $client->login('bob', 'wrong')->status, 403, 'signed in, a wrong password';
is $client->get('/hello.txt')->status, 200, 'leaves the session as it was';
is $client->sign_in('bob')->status, 303, 'signed in, a login as another';
like $client->get('/authgate/session')->body, qr/"bob"/, 'is that one';
is $server->client(cookies => { authgate => $alice })->get('/hello.txt')->status, 302,
    'and ends the session before';

# Other requests that a configuration leads to the login.
my @script = ('Sec-Fetch-Mode' => 'cors');
my @form   = ([ username => 'alice', password => $PASSWORD{alice}, rd => '/a' ]);
is $client->get('/fails')->header('Location'), '/',
    'the 401 of an application, led to the login: signed in already';
is $client->post('/fails', @form, @script)->status, 303,
    'the same with a POST whose body has been read already';
is $client->get('/tried')->header('Location'), '/', 'try_files';
is $client->get('/accelerated')->header('Location'), '/', 'X-Accel-Redirect';
my $nobody = $server->client;
is $nobody->get('/refused', @script)->status, 200, 'error_page 401, led to the login: the form';
is $nobody->post('/refused', [ a => 'x' x 100 ], @script)->status, 403,
    'the same with a POST: nothing filled in';
is $nobody->post('/refused', [ a => 'x' x 100_000 ], @script)->status, 413, 'and one too large';
is $nobody->post('/refused', @form, @script)->status, 303, 'and a login';

# A page within a page.
AuthGate::write_file($server->path('html/ssi'), 'before <!--#include virtual="/authgate/session" --> after');
like $client->get('/ssi')->body, qr/before .*"alice".* after/s, 'a page of the gate within another';
AuthGate::write_file($server->path('html/ssi'), 'before <!--#include virtual="/authgate/logout" --> after');
like $client->post('/ssi', [])->raw, qr/405|Not Allowed|before/, 'within the answer to a POST';
is $client->get('/hello.txt')->status, 200, 'it is no logout';

done_testing;
