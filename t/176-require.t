# authgate_require: who of those signed in may enter; 403 for the others, and never the login page.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; groups %%DIR%%/groups; keys %%KEYS%%; accept cookie bearer basic; limit off; }
    log_format seen '$uri $status "$authgate_user" "$authgate_groups" $authgate_status "$remote_user"';
    access_log %%DIR%%/logs/seen.log seen;
    add_header X-Seen "$authgate_user|$authgate_status|$remote_user" always;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /user { authgate_require user=alice; try_files /hello.txt =404; }
        location = /users { authgate_require user=alice,bob; try_files /hello.txt =404; }
        location = /group { authgate_require group=sre; try_files /hello.txt =404; }
        location = /filed { authgate_require group=night; try_files /hello.txt =404; }
        location = /either { authgate_require user=carol group=dev; try_files /hello.txt =404; }
        location = /both { authgate_require user=alice,bob; authgate_require group=dev; try_files /hello.txt =404; }
        location = /nobody { authgate_require user=nobody; try_files /hello.txt =404; }
        location = /case { authgate_require user=Alice group=SRE; try_files /hello.txt =404; }
        location = /any { satisfy any; deny all; authgate_require user=alice; try_files /hello.txt =404; }
        location = /any-open { satisfy any; allow all; authgate_require user=alice; try_files /hello.txt =404; }
        location = /page { error_page 403 /own; authgate_require user=alice; try_files /hello.txt =404; }
        location = /own { authgate off; return 200 "own\n"; }
        location = /page-gated { error_page 403 = /hello.txt; authgate_require user=alice; try_files /nothing =404; }
        location = /app { authgate_require user=alice; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /limited { limit_except GET { authgate_require user=alice; } try_files /hello.txt =404; }
        location /if { if ($arg_only) { authgate_require user=alice; } }
        location = /to-user { rewrite ^ /user last; }
        location = /from-user { authgate_require user=alice; rewrite ^ /hello.txt last; }
        location = /tried { try_files /missing @only; }
        location @only { authgate_require user=alice; try_files /hello.txt =404; }
    }
    server {
        listen 127.0.0.1:%%PORT_inherit%%;
        root %%DIR%%/html;
        authgate ops;
        authgate_require group=ops;
        authgate_require user=alice,bob;
        location = /inherited { try_files /hello.txt =404; }
        location = /own { authgate_require user=carol; try_files /hello.txt =404; }
        location /outer {
            authgate_require user=bob;
            location = /outer/nested { try_files /hello.txt =404; }
            location = /outer/own { authgate_require user=carol; try_files /hello.txt =404; }
            location = /outer/off { authgate off; try_files /hello.txt =404; }
            location = /outer/on { authgate ops; try_files /hello.txt =404; }
        }
        location = /off { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP
AuthGate::write_file($server->path('groups'), "night: bob carol\n");
AuthGate::write_file($server->path('html/if'), "hello from behind the gate\n");
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my (%by, %inherit);
for my $user (qw(alice bob carol)) {
    my $browser = $server->client;
    $browser->sign_in($user);
    $by{$user} = {
        cookie => [Cookie => 'authgate=' . $browser->cookie('authgate')],
        basic => [right($user)],
        bearer => [Authorization => 'Bearer ' . AuthGate::Token::api(user => $user)],
    };
}
my $client = $server->client(headers => []);
my $inherit = $server->client(headers => [], port => $server->port('inherit'));

# Of alice, bob and carol: who is let in. alice is in ops and sre, bob in dev and night, carol in night.
my %allowed = (
    '/user' => 'alice', '/users' => 'alice bob', '/group' => 'alice', '/filed' => 'bob carol',
    '/either' => 'bob carol', '/both' => 'bob', '/nobody' => '', '/case' => '',
    '/any' => 'alice', '/any-open' => 'alice bob carol', '/to-user' => 'alice', '/tried' => 'alice',
    '/hello.txt' => 'alice bob carol', '/from-user' => 'alice bob carol', '/limited' => 'alice bob carol',
    '/if' => 'alice bob carol', '/if?only=1' => 'alice', '/own' => 'alice bob carol',
);
my %inherited = (
    '/inherited' => 'alice', '/own' => 'carol', '/outer/nested' => 'bob', '/outer/own' => 'carol',
    '/outer/on' => 'bob', '/hello.txt' => 'alice',
    '/outer/off' => 'alice bob carol', '/off' => 'alice bob carol',
);

for ([$client, \%allowed], [$inherit, \%inherited]) {
    my ($asks, $expected) = @$_;
    for my $path (sort keys %$expected) {
        for my $user (sort keys %by) {
            for my $with (sort keys $by{$user}->%*) {
                my $answer = $asks->get($path, $by{$user}{$with}->@*);
                my $allowed = $expected->{$path} =~ /\b$user\b/;
                is $answer->status, $allowed ? 200 : 403, "$path: $user by $with";
                next if $allowed;
                unlike $answer->raw, qr/hello from behind/, "G86 $path: $user by $with: nothing gets out";
                is $answer->header('X-Seen'), "$user|forbidden|$user", "$path: $user by $with: who it is"
                    if $asks == $client;
            }
        }
    }
}
is $client->get($_)->status, 401, "$_: nobody gets 401" for grep { !/any-open|own/ } sort keys %allowed;
is $inherit->get($_)->status, 401, "$_: nobody gets 401" for grep { !/off/ } sort keys %inherited;
is $client->post('/limited', [], $by{alice}{cookie}->@*)->status, 404, 'limit_except: alice may post (there is nothing there)';
is $client->post('/limited', [], $by{bob}{cookie}->@*)->status, 403, 'limit_except: bob may not';

# The body, and never the login page.
my %body = (
    'application/json' => qr/\A\{"error":"forbidden"\}\n\z/,
    'text/html' => qr/\A<!DOCTYPE html>.*You are signed in as bob/si,
    '*/*' => qr/\Aforbidden\n\z/,
);
for my $with (sort keys $by{bob}->%*) {
    for my $accept (sort keys %body) {
        for my $method (qw(GET HEAD POST)) {
            for my $navigates ([], ['Sec-Fetch-Mode' => 'navigate']) {
                my $name = "$method $accept by $with@$navigates";
                my $answer = $client->request($method, '/user', $method eq 'POST' ? 'x' x 9000 : undef,
                    Accept => $accept, @$navigates, $by{bob}{$with}->@*);
                is $answer->status, 403, "$name: 403";
                is $answer->header('Location'), undef, "$name: no redirect";
                is $answer->header('Cache-Control'), 'no-store', "$name: not cached";
                like $answer->body, $body{$accept}, "$name: the body" if $method ne 'HEAD';
                is $answer->body, '', 'H94 no body' if $method eq 'HEAD';
                unlike $answer->raw, qr{/authgate/login}, "$name: no login page";
                is $answer->header('WWW-Authenticate'),
                    $with eq 'bearer' ? 'Bearer realm="ops", error="insufficient_scope"' : undef, "$name: challenge";
            }
        }
    }
}

# error_page
{
    my $answer = $client->get('/page', $by{bob}{basic}->@*);
    is $answer->status, 403, 'H90 error_page 403: the status stays';
    is $answer->body, "own\n", 'H90 error_page 403: its page';
    is $answer->header('Cache-Control'), 'no-store', 'H90 error_page 403: not cached';
    is $client->get('/page', $by{alice}{basic}->@*)->status, 200, 'H90 error_page 403: alice is let in';
    $answer = $client->get('/page-gated', $by{bob}{cookie}->@*);
    is $answer->status, 200, 'H90 error_page 403 to a gated page that bob may see';
    $answer = $client->get('/page-gated');
    is $answer->status, 401, 'H90 error_page 403: nobody gets 401';
}

my $before = $app->count;
$client->get('/app', $by{bob}{$_}->@*) for qw(cookie basic bearer);
is $app->count, $before, 'G86 the application is not asked for those who may not';

AuthGate::Server::wait_until { AuthGate::read_file($server->path('logs/seen.log')) =~ m{^/app }m } 5, 'the log';
my $log = AuthGate::read_file($server->path('logs/seen.log'));
like $log, qr{^/user 403 "bob" "dev,night" forbidden "bob"$}m, 'the access log names who may not';
like $server->error_log, qr{\[info\].*authgate: forbidden, user "bob", realm "ops", client: 127.0.0.1}, 'and so does the error log';

# Out of a group, and back.
AuthGate::write_file($server->path('groups'), "night: carol\n");
AuthGate::Server::wait_until { $client->get('/filed', $by{bob}{cookie}->@*)->status == 403 } 3, 'bob to be out';
is $client->get('/filed', $by{carol}{cookie}->@*)->status, 200, 'out of the group: carol still is in it';
is $client->get('/hello.txt', $by{bob}{cookie}->@*)->status, 200, 'out of the group: bob is still signed in';

done_testing;
