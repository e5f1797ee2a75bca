# The gate's pages are there whatever location their path falls into, but for those that answer first.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops   { users %%USERS%%; limit off; }
    limit_req_zone $http_x_key zone=own:64k rate=1r/m;
    authgate_realm moved { users %%USERS%%; limit off; path /a/gate-1/; cookie moved; }

    server {    # by regular expression, ungated, exact, proxied
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location / { authgate ops; }
        location ~ ^/authgate/log { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location = /authgate/session { authgate off; proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location ~* \.(css|js)$ { authgate off; expires 1y; }
    }
    server {    # exact locations, try_files, an index
        listen 127.0.0.1:%%PORT_exact%%;
        root %%DIR%%/html;
        location = /authgate/login { try_files /hello.txt =404; }
        location ^~ /authgate/ { alias %%DIR%%/html/; autoindex on; error_page 404 = /hello.txt; }
        location / { authgate ops; }
    }
    server {    # a location that lets nobody in
        listen 127.0.0.1:%%PORT_denied%%;
        authgate ops;
        root %%DIR%%/html;
        deny all;
    }
    server {    # the same, and satisfy any
        listen 127.0.0.1:%%PORT_any%%;
        authgate ops;
        root %%DIR%%/html;
        satisfy any;
        deny all;
    }
    server {    # another location lets nobody in
        listen 127.0.0.1:%%PORT_elsewhere%%;
        root %%DIR%%/html;
        authgate ops;
        location /secret { deny all; }
        location /returned { return 200 "returned"; }
        location /rewritten { rewrite ^ /hello.txt; }
    }
    server {    # return comes first
        listen 127.0.0.1:%%PORT_return%%;
        authgate ops;
        location / { return 200 "returned"; }
    }
    server {    # and a location of its own brings the pages back
        listen 127.0.0.1:%%PORT_endpoints%%;
        location / { authgate ops; return 200 "returned"; }
        location /authgate/ {
            authgate_endpoints ops;
            add_header X-Own own;
            access_log %%DIR%%/logs/own.log;
            limit_req zone=own;
            limit_req_status 429;
        }
    }
    server {    # of its own, in a server that is not gated
        listen 127.0.0.1:%%PORT_alone%%;
        root %%DIR%%/html;
        location /authgate/ { authgate_endpoints ops; }
    }
    server {    # no realm at all
        listen 127.0.0.1:%%PORT_none%%;
        root %%DIR%%/html;
    }
    server {    # another path
        listen 127.0.0.1:%%PORT_moved%%;
        authgate moved;
        root %%DIR%%/html;
    }
    server {    # two realms
        listen 127.0.0.1:%%PORT_two%%;
        root %%DIR%%/html;
        location / { authgate ops; }
        location /b/ { authgate moved; alias %%DIR%%/html/; }
    }
    server { listen 127.0.0.1:%%PORT_behind%%; return 200 "behind"; }
EOF_HTTP

sub at ($port, %option) { return $server->client(port => $server->port($port), %option) }

# The whole way in and out, with pages under `$path` and a file that is gated.
sub works ($port, $what, $path = '/authgate/', $file = '/hello.txt') {
    my $client = at($port, path => $path);
    is $client->get("${path}login")->status, 200, "$what: the login page";
    like $client->get("${path}login")->body, qr/action="\Q$path\Elogin"/, "$what: its form";
    is $client->get($file)->header('Location'), "${path}login?rd=$file", "$what: the redirect to it";
    is $client->login('alice', 'wrong')->status, 403, "$what: a wrong password";
    is $client->sign_in('alice')->status, 303, "$what: a login";
    is $client->get($file)->body, "hello from behind the gate\n", "$what: signed in";
    is $client->get("${path}session")->status, 200, "$what: the session";
    is $client->get("${path}logout")->status, 200, "$what: the logout page";
    is $client->get("${path}nothing")->status, 404, "$what: an unknown name";
    unlike $client->get("${path}nothing")->body, qr/hello|behind/, "$what: and nothing of the location";
    is $client->sign_out->header('Location'), "${path}login", "$what: a logout";
    is $client->get($file)->status, 302, "$what: signed out";
}

works '', 'regular expressions and a proxy';
is at('')->get('/authgate/style.css')->status, 404, 'a name that another location would take is unknown';
is at('')->get('/authgate/style.css')->header('Cache-Control'), 'no-store', 'and not to be stored';
works 'exact', 'exact and prefix locations';
works 'any', 'satisfy any and deny all';
is at('any')->get('/hello.txt')->status, 302, 'satisfy any and deny all: a redirect';

my $denied = at('denied');
is $denied->get('/authgate/login')->status, 403, 'H87 deny all: the login page too';
is $denied->login('alice', $PASSWORD{alice})->status, 403, 'H87 deny all: the right password';
is $denied->login('alice', $PASSWORD{alice})->headers('Set-Cookie'), 0, 'H87 deny all: no cookie';
is $denied->get('/hello.txt')->status, 403, 'H87 deny all: 403, no redirect';

works 'elsewhere', 'other locations deny and return';
is at('elsewhere')->get('/secret')->status, 403, 'H87 another location denies all';
is at('elsewhere')->get('/returned')->body, 'returned', 'a location of return alone is never gated';
is at('elsewhere')->get('/rewritten')->status, 302, 'rewritten: the gate of where it leads';

is at('return')->get('/authgate/login')->body, 'returned', 'return takes the request first';
is at('endpoints')->get('/authgate/login')->status, 200, 'authgate_endpoints: the login page';
is at('endpoints')->get('/authgate/login')->header('X-Own'), 'own',
    'authgate_endpoints: with its own directives';
is at('endpoints')->get('/authgate/login', 'X-Key' => 1)->status, $_, 'authgate_endpoints: with limit_req'
    for 200, 429;
like AuthGate::read_file($server->path('logs/own.log')), qr{"GET /authgate/login HTTP/1\.1" 200 },
    'authgate_endpoints: with a log of its own';
is at('endpoints')->sign_in('alice')->status, 303, 'authgate_endpoints: a login';
is at('endpoints')->get('/x')->body, 'returned', 'authgate_endpoints: the rest is as it was';
is at('alone')->get('/authgate/login')->status, 200, 'authgate_endpoints uses the realm in the server';
is at('alone')->sign_in('alice')->status, 303, 'authgate_endpoints alone: a login';
is at('alone')->get('/hello.txt')->status, 200, 'authgate_endpoints gates nothing';
is at('none')->get('/authgate/login')->status, 404, 'a server without a realm has no pages';

works 'moved', 'another path', '/a/gate-1/';
is at('moved')->get('/authgate/login')->status, 302, 'another path: the usual one is none of the pages';

works 'two', 'two realms, the first';
works 'two', 'two realms, the second', '/a/gate-1/', '/b/hello.txt';
my $two = at('two');
like $two->sign_in('alice')->header('Set-Cookie'), qr/\Aauthgate=/, 'two realms: the cookie of the first';
is $two->get('/hello.txt')->status, 200, 'two realms: signed in to the first';
is $two->get('/b/hello.txt')->header('Location'), '/a/gate-1/login?rd=/b/hello.txt',
    'two realms: not to the second';
is $two->get('/a/gate-1/session')->status, 401, 'two realms: no session of the second';
my $second = $two->post('/a/gate-1/login', [ username => 'bob', password => $PASSWORD{bob} ]);
like $second->header('Set-Cookie'), qr/\Amoved=/, 'two realms: the cookie of the second';
like $two->get('/authgate/session')->body, qr/"alice"/, 'two realms: one user here';
like $two->get('/a/gate-1/session')->body, qr/"bob"/, 'two realms: another there';
$two->sign_out;
is $two->get('/hello.txt')->status, 302, 'two realms: signed out of the first';
is $two->get('/b/hello.txt')->status, 200, 'two realms: not of the second';
my $swapped = at('two', cookies => { authgate => $two->cookie('moved') });
is $swapped->get('/hello.txt')->status, 302, 'A9 a token of the second realm is none of the first';

done_testing;
