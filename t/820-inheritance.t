# H91: what is inside a gated block is gated; only `off` takes the gate away.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    authgate_realm dev {
        users %%USERS%%;
        path /dev/gate/;
        cookie dev;
    }

    # From http{}: every server has it.
    authgate ops;

    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        add_header X-Realm "$authgate_realm" always;

        location /plain   { try_files /hello.txt =404; }
        location = /exact { try_files /hello.txt =404; }
        location ^~ /best { try_files /hello.txt =404; }
        location ~ ^/regex\.php$ { try_files /hello.txt =404; }
        location ~* \.PNG$ { try_files /hello.txt =404; }
        location /outer {
            location /outer/inner {
                location ~ ^/outer/inner/\d+$ { try_files /hello.txt =404; }
                try_files /hello.txt =404;
            }
            location ~ \.(?:css|js)$ { expires 1d; try_files /hello.txt =404; }
            try_files /hello.txt =404;
        }
        location /if {
            if ($arg_x) { set $x 1; }
            if ($arg_y) { add_header X-If 1 always; }
            proxy_pass http://127.0.0.1:%%PORT_backend%%;
        }
        location /if-served { if ($arg_x) { proxy_pass http://127.0.0.1:%%PORT_backend%%; } try_files /hello.txt =404; }
        location /limit-except { limit_except GET { deny all; } try_files /hello.txt =404; }
        location /limit-allow  { limit_except GET { allow all; } proxy_pass http://127.0.0.1:%%PORT_backend%%; }

        location /off  {
            authgate off;
            location /off/inner { try_files /hello.txt =404; }
            location /off/on    { authgate ops; try_files /hello.txt =404; }
            try_files /hello.txt =404;
        }
        location /off-if     { if ($arg_x) { authgate off; } proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /on-if      { authgate off; if ($arg_x) { authgate ops; } proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /off-except { limit_except POST { authgate off; } proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /on-except  { authgate off; limit_except GET { authgate ops; } proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /dev        { authgate dev; location /dev/inner { try_files /hello.txt =404; } try_files /hello.txt =404; }
        location /optional   {
            authgate ops optional;
            location /optional/inner { try_files /hello.txt =404; }
            location /optional/on    { authgate ops; try_files /hello.txt =404; }
            try_files /hello.txt =404;
        }
        location @unused { try_files /hello.txt =404; }
    }

    # What a server says is for its locations, not for the next server.
    server {
        listen 127.0.0.1:%%PORT_off%%;
        root %%DIR%%/html;
        authgate off;
        location /on { authgate ops; try_files /hello.txt =404; }
    }
    server { listen 127.0.0.1:%%PORT_bare%%; root %%DIR%%/html; }
    server {
        listen 127.0.0.1:%%PORT_backend%%;
        authgate off;
        location / { return 200 "hello from behind the gate\n"; }
    }
EOF_HTTP

my $machine = $server->client(headers => []);
my $alice = $server->client;
$alice->sign_in('alice');

sub is_gated ($name, $method, $path, %option) {
    my $client = $server->client(headers => [], %option);
    my $response = $client->request($method, $path, $method eq 'POST' ? 'a=b' : undef);
    is $response->status, 401, "H91 $name: 401";
    unlike $response->raw, qr/hello from/, "H91 $name: no content";
}

sub is_open ($name, $method, $path, %option) {
    my $client = $server->client(headers => [], %option);
    is $client->request($method, $path, $method eq 'POST' ? 'a=b' : undef)->status, 200, "H91 $name: 200";
}

is_gated('server', 'GET', '/hello.txt');
is_gated($_, 'GET', $_) for qw(
    /plain /plain/below /exact /best /best/x.png /regex.php /x.png /x.PNG /nothing /
    /outer /outer/inner /outer/inner/7 /outer/a.css /outer/inner/a.js
    /if /if?x=1 /if?y=1 /if?x=1&y=1 /if-served /if-served?x=1
    /limit-except /limit-allow
    /dev /dev/inner /optional/on /off/on
);
is_gated('limit_except, GET', 'GET', '/limit-except');
is_gated('limit_except with allow, POST', 'POST', '/limit-allow');
is $alice->get('/limit-except')->status, 200, 'H91 limit_except, GET, alice';
is $alice->post('/limit-except', [])->status, 403, 'H91 limit_except with deny, POST, alice';
is $alice->post('/limit-allow', [a => 'b'])->status, 200, 'H91 limit_except with allow, POST, alice';

for my $path (qw(/plain /outer/inner/7 /outer/a.css /if /if?x=1 /if?y=1 /if-served?x=1 /limit-allow)) {
    is $alice->get($path)->status, 200, "H91 $path, alice";
    is $alice->get($path)->header('X-Realm'), 'ops', "H91 $path, the realm is inherited" if $path !~ /y=1/;
}
is $alice->get('/dev/inner')->status, 302, 'H91 another realm is inherited too';

# off
is_open($_, 'GET', $_) for qw(/off /off/inner /optional /optional/inner);
is_gated('if with off, not taken', 'GET', '/off-if');
is_open('if with off', 'GET', '/off-if?x=1');
is_open('if with on, not taken', 'GET', '/on-if');
is_gated('if with on', 'GET', '/on-if?x=1');
is_gated('limit_except with off, POST', 'POST', '/off-except');
is_open('limit_except with off, GET', 'GET', '/off-except');
is_gated('limit_except with on, POST', 'POST', '/on-except');
is_gated('limit_except with on, PUT', 'PUT', '/on-except');
is_open('limit_except with on, GET', 'GET', '/on-except');
is_open('limit_except with on, HEAD', 'HEAD', '/on-except');

# servers
is_gated('http', 'GET', '/hello.txt', port => $server->port('bare'));
is_open('server with off', 'GET', '/hello.txt', port => $server->port('off'));
is_gated('server with off, location with on', 'GET', '/on', port => $server->port('off'));

# methods make no difference
is_gated("method $_", $_, '/plain') for qw(GET POST PUT DELETE PATCH OPTIONS PROPFIND QUERY);
is $machine->request('HEAD', '/plain', undef)->status, 401, 'H91 method HEAD: 401';

done_testing;
