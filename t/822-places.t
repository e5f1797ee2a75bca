# H91: whatever nginx does for content, and in whatever phase something comes before it, a gate is asked first.
# Where nginx itself does not ask is 823.

use v5.36;

use AuthGate;
use AuthGate::Nghttp;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $built   = `\Q$AuthGate::NGINX\E -V 2>&1`;
my $push    = AuthGate::nginx_version() < 1_025_001 ? 'http2_push_preload on; http2_push /pushed.txt;' : '';

# Modules that not every nginx is built with.
sub with ($module, $text) { return $built =~ /--with-http_${module}_module/ ? $text : '' }
my $dav = with(dav => <<'EOF_DAV');
        location /dav/ {
            alias %%DIR%%/dav/;
            dav_methods PUT DELETE MKCOL COPY MOVE;
            create_full_put_path on;
            client_body_temp_path %%DIR%%/dav-body;
        }
EOF_DAV
my $slice  = with(slice => 'slice 8; proxy_set_header Range $slice_range;');
my $random = with(random_index => 'location /random/ { alias %%DIR%%/html/random/; random_index on; }');
my $flv    = with(flv => 'location /flv/ { alias %%DIR%%/html/; flv; }');
my $static = with(gzip_static => 'location = /gzip.txt { gzip_static always; }');

my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    map \$host \$backend { default 127.0.0.1:%%PORT_app%%; }
    map \$arg_to \$named { default \@app; other \@other; }
    upstream pool { server 127.0.0.1:%%PORT_app%%; }
    limit_req_zone  \$server_port zone=requests:1m rate=1r/m;
    limit_conn_zone \$server_port zone=connections:1m;
    keepalive_timeout 0;

    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        large_client_header_buffers 2 1k;
        error_page 400 414 494 /bad.html;

        # What makes content.
        location = /stub       { stub_status; }
        location = /gif        { empty_gif; }
        location /auto/        { alias %%DIR%%/html/; autoindex on; }
        location /json/        { alias %%DIR%%/html/; autoindex on; autoindex_format json; }
        location /alias        { alias %%DIR%%/html/hello.txt; }
        location ~ ^/alias-of/(.+)\$ { alias %%DIR%%/html/\$1; }
        location /proxy        { proxy_pass http://pool; }
        location /mapped       { proxy_pass http://\$backend; }
        location /fastcgi      { fastcgi_pass 127.0.0.1:%%PORT_app%%; }
        location /memcached    { set \$memcached_key x; memcached_pass 127.0.0.1:%%PORT_app%%; }
        location /slice        { $slice proxy_pass http://pool; }
        location /stored/      { alias %%DIR%%/html/; try_files \$uri \@app; }
        $random
        $flv
        $static
$dav
        # What leads elsewhere.
        location /if           { if (\$arg_x) { proxy_pass http://pool; } try_files /hello.txt =404; }
        location /if-nested    { if (\$arg_x) { set \$a 1; } location ~ /in\$ { if (\$arg_x) { proxy_pass http://pool; } } }
        location /except       { limit_except GET { proxy_pass http://pool; } try_files /hello.txt =404; }
        location /except-deny  { limit_except GET { deny all; } proxy_pass http://pool; }
        location /tried        { try_files /nothing \@app; }
        location /tried-map    { try_files /nothing \$named; }
        location /error        { error_page 404 = \@app; try_files /nothing =404; }
        location /error-mapped { error_page 404 = \$named; try_files /nothing =404; }
        location /intercepted  { proxy_intercept_errors on; error_page 404 /hello.txt; proxy_pass http://pool/missing; }
        location /after        { post_action \@counted; try_files /hello.txt =404; }
        location /break        { rewrite ^ /hello.txt break; }
        location /index/       { alias %%DIR%%/html/; index hello.txt; }
        location \@app         { authgate off; proxy_pass http://pool; }
        location \@other       { proxy_pass http://pool; }
        location \@counted     { proxy_pass http://127.0.0.1:%%PORT_counted%%; }

        # What comes before it.
        location /limited      { limit_req zone=requests burst=2 nodelay; limit_req_status 429; proxy_pass http://pool; }
        location /crowded      { limit_conn connections 1; limit_conn_status 420; proxy_pass http://pool; }
        location /slash/       { proxy_pass http://pool; }
        location /realm        { auth_basic x; auth_basic_user_file %%DIR%%/htpasswd; proxy_pass http://pool; }
    }

    server {
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        keepalive_timeout 60s;
        $push
        location / { add_header Link "</private/hello.txt>; rel=preload"; try_files /hello.txt =404; }
        location = /pushed.txt { authgate ops; try_files /hello.txt =404; }
        location /private/ { authgate ops; alias %%DIR%%/html/; }
    }
EOF_HTTP

mkdir $server->path($_) for qw(dav html/random);
chmod 0777, $server->path('dav');
AuthGate::write_file($server->path("html/$_"), "hello from behind the gate\n")
    for qw(random/a.txt bad.html missing.txt gzip.txt.gz);
AuthGate::write_file($server->path("dav/$_"), "hello from behind the gate\n") for qw(there.txt other.txt);
AuthGate::write_file($server->path('htpasswd'), "nobody:x\n");
my $app     = AuthGate::Upstream->start($server->port('app'));
my $counted = AuthGate::Upstream->start($server->port('counted'));
$server->run;

my $browser = $server->client;
my $machine = $server->client(headers => []);
my $alice   = $server->client;
$alice->sign_in('alice');

sub is_kept ($response, $name) {
    unlike $response->raw, qr/hello from behind|from the application|Active connections|GIF89a|hello\.txt</,
        "$name: nothing of it gets out";
}

# GET, by a navigation and by a program; and a method that is none of nginx's.
my @places = qw(
    /stub /gif /auto/ /json/ /alias /alias-of/hello.txt /proxy /mapped /fastcgi /memcached /slice /stored/hello.txt
    /stored/none /if?x=1 /if /if-nested/in?x=1 /if-nested?x=1 /except /except-deny /tried /tried-map
    /tried-map?to=other /error /error-mapped /error-mapped?to=other /intercepted /after /break /index/ /slash/ /
);
push @places, '/random/'   if $random;
push @places, '/flv/hello.txt?start=1' if $flv;
push @places, '/gzip.txt'  if $static;
push @places, '/dav/there.txt' if $dav;
for my $place (@places) {
    my $before = $app->count;
    my $response = $browser->get($place);
    is $response->status, 302, "H91 $place, a navigation: 302";
    is_kept($response, "H91 $place, a navigation");
    for my $method (qw(GET HEAD POST PROPFIND QUERY)) {
        $response = $machine->request($method, $place, $method =~ /POST|QUERY/ ? 'a=b' : undef);
        like $response->status, $method eq 'POST' && $place =~ /except-deny/ ? qr/40[13]/ : qr/\A(?:401|403)\z/,
            "H91 $place, $method: refused";
        is_kept($response, "H91 $place, $method");
    }
    is $app->count, $before, "H91 $place: the application has not been asked";
}
is $counted->count, 0, 'H91 post_action: nor has that behind a refusal';

# Twins: they are all there.
for my $case (
    ['/stub', qr/Active connections/], ['/gif', qr/\AGIF89a/], ['/auto/', qr/hello\.txt</], ['/json/', qr/"hello.txt"/],
    map { [$_, qr/behind the gate|from the application/] } grep { !m{^/(?:stub|gif|auto/|json/|fastcgi|memcached|slash/|)$} && !m{if-nested\?|intercepted|flv|gzip} } @places
    )
{
    my ($place, $content) = @$case;
    like $alice->get($place)->body, $content, "H91 (signed in, $place is there)";
}
$counted->wait_for_request(0);
is $counted->count, 1, 'H91 post_action: after what was let in it is carried out';
is_deeply [$counted->header_values('Cookie')], [], 'H91 post_action: without the cookie';

# WebDAV: nothing is written, made, moved or deleted.
if ($dav) {
    my $to = 'http://127.0.0.1:' . $server->port . '/dav/new.txt';
    for my $case (['PUT', 'new.txt', 'x'], ['DELETE', 'there.txt'], ['MKCOL', 'made/'],
        ['COPY', 'there.txt', undef, Destination => $to], ['MOVE', 'there.txt', undef, Destination => $to])
    {
        my ($method, $name, $body, @headers) = @$case;
        is $machine->request($method, "/dav/$name", $body, @headers)->status, 401, "H91 DAV $method: 401";
        is join(' ', sort map { s{.*/}{}r } glob $server->path('dav/*')), 'other.txt there.txt', "H91 DAV $method: nothing is done";
    }
    is_deeply [glob $server->path('dav-body/*')], [], 'H91 DAV: nothing is left of a body';
    is $alice->request('PUT', '/dav/new.txt', 'x')->status, 201, 'H91 DAV: alice may';
}

# limit_req and limit_conn come before the gate, and let nobody past it.
{
    my @first  = map { $machine->get('/limited')->status } 1 .. 6;
    is join(' ', @first), '401 401 401 429 429 429', 'H91 limit_req: refused, then limited';
    is $alice->get('/limited')->status, 429, 'H91 limit_req: for everybody';
    my $before = $app->count;
    $app->hold;
    my $socket = $alice->connect;
    print $socket "GET /crowded HTTP/1.1\r\nHost: x\r\nCookie: @{[ $alice->cookie_header ]}\r\n\r\n";
    $app->wait_for_request($before);
    is $machine->get('/crowded')->status, 420, 'H91 limit_conn: limited';
    $app->release;
    is AuthGate::Response->read($socket, 'GET')->status, 200, 'H91 limit_conn: (alice got in)';
    AuthGate::Server::wait_until { $machine->get('/crowded')->status == 401 } 5, 'the connection to be counted no more';
    pass 'H91 limit_conn: then refused';
}

# Another checker that refuses has the word.
is $machine->get('/realm')->status, 401, 'H91 auth_basic first';
is $alice->get('/realm')->status, 401, 'H91 auth_basic first, for alice too';

# nginx adds a slash before it asks anybody; that says no more than that there is such a location.
is $machine->get('/slash')->status, 301, 'H91 a slash is added';
is_kept($machine->get('/slash'), 'H91 a slash is added');

# What is no request ends in error_page, whose location has a gate.
for my $case (
    ['a bad request line', "GET /x%zz HTTP/1.1\r\nHost: x\r\n\r\n"],
    ['a bad Host', "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"],
    ['no Host', "GET / HTTP/1.1\r\n\r\n"],
    ['a bad length', "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"],
    ['a long line', 'GET /' . 'x' x 3000 . " HTTP/1.1\r\nHost: x\r\n\r\n"],
    ['a long header', "GET / HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 3000 . "\r\n\r\n"],
    ['binary', "\x16\x03\x01\r\n\r\n"],
    )
{
    my ($name, $bytes) = @$case;
    my $response = $machine->raw($bytes, 'GET');
    like $response->status, qr/\A4\d\d\z/, "H91 error_page of $name: an error";
    is_kept($response, "H91 error_page of $name");
}
like $alice->raw("GET / HTTP/1.1\r\nHost: x\r\nCookie: @{[ $alice->cookie_header ]}\r\nContent-Length: -1\r\n\r\n", 'GET')->raw,
    qr/behind the gate|400 Bad Request/, 'H91 error_page of a bad length, alice: an error as well';

# Server push: what is pushed is asked about like any other request.
SKIP: {
    skip 'this nginx pushes nothing', 3 if !$push;
    my $said = `nghttp -v http://127.0.0.1:@{[ $server->port('h2') ]}/ 2>&1`;
    like $said, qr/PUSH_PROMISE/, 'H91 (something is pushed)';
    is scalar(() = $said =~ /hello from behind/g), 1, 'H91 a push: the page alone, none of what has a gate';
    my %status = map { $_ => 1 } $said =~ /:status: (\d+)/g;
    is join(' ', sort keys %status), '200 401', 'H91 a push: refused';
}

is scalar($server->workers), 1, 'H91 the worker lives';
done_testing;
