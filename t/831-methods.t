# H94, H97, H98: each kind of answer that the gate gives, by each method, to conditions and ranges, and to a long body
# with a request in it. Read as bytes on one connection: no byte of a body too many, and none taken for a request.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 1);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit retries=2 find=5m ban=5m; }
    log_format method '$request_method $uri $status';
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        access_log %%DIR%%/logs/method.log method;
        client_max_body_size 4m;
        keepalive_timeout 60s;
        lingering_close off;
        authgate ops;
        location = /sre     { authgate_require group=nobody; }
        location = /own     { error_page 401 /own-401.html; }
        location = /own-401.html { authgate off; }
        location = /verify  { authgate_verify ops; }
        location = /redirect { authgate_verify ops redirect; }
        location = /status  { authgate off; authgate_status ops; }
        location = /metrics { authgate off; authgate_metrics; }
        location = /app     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /end     { authgate off; return 200 "end\n"; }
    }
EOF_HTTP
AuthGate::write_file($server->path('html/own-401.html'), "own page\n");
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $alice = $server->client;
$alice->sign_in('alice');
my @alice = (Cookie => $alice->cookie_header);
my @page  = (Accept => 'text/html', 'Sec-Fetch-Mode' => 'navigate');
my @json  = (Accept => 'application/json');
$server->client(from => '127.0.9.9')->login('bob', wrong_password()) for 1 .. 2;    # is banned from there

sub client (@more) { return $server->client(headers => [], @more) }

# Sends a request and one that ends the connection behind it; gives the bytes of the first answer, or what is wrong.
sub exchange ($client, $method, $path, $body, @headers) {
    push @headers, 'Content-Length' => length $body if defined $body && !grep { $_ eq 'Transfer-Encoding' } @headers;
    my $socket = $client->connect;
    local $SIG{PIPE} = 'IGNORE';
    print $socket get_bytes($client, "$method $path", @headers, Connection => 'keep-alive'), $body // '',
        get_bytes($client, '/end');
    my $all = '';
    local $SIG{ALRM} = sub { die "no end within 20 s\n" };
    alarm 20;
    while (sysread $socket, my $bytes, 65_536) { $all .= $bytes }
    alarm 0;
    my ($answer, $end) = $all =~ /\A(.*)(HTTP\/1\.1 200 OK\r\n(?:(?!HTTP\/1).)*end\n)\z/s or return ($all, 'no second answer');
    return ($answer, $end);
}

# The kinds of answers: of whom, for what, and the status for GET.
my @kinds = (
    ['the redirect to the login', client, '/hello.txt', 302, @page],
    ['the refusal', client, '/hello.txt', 401],
    ['the refusal in JSON', client, '/hello.txt', 401, @json],
    ['the refusal in HTML', client, '/app', 401, Accept => 'text/html', 'Sec-Fetch-Mode' => 'cors'],
    ["the location's own page of it", client, '/own', 401],
    ['the page of who may not', client, '/sre', 403, @alice, @page],
    ['the same in JSON', client, '/sre', 403, @alice, @json],
    ['a ban of Basic', client(from => '127.0.9.9'), '/hello.txt', 429, right('bob')],
    ['the login page', client, '/authgate/login', 200, @page],
    ['the login page, signed in', client, '/authgate/login', 303, @alice, @page],
    ['the logout page', client, '/authgate/logout', 200, @alice, @page],
    ['the logout page, signed out', client, '/authgate/logout', 303, @page],
    ['the session page', client, '/authgate/session', 200, @alice],
    ['no session', client, '/authgate/session', 401],
    ['no such page', client, '/authgate/nothing', 404],
    ['verified', client, '/verify', 204, @alice],
    ['not verified', client, '/verify', 401],
    ['not verified, with a redirect', client, '/redirect', 302, @page],
    ['the bans', client, '/status', 200],
    ['the metrics', client, '/metrics', 200],
);

# H94: HEAD is GET without a body. Other methods are refused where the gate keeps people out, and 405 for its pages.
for my $kind (@kinds) {
    my ($name, $client, $path, $status, @headers) = @$kind;
    my ($get)  = exchange($client, 'GET',  $path, undef, @headers);
    my ($head, $end) = exchange($client, 'HEAD', $path, undef, @headers);
    like $get, qr{\AHTTP/1\.1 $status }, "H94 $name, GET: $status";
    # Page navigations are GET and HEAD.
    like $head, qr{\AHTTP/1\.1 $status }, "H94 $name, HEAD: $status";
    like $head, qr/\A[^\0]*?\r\n\r\n\z/, "H94 $name, HEAD: the head and not a byte of a body";
    isnt $end, 'no second answer', "H94 $name, HEAD: the next request is answered";
    my %length = map { $_ => (($_ eq 'get' ? $get : $head) =~ /^Content-Length: (\d+)/mi)[0] // 'none' } qw(get head);
    is $length{head}, $length{get}, "H94 $name, HEAD: the length of GET's" if $name !~ /metrics|bans/;
    for my $method (qw(PUT DELETE PATCH OPTIONS PROPFIND FOO M-SEARCH)) {
        next if $method eq 'DELETE' && $path eq '/status';
        my ($other, $end) = exchange($client, $method, $path, undef, @headers);
        my $expected = $path =~ m{^/authgate/nothing} ? 404 : $path =~ m{^/(?:authgate|status|metrics)} ? 405
            : $status =~ /302|303/ ? 401 : $status;
        like $other, qr{\AHTTP/1\.1 $expected }, "H94 $name, $method: $expected";
        unlike $other, qr/hello from behind|from the application/, "H94 $name, $method: no content";
        isnt $end, 'no second answer', "H94 $name, $method: the next request is answered";
    }
    for my $method ('TRACE', 'CONNECT', 'get', 'G@T', '') {
        my ($other) = exchange($client, $method, $path, undef, @headers);
        like $other, qr{\AHTTP/1\.1 (?:400|405) }, "H94 $name, $method: refused by nginx";
        unlike $other, qr/hello from behind|from the application/, "H94 $name, $method: no content";
    }
}

# H97: what is asked of a cache is not asked of the gate.
for my $kind (@kinds) {
    my ($name, $client, $path, $status, @headers) = @$kind;
    for my $condition (
        ['If-None-Match' => '*'], ['If-None-Match' => '"x"'], ['If-Modified-Since' => 'Fri, 31 Dec 2100 00:00:00 GMT'],
        ['If-Match' => '"y"'], ['If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT'],
        ['Range' => 'bytes=0-3'], ['Range' => 'bytes=-2'], ['Range' => 'bytes=99999999-'], ['Range' => 'bytes=0-1,3-4'],
        ['Range' => 'bytes=0-3', 'If-Range' => '"x"'],
        )
    {
        my ($answer) = exchange($client, 'GET', $path, undef, @headers, @$condition);
        like $answer, qr{\AHTTP/1\.1 $status }, "H97 $name, @$condition: $status";
        unlike $answer, qr/^(?:Content-Range|Accept-Ranges|ETag|Last-Modified):/mi, "H97 $name, @$condition: no part, no mark"
            if $path ne '/own';
    }
}

# H98: 1 MiB of a body that looks like requests, by length and in chunks; with Expect; and its end in the air.
my $evil    = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" x 28_000;
my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ } $evil =~ /(.{1,40000})/gs;
my @form    = ('Content-Type' => 'application/x-www-form-urlencoded');
for my $case (
    ['a refusal', client, '/app', 401],
    ['a refusal of a navigation', client, '/app', 401, @page],
    ['who may not', client, '/sre', 403, @alice],
    ['a ban of Basic', client(from => '127.0.9.9'), '/app', 429, right('bob')],
    ["the location's own page", client, '/own', 401],
    ['the redirect of a logout', client, '/authgate/logout', 303, @form],
    ['a form that is too large', client, '/authgate/login', 413, @form],
    ['no form', client, '/authgate/login', 415],
    ['a post from another site', client, '/authgate/login', 403, @form, 'Sec-Fetch-Site' => 'cross-site'],
    ['the wrong method', client, '/authgate/session', 405],
    ['no such page', client, '/authgate/nothing', 404],
    ['not verified', client, '/verify', 401],
    ['the bans', client, '/status', 405],
    ['the metrics', client, '/metrics', 405],
    )
{
    my ($name, $client, $path, $status, @headers) = @$case;
    for my $way (['by length', $evil], ['in chunks', "${chunked}0\r\n\r\n", 'Transfer-Encoding' => 'chunked'],
        ['with Expect', $evil, Expect => '100-continue'])
    {
        my ($how, $body, @more) = @$way;
        my ($answer, $end) = exchange($client, 'POST', $path, $body, @headers, @more);
        $answer =~ s{\A(?:HTTP/1\.1 100 Continue\r\n\r\n)+}{};
        like $answer, qr{\AHTTP/1\.1 $status }, "H98 $name, $how: $status";
        is scalar(() = $answer =~ m{^HTTP/1\.1 }mg), 1, "H98 $name, $how: one answer";
        # With Expect nginx may end the connection in place of reading on, and so it does where a form in chunks,
        # which is being read, has become too large.
        my $may_end = $how eq 'with Expect' || ($how eq 'in chunks' && $status == 413);
        ok $end =~ /end\n/ || ($may_end && $end eq 'no second answer'),
            "H98 $name, $how: then that of the next request";
    }
}
is $app->count, 0, 'H98 the application has got none of it';
my $log = AuthGate::read_file($server->path('logs/method.log'));
unlike $log, qr/smuggled/, 'H98 no body was taken for a request';
cmp_ok scalar(() = $log =~ /^POST /mg), '==', 14 * 3, 'H98 (so many were asked)';

done_testing;
