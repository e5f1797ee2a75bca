# H95, H96: caches, those of this nginx behind the gate and those in front of it. A hit needs a login too; what
# the gate answers itself is kept by nobody; a renewed cookie goes to the one whose it is.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; session idle=40s max=1h; }
    proxy_cache_path %%DIR%%/behind keys_zone=behind:1m;
    proxy_cache_path %%DIR%%/front keys_zone=front:1m;
    upstream app { server 127.0.0.1:%%PORT_app%%; }

    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Behind $upstream_cache_status always;
        location / {
            proxy_cache behind;
            proxy_cache_valid any 1h;
            proxy_pass http://app;
        }
        location /stale/ {
            proxy_cache behind;
            proxy_ignore_headers X-Accel-Expires Cache-Control;
            proxy_cache_valid any 1s;
            proxy_cache_use_stale updating;
            proxy_cache_background_update on;
            proxy_pass http://app;
        }
        location /slices/ {
            slice 8;
            proxy_cache behind;
            proxy_cache_key $uri$slice_range;
            proxy_set_header Range $slice_range;
            proxy_cache_valid 200 206 1h;
            proxy_pass http://app;
        }
        location = /open { authgate off; proxy_cache behind; proxy_cache_valid any 1h; proxy_pass http://app; }
    }

    # What a server says to caches when its owner has not thought of the gate.
    server {
        listen 127.0.0.1:%%PORT_shared%%;
        root %%DIR%%/html;
        authgate ops;
        expires 1d;
        add_header Cache-Control public always;
        add_header CDN-Cache-Control "max-age=600" always;
        add_header Surrogate-Control "max-age=600" always;
        add_header X-Accel-Expires 600 always;
        location / { }
        location /own { error_page 401 /own-401.html; error_page 403 /own-401.html; authgate_require group=nobody; }
        location /own-401.html { authgate off; }
        location /own-app { error_page 401 = @app; }
        location @app { authgate off; proxy_pass http://app; proxy_pass_header X-Accel-Expires; }
        location /contrary { add_header Cache-Control "public, no-store" always; try_files /hello.txt =404; }
    }

    # A cache in front, which takes no heed of cookies.
    server {
        listen 127.0.0.1:%%PORT_front%%;
        add_header X-Front $upstream_cache_status always;
        location / {
            proxy_cache front;
            proxy_cache_key $uri;
            proxy_cache_methods GET HEAD;
            proxy_cache_valid any 1h;
            proxy_ignore_headers Set-Cookie;
            proxy_pass_header X-Accel-Expires;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:%%PORT_shared%%;
        }
    }
EOF_HTTP
AuthGate::write_file($server->path('html/own-401.html'), "own page\n");
AuthGate::write_file($server->path("html/$_"), "content $_\n") for qw(renewed fresh);
my $app = AuthGate::Upstream->start(
    $server->port('app'),
    reply => sub ($request) {
        my $own = "Cache-Control: public\r\nX-Accel-Expires: 600\r\n";
        my ($from, $to) = $request =~ /^Range: bytes=(\d+)-(\d+)/mi or return
            "HTTP/1.1 200 OK\r\n${own}\r\n$AuthGate::Upstream::BODY";
        my $part = substr $AuthGate::Upstream::BODY, $from, 1 + $to - $from;
        my $last = $from + length($part) - 1;
        my $size = length $AuthGate::Upstream::BODY;
        return "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Length: @{[ length $part ]}\r\n"
            . "Content-Range: bytes $from-$last/$size\r\n\r\n$part";
    }
);
$server->run;

my $browser = $server->client;
my $machine = $server->client(headers => []);
my $alice   = $server->client;
my $bob     = $server->client;
$alice->sign_in('alice');
my $begun = AuthGate::Token::now();

# Whether anything that the caches have on the disk matches.
sub in_caches ($pattern) {
    my $found = grep { AuthGate::read_file($_) =~ $pattern }
        grep { -f } map { glob "$_/*" } $server->path('behind'), $server->path('front');
    return $found;
}

# ---- behind the gate -----------------------------------------------------------------------------

# alice's session is due for renewal from a tenth of idle on; bob's, who has just come, is not.
AuthGate::Server::wait_until { AuthGate::Token::now() >= $begun + 5 } 9, "alice's session to be due";
my $cookie = $alice->cookie_header;
my %first = map { $_ => $alice->get($_, Cookie => $cookie) } qw(/page /slices/page /stale/page);
$bob->sign_in('bob');
for my $path (sort keys %first) {
    is $first{$path}->status, 200, "H95 $path: alice gets it";
    is $first{$path}->header('X-Behind'), 'MISS', "H95 $path: from the application";
    like $first{$path}->header('Set-Cookie'), qr/^authgate=v1\./, "H96 $path: and has her session renewed";
    is join('|', $first{$path}->headers('Cache-Control')), 'private', "H96 $path: in a private answer";
    my $count = $app->count;
    is $browser->get($path)->status, 302, "H95 $path: nobody is sent to the login";
    my $refused = $machine->get($path);
    is $refused->status, 401, "H95 $path: or refused";
    unlike $refused->raw, qr/from the application/, "H95 $path: without the content";
    is $machine->get($path, 'If-None-Match' => '*', Range => 'bytes=0-3')->status, 401,
        "H95 $path: whatever is asked of a cache";
    my $hit = $bob->get($path);
    is $hit->body, $AuthGate::Upstream::BODY, "H95 $path: bob gets it";
    like $hit->header('X-Behind'), $path =~ /stale/ ? qr/STALE|HIT/ : qr/HIT/, "H95 $path: from the cache";
    is_deeply [$hit->headers('Set-Cookie')], [], "H96 $path: without alice's cookie";
    is $app->count, $count, "H95 $path: and the application was not asked" if $path !~ /stale/;
}
is in_caches(qr/from the/) > 0, 1, 'H95 (the caches are on the disk)';
is in_caches(qr/authgate=|v1\.\w+\./), 0, 'H96 no cookie is in them';

# A refusal is in no cache, so that the next one gets the content.
is $browser->get('/later')->status, 302, 'H95 a redirect to the login';
is $machine->get('/later')->status, 401, 'H95 a refusal';
is $machine->get('/later')->header('X-Behind'), undef, 'H95 asks no cache';
is $bob->get('/later')->header('X-Behind'), 'MISS', 'H95 and leaves nothing in one';

# Twin: where the gate is off, a hit is for everyone.
$machine->get('/open');
is $machine->get('/open')->header('X-Behind'), 'HIT', 'H95 twin: an open location';

# The request that brings a stale page up to date is the gate's business no more: its cookie is not.
{
    my $filled = AuthGate::Token::now();
    AuthGate::Server::wait_until { AuthGate::Token::now() >= $filled + 3 } 5, 'the page to be stale';
    my $count = $app->count;
    is $machine->get('/stale/page')->status, 401, 'H95 a stale page: nobody is let in';
    is $app->count, $count, 'H95 a stale page: nobody has it brought up to date';
    is $bob->get('/stale/page', Cookie => $bob->cookie_header . '; theme=dark')->header('X-Behind'), 'STALE',
        'H95 a stale page: bob gets it as it is';
    $app->wait_for_request($count);
    is_deeply [$app->header_values('Cookie')], ['theme=dark'],
        'H95 a stale page: the request in the background has no cookie of the gate';
}

# ---- in front of the gate ------------------------------------------------------------------------

my $front  = $server->client(port => $server->port('front'));
my $script = $server->client(port => $server->port('front'), headers => []);

sub front ($client, $path, @headers) {
    my $response = $client->get($path, @headers);
    return ($response, $response->header('X-Front') // 'none');
}

for my $case (
    ['the login page', $front, '/authgate/login', 200],
    ['the logout page', $front, '/authgate/logout', 200, Cookie => $bob->cookie_header],
    ['the session page', $front, '/authgate/session', 200, Cookie => $bob->cookie_header],
    ['no such page', $front, '/authgate/x', 404],
    ['a redirect to the login', $front, '/redirected', 302],
    ['a refusal', $script, '/refused', 401],
    ["the location's own page of 401", $script, '/own', 401],
    ["the location's own page of 403", $front, '/own-forbidden', 403, Cookie => $bob->cookie_header],
    ["an application's page of 401", $script, '/own-app', 200],
    )
{
    my ($name, $client, $path, $status, @headers) = @$case;
    for my $time ('first', 'second') {
        my ($response, $cache) = front($client, $path =~ s/-forbidden/\/forbidden/r, @headers);
        is $response->status, $status, "H95 $name, the $time time: $status";
        isnt $cache, 'HIT', "H95 $name, the $time time: from no cache";
        is join('|', $response->headers('Cache-Control')), 'no-store', "H95 $name, the $time time: no-store alone";
        for my $field (qw(Expires CDN-Cache-Control Surrogate-Control X-Accel-Expires)) {
            is $response->header($field), undef, "H95 $name, the $time time: no $field";
        }
    }
}

# A renewal, and its twin that shows what the same front does with an answer without one.
{
    $begun = AuthGate::Token::now();
    $front->sign_in('carol');
    my @carol = (Cookie => $front->cookie_header);
    $front->forget_cookies;
    my ($fresh, $cache) = front($front, '/fresh', @carol);
    is $fresh->body, "content fresh\n", 'H96 twin: carol gets a page';
    is $fresh->header('Set-Cookie'), undef, 'H96 twin: her session is not due for renewal';
    is ((front($front, '/fresh', @carol))[1], 'HIT', 'H96 twin: the front keeps what it is told to');

    AuthGate::Server::wait_until { AuthGate::Token::now() >= $begun + 5 } 9, "carol's session to be due";
    for my $path (qw(/renewed /contrary)) {
        my ($renewed) = front($front, $path, @carol);
        is $renewed->status, 200, "H96 $path: carol gets a page";
        like $renewed->header('Set-Cookie'), qr/^authgate=v1\./, "H96 $path: her session is renewed";
        like join('|', $renewed->headers('Cache-Control')), $path eq '/renewed' ? qr/\bprivate$/ : qr/\bno-store$/,
            "H96 $path: the answer is private";
        unlike join('|', $renewed->headers('Cache-Control')), qr/public/, "H96 $path: and public nowhere";
        is $renewed->header($_), undef, "H96 $path: no $_" for qw(CDN-Cache-Control Surrogate-Control X-Accel-Expires);
        $front->forget_cookies;
        my ($next) = front($front, $path);
        is $next->status, 302, "H96 $path: who comes next gets nothing of it";
        is_deeply [$next->headers('Set-Cookie')], [], "H96 $path: and no cookie";
    }
}

done_testing;
