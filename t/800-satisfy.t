# H87: allow and deny, satisfy, auth_basic and auth_request beside the gate.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }

    # Everything allowed.
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location / { }
        location /all-denied   { deny all; }
        location /all-allowed  { allow 127.0.0.1; deny all; }
        location /any-allowed  { satisfy any; allow 127.0.0.1; deny all; try_files /hello.txt =404; }
        location /any-denied   { satisfy any; deny all; try_files /hello.txt =404; }
        location /any-nothing  { satisfy any; try_files /hello.txt =404; }
        location /any-page     { satisfy any; deny all; error_page 401 /refused.html; }
        location /refused.html { authgate off; internal; }

        location /any-basic {
            satisfy any;
            auth_basic other;
            auth_basic_user_file %%DIR%%/htpasswd;
            try_files /hello.txt =404;
        }
        location /all-basic {
            auth_basic other;
            auth_basic_user_file %%DIR%%/htpasswd;
            try_files /hello.txt =404;
        }
        location /any-request-204 { satisfy any; auth_request /says-204; try_files /hello.txt =404; }
        location /any-request-401 { satisfy any; auth_request /says-401; try_files /hello.txt =404; }
        location /any-request-403 { satisfy any; auth_request /says-403; try_files /hello.txt =404; }
        location /all-request-204 { auth_request /says-204; try_files /hello.txt =404; }
        location /all-request-401 { auth_request /says-401; try_files /hello.txt =404; }
        location /all-request-403 { auth_request /says-403; try_files /hello.txt =404; }
        location = /says-204 { internal; return 204; }
        location = /says-401 { internal; return 401; }
        location = /says-403 { internal; return 403; }

        location /variables {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            add_header X-User "$authgate_user" always;
            add_header X-Status "$authgate_status" always;
            add_header X-Remote-User "$remote_user" always;
            try_files /hello.txt =404;
        }
        location /upstream {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            proxy_pass http://127.0.0.1:%%PORT_backend%%;
        }
    }

    # The gate's pages share the fate of their location.
    server {
        listen 127.0.0.1:%%PORT_denied%%;
        root %%DIR%%/html;
        authgate ops;
        deny all;
    }
    server {
        listen 127.0.0.1:%%PORT_denied_any%%;
        root %%DIR%%/html;
        authgate ops;
        satisfy any;
        deny all;
    }
    server {
        listen 127.0.0.1:%%PORT_allowed_any%%;
        root %%DIR%%/html;
        authgate ops;
        satisfy any;
        allow 127.0.0.1;
        deny all;
    }

    server {
        listen 127.0.0.1:%%PORT_backend%%;
        location / { return 200 "cookie: $http_cookie\n"; }
    }
EOF_HTTP

AuthGate::write_file($server->path('html/refused.html'), "refused here\n");
AuthGate::write_file($server->path('htpasswd'), $AuthGate::USERS =~ s/:groups=.*//gr);
$server->run;

my $browser = $server->client;
my $machine = $server->client(headers => []);
my $alice = $server->client;
$alice->sign_in('alice');
my @basic = (Authorization => 'Basic Ym9iOmNhbmFyeS1wYXNzd29yZC1vZi1ib2I=');    # bob

sub is_content ($response, $name) {
    is $response->status, 200, "$name: 200";
    is $response->body, "hello from behind the gate\n", "$name: the content";
    is $response->header('Location'), undef, "$name: no redirect";
}

sub is_login ($response, $path, $name) {
    is $response->status, 302, "$name: 302";
    is $response->header('Location'), '/authgate/login?rd=' . $path =~ s{/}{%2F}gr,
        "$name: to the login page"
        if $response->header('Location') !~ m{rd=/};
    unlike $response->raw, qr/hello from behind/, "$name: no content";
}

sub is_refused ($response, $status, $name) {
    is $response->status, $status, "$name: $status";
    is $response->header('Location'), undef, "$name: no redirect";
    unlike $response->raw, qr/hello from behind/, "$name: no content";
}

# satisfy all
for my $client ($browser, $machine, $alice) {
    my $who = $client == $browser ? 'browser' : $client == $machine ? 'machine' : 'alice';
    is_refused($client->get('/all-denied'), 403, "H87 deny all, $who");
}
is_login($browser->get('/all-allowed'), '/all-allowed', 'H87 satisfy all, allowed address, browser');
is_refused($machine->get('/all-allowed'), 401, 'H87 satisfy all, allowed address, machine');
is $alice->get('/all-allowed')->status, 404, 'H87 satisfy all, allowed address, alice passes';

# satisfy any, with allow and deny
is_content($_->get('/any-allowed'), 'H87 satisfy any, allowed address') for $browser, $machine, $alice;
is_content($alice->get('/any-denied'), 'H87 satisfy any, denied address, alice');
is_login($browser->get('/any-denied'), '/any-denied', 'H87 satisfy any, denied address, browser');
is_refused($machine->get('/any-denied'), 401, 'H87 satisfy any, denied address, machine');
like $machine->get('/any-denied')->header('WWW-Authenticate') // '', qr/\ABearer realm="ops"\z/,
    'H87 satisfy any: the challenge of the gate';
is_login($browser->get('/any-nothing'), '/any-nothing', 'H87 satisfy any, nobody else asked, browser');
is_refused($machine->get('/any-nothing'), 401, 'H87 satisfy any, nobody else asked, machine');
is_content($alice->get('/any-nothing'), 'H87 satisfy any, nobody else asked, alice');
is_refused($machine->get('/any-page'), 401, 'H87 satisfy any, error_page');
is $machine->get('/any-page')->body, "refused here\n", 'H87 satisfy any: the error_page of 401 is taken';
is_login($browser->get('/any-page'), '/any-page', 'H87 satisfy any: it does not touch the 302');

# with auth_basic
is_content($machine->get('/any-basic', @basic), 'H87 satisfy any, auth_basic, right password');
is_content($browser->get('/any-basic', @basic), 'H87 satisfy any, auth_basic, right password, browser');
is_content($alice->get('/any-basic'), 'H87 satisfy any, auth_basic, alice');
is_login($browser->get('/any-basic'), '/any-basic', 'H87 satisfy any, auth_basic, nobody, browser');
my $response = $machine->get('/any-basic');
is_refused($response, 401, 'H87 satisfy any, auth_basic, nobody, machine');
is scalar(grep { /^Bearer realm="ops"/ } $response->headers('WWW-Authenticate')), 1,
    'H87 the gate challenges';
is_refused($machine->get('/any-basic', Authorization => 'Basic Ym9iOng='),
    401, 'H87 satisfy any, auth_basic, wrong password');
is_refused($machine->get('/all-basic', @basic), 401, 'H87 satisfy all, auth_basic alone');
is_refused($alice->get('/all-basic'), 401, 'H87 satisfy all, the gate alone');
is_content($alice->get('/all-basic', @basic), 'H87 satisfy all, both');

# with auth_request
for my $client ($browser, $machine, $alice) {
    is_content($client->get('/any-request-204'), 'H87 satisfy any, auth_request allows');
}
for my $status (401, 403) {
    is_content($alice->get("/any-request-$status"), "H87 satisfy any, auth_request says $status, alice");
    is_login($browser->get("/any-request-$status"),
        "/any-request-$status", "H87 satisfy any, auth_request says $status, browser");
    is_refused($machine->get("/any-request-$status"),
        401, "H87 satisfy any, auth_request says $status, machine");
    is_refused($alice->get("/all-request-$status"),
        $status, "H87 satisfy all, auth_request says $status, alice");
    is_refused($machine->get("/all-request-$status"),
        $status, "H87 satisfy all, auth_request says $status, machine");
}
is_content($alice->get('/all-request-204'), 'H87 satisfy all, auth_request allows, alice');
is_login($browser->get('/all-request-204'),
    '/all-request-204', 'H87 satisfy all, auth_request allows, browser');

# The variables where the gate did not speak, and the cookie that did not pass it.
is $alice->get('/variables')->header('X-User'), 'alice',
    'H87 let in before the gate: $authgate_user is computed';
is $alice->get('/variables')->header('X-Status'), 'ok', 'H87 let in before the gate: $authgate_status';
is $browser->get('/variables')->header('X-Status'), 'missing', 'H87 let in before the gate: nobody';
is $browser->get('/variables')->header('X-User') // '', '', 'H87 let in before the gate: no user';
is $machine->get('/variables', @basic)->header('X-Remote-User') // '', '',
    'H87 $remote_user is never unverified';
is $alice->get('/upstream', Cookie => $alice->cookie_header . '; theme=dark')->body, "cookie: theme=dark\n",
    'H87 let in before the gate: its cookie does not go upstream';

# The gate's pages
for my $page (qw(login logout session)) {
    my $path = "/authgate/$page";
    is_refused($server->client(port => $server->port('denied'))->get($path), 403, "H87 deny all, $page");
    my $reached = $page eq 'session' ? 401 : $page eq 'logout' ? qr/200|30\d/ : 200;
    like $server->client(port => $server->port('denied_any'))->get($path)->status, qr/\A(?:$reached)\z/,
        "H87 satisfy any, denied address, $page is reached";
    like $server->client(port => $server->port('allowed_any'))->get($path)->status, qr/\A(?:$reached)\z/,
        "H87 satisfy any, allowed address, $page is reached";
}
is $server->client(port => $server->port('denied'))->login('alice', $PASSWORD{alice})->status, 403,
    'H87 deny all: nobody signs in';
my $bob = $server->client(port => $server->port('denied_any'));
$bob->sign_in('bob');
is_content($bob->get('/hello.txt'), 'H87 satisfy any, denied address: bob signs in');
is_login($server->client(port => $server->port('denied_any'))->get('/hello.txt'),
    '/hello.txt', 'H87 satisfy any, denied server');
is_content($server->client(port => $server->port('allowed_any'))->get('/hello.txt'),
    'H87 satisfy any, allowed server');
is $server->client(port => $server->port('denied_any'))->get('/authgate/unknown')->status, 404,
    'H87 satisfy any: an unknown page is 404';

done_testing;
