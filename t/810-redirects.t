# H89, H90: the gate of the location that serves in the end.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    authgate_realm dev {
        users %%USERS%%;
        path /dev/gate/;
        cookie dev;
    }
    log_format verdict '$request_uri $status "$authgate_user" "$authgate_status" "$remote_user"';

    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        access_log %%DIR%%/logs/verdict.log verdict;
        add_header X-User "$authgate_user" always;
        add_header X-Realm "$authgate_realm" always;

        location /private/ { authgate ops; alias %%DIR%%/html/; }
        location /dev/private/ { authgate dev; alias %%DIR%%/html/; }
        location = /gated.txt { authgate ops; try_files /hello.txt =404; }
        location @gated { authgate ops; try_files /hello.txt =404; }
        location @open { try_files /hello.txt =404; }
        location @backend { authgate ops; proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location @ungated-backend { proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /internal/ { internal; authgate ops; alias %%DIR%%/html/; }

        # From an open location to a gated one.
        location /rewrite     { rewrite ^ /private/hello.txt last; }
        location /try         { try_files /nothing /private/hello.txt; }
        location /try-named   { try_files /nothing @gated; }
        location /try-backend { try_files /nothing @backend; }
        location /index/      { index hello.txt; alias %%DIR%%/html/; }
        location = /index/hello.txt { authgate ops; alias %%DIR%%/html/hello.txt; }
        location /error       { error_page 404 /private/hello.txt; }
        location /error-200   { error_page 404 =200 /private/hello.txt; }
        location /error-named { error_page 404 @gated; }
        location /accel       { proxy_pass http://127.0.0.1:%%PORT_backend%%; }

        # From a gated location to an open one: the gate has to be passed first.
        location /in-rewrite   { authgate ops; rewrite ^ /hello.txt last; }
        location /in-try       { authgate ops; try_files /nothing /hello.txt; }
        location /in-try-named { authgate ops; try_files /nothing @open; }
        location /in-try-backend { authgate ops; try_files /nothing @ungated-backend; }
        location /in-error     { authgate ops; error_page 404 =200 /hello.txt; }
        location /in-accel     { authgate ops; proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location = /hello.txt  { }

        # From one gated location to another.
        location /both-try     { authgate ops; try_files /nothing /private/hello.txt; }
        location /both-dev     { authgate ops; try_files /nothing /dev/private/hello.txt; }
        location /both-named   { authgate ops; try_files /nothing @gated; }
        location /both-backend { authgate ops; try_files /nothing @backend; }
        location /both-accel   { authgate ops; proxy_pass http://127.0.0.1:%%PORT_backend%%; }
        location /in-off       { authgate ops; try_files /nothing @off; }
        location @off { authgate off; try_files /hello.txt =404; }

        # Pages of refusals.
        location /page-gated   { authgate ops; error_page 401 403 /private/hello.txt; }
        location /page-200     { authgate ops; error_page 401 403 =200 /private/hello.txt; }
        location /page-itself  { authgate ops; error_page 401 403 /page-itself; }
        location /page-named   { authgate ops; error_page 401 403 @gated; }
        location /page-open    { authgate ops; error_page 401 /refused.html; }
        location /page-login   { authgate ops; error_page 401 =200 /authgate/login; }
        location /page-denied  { authgate ops; deny all; error_page 403 /private/hello.txt; }
        location = /refused.html { authgate off; }
    }

    server {
        listen 127.0.0.1:%%PORT_recursive%%;
        root %%DIR%%/html;
        recursive_error_pages on;
        authgate ops;
        error_page 401 403 404 /hello.txt;
    }

    # What nginx's own gate does.
    server {
        listen 127.0.0.1:%%PORT_basic%%;
        root %%DIR%%/html;
        location / { }
        location /private/  { auth_basic x; auth_basic_user_file %%DIR%%/htpasswd; alias %%DIR%%/html/; }
        location /error     { error_page 404 /private/hello.txt; }
        location /error-200 { error_page 404 =200 /private/hello.txt; }
        location /page-200  { auth_basic x; auth_basic_user_file %%DIR%%/htpasswd; error_page 401 =200 /private/hello.txt; }
        location /recursive/ {
            auth_basic x;
            auth_basic_user_file %%DIR%%/htpasswd;
            recursive_error_pages on;
            error_page 401 403 404 /recursive/hello.txt;
            alias %%DIR%%/html/;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_backend%%;
        location /accel    { add_header X-Accel-Redirect /private/hello.txt; return 200 "backend\n"; }
        location /in-accel { add_header X-Accel-Redirect /hello.txt; return 200 "backend\n"; }
        location /both-accel { add_header X-Accel-Redirect /internal/hello.txt; return 200 "backend\n"; }
        location /         { return 200 "backend: cookie $http_cookie\n"; }
    }
EOF_HTTP

AuthGate::write_file($server->path('html/refused.html'), "refused here\n");
AuthGate::write_file($server->path('htpasswd'), "nobody:x\n");
$server->run;

my $browser = $server->client;
my $machine = $server->client(headers => []);
my $alice = $server->client;
$alice->sign_in('alice');
my $both = $server->client(cookies => { %{ $alice->cookies } }, path => '/dev/gate/');
$both->sign_in('alice');

my $hello = "hello from behind the gate\n";

# Nobody gets in: what the gate says is about the address that was asked for.
for my $path (
    qw(
    /rewrite /try /try-named /try-backend /index/ /error /error-200 /error-named /accel
    /in-try /in-try-named /in-try-backend /in-error /in-accel
    /both-try /both-dev /both-named /both-backend /both-accel /in-off
    )
    )
{
    my $response = $browser->get("$path?x=1");
    is $response->status, 302, "H89 $path, browser: 302";
    like $response->header('Location') // '',
        qr{\A/authgate/login\?rd=(?:/|%2F)\Q@{[ $path =~ s{\A/}{}r =~ s{/\z}{}r ]}\E}i,
        "H89 $path: back to what was asked for";
    unlike $response->body, qr/hello from|backend/, "H89 $path, browser: no content";
    $response = $machine->get($path);
    is $response->status, 401, "H89 $path, machine: 401";
    unlike $response->body, qr/hello from|backend/, "H89 $path, machine: no content";
}

# alice does, and her name survives.
for my $path (
    qw(
    /rewrite /try /try-named /index/ /error-200 /accel
    /in-try /in-try-named /in-error /in-accel /both-try /both-named /both-accel /in-off
    )
    )
{
    my $response = $alice->get($path);
    is $response->status, 200, "H89 $path, alice: 200";
    is $response->body, $hello, "H89 $path, alice: the content";
    next if $path =~ m{^/in-};
    is $response->header('X-User'), 'alice', "H89 $path, alice: the verdict is that of the last location";
}
is $alice->get($_)->status, 404, "H89 $_, alice: its status stays" for qw(/error /error-named);
is $alice->get($_)->body, $hello, "H89 $_, alice: the content" for qw(/error /error-named);
is $alice->get($_)->body, "backend: cookie \n", "H89 $_, alice: without the cookie"
    for qw(/try-backend /in-try-backend /both-backend);
my %verdict =
    AuthGate::read_file($server->path('logs/verdict.log')) =~ m{^(/both-try 200) ("alice" "ok" "alice")$}m;
is $verdict{'/both-try 200'}, '"alice" "ok" "alice"',
    'H89 the access log has the verdict after two locations';

# rewrite runs before the gate: the location that serves is the open one.
is $browser->get('/in-rewrite')->body, $hello, 'H89 rewrite last leaves a location before its gate';

# Another realm asks for itself.
is $alice->get('/both-dev')->status, 302, 'H89 /both-dev, alice: 302';
like $alice->get('/both-dev')->header('Location'), qr{\A/dev/gate/login\?rd=},
    'H89 /both-dev, alice: to the login of that realm';
is $both->get('/both-dev')->status, 200, 'H89 /both-dev, signed in to both: 200';
is $both->get('/both-dev')->header('X-Realm'), 'dev',
    'H89 /both-dev, signed in to both: the realm of the last location';

# H90
for my $path (qw(/page-gated /page-200 /page-itself /page-named)) {
    for my $client ($machine, $browser) {
        my $response = $client->get($path);
        like $response->status, $client == $machine ? qr/\A401\z/ : qr/\A302\z/, "H90 $path: refused";
        unlike $response->raw, qr/hello from/, "H90 $path: no content";
    }
}
is $machine->get('/page-open')->status, 401, 'H90 an open page of 401: its status stays';
is $machine->get('/page-open')->body, "refused here\n", 'H90 an open page of 401: its content';
like $machine->get('/page-open')->header('WWW-Authenticate') // '', qr/\ABearer realm="ops"/,
    'H90 an open page of 401: the challenge stays';
is $browser->get('/page-open')->status, 302, 'H90 an open page of 401 does not touch the 302';
like $machine->get('/page-login')->body, qr/<form\b/, 'H90 the login page as page of 401 is a form';
unlike $machine->get('/page-login')->body, qr/hello from/, 'H90 the login page as page of 401: no content';
for my $client ($machine, $browser) {
    my $response = $client->get('/page-denied');
    like $response->status, qr/\A(?:403|401|302)\z/, 'H90 deny and a gated page of 403: refused';
    unlike $response->raw, qr/hello from/, 'H90 deny and a gated page of 403: no content';
}
is $alice->get('/page-denied')->status, 403, 'H90 deny and a gated page of 403, alice: 403';
is $alice->get('/page-denied')->body, $hello, 'H90 deny and a gated page of 403, alice: the page';

my @cycles = $server->error_log =~ /rewrite or internal redirection cycle/g;
is scalar @cycles, 0, 'H90 no loop';

# What auth_basic answers there is what nginx's users know.
my $basic = $server->client(port => $server->port('basic'), headers => []);
my $recursive = $server->client(port => $server->port('recursive'), headers => []);
is $machine->get($_)->status, $basic->get($_)->status, "H90 $_: the status that auth_basic gives"
    for qw(/error /error-200 /page-200);
for my $path (qw(/hello.txt /nothing)) {
    is $recursive->get($path)->status, $basic->get("/recursive$path")->status,
        "H90 recursive_error_pages, $path: the status that auth_basic gives";
    unlike $recursive->get($path)->raw, qr/hello from/, "H90 recursive_error_pages, $path: no content";
}

done_testing;
