# $authgate_…: what they say, through internal redirects and in the access log.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    authgate_realm dev { users %%USERS%%; path /dev/; cookie sid; }
    log_format gate '$request_uri $status user=$authgate_user groups=$authgate_groups realm=$authgate_realm '
        'method=$authgate_method session=$authgate_session expires=$authgate_expires status=$authgate_status';
    access_log %%DIR%%/logs/gate.log gate;
    add_header X-Gate "$authgate_user|$authgate_groups|$authgate_realm|$authgate_method|$authgate_status" always;
    add_header X-Session "$authgate_session|$authgate_expires" always;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location /off       { authgate off; try_files /hello.txt =404; }
        location /optional  { authgate ops optional; try_files /hello.txt =404; }
        location /any       { satisfy any; allow all; try_files /hello.txt =404; }
        location /try       { try_files /none /hello.txt; }
        location /named     { try_files /none @named; }
        location @named     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /rewritten { rewrite ^ /hello.txt last; }
        location /error     { error_page 404 =200 /hello.txt; try_files /none =404; }
        location /accel     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /app {
            proxy_set_header X-User    $authgate_user;
            proxy_set_header X-Groups  $authgate_groups;
            proxy_pass http://127.0.0.1:%%PORT_app%%;
        }
        location /set {
            set $copy "$authgate_user/$authgate_status";
            add_header X-Copy $copy;
            try_files /hello.txt =404;
        }
        location /if        { if ($authgate_user = alice) { add_header X-If alice; } try_files /hello.txt =404; }
        location /ssi       { ssi on; ssi_types *; try_files /page.html =404; }
        location /part      { ssi on; ssi_types *; try_files /part.html =404; }
        location /other     { authgate dev; try_files /hello.txt =404; }
        location /to-other  { rewrite ^ /other last; }
        location /return    { return 200 "user=$authgate_user status=$authgate_status\n"; }
    }
    server { listen 127.0.0.1:%%PORT_plain%%; root %%DIR%%/html; }
EOF_HTTP
my $server = AuthGate::Server->prepare($http);
AuthGate::write_file($server->path('html/page.html'), '<!--#include virtual="/part" -->');
AuthGate::write_file($server->path('html/part.html'),
    '<!--#echo var="authgate_user" -->/<!--#echo var="authgate_status" -->');
my $app = AuthGate::Upstream->start(
    $server->port('app'),
    reply => sub ($request) {
        return "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /hello.txt\r\n\r\n" if $request =~ m{^GET /accel};
        return "HTTP/1.1 200 OK\r\n\r\n$AuthGate::Upstream::BODY";
    }
);
$server->run;

my %token;
for my $user (qw(alice bob carol)) {
    my $browser = $server->client;
    $browser->sign_in($user);
    $token{$user} = $browser->cookie('authgate');
}
my $client = $server->client(headers => []);
my @alice  = (Cookie => "authgate=$token{alice}");
my $claims = AuthGate::Token::read($token{alice});

sub gate    ($path, @headers) { return $client->get($path, @headers)->header('X-Gate') }
sub session ($path, @headers) { return $client->get($path, @headers)->header('X-Session') }

is gate('/hello.txt', @alice), 'alice|ops,sre|ops|cookie|ok', 'the variables of a session';
is session('/hello.txt', @alice), "$claims->{session}|$claims->{expires_at}", 'its id and its expiry';
is gate('/hello.txt', Cookie => "authgate=$token{bob}"), 'bob|dev|ops|cookie|ok', 'one group';
is gate('/hello.txt', Cookie => "authgate=$token{carol}"), 'carol||ops|cookie|ok', 'no group';
my $api    = AuthGate::Token::api(user => 'alice');
my $of_api = AuthGate::Token::read($api =~ s/^agt_//r);
is gate('/hello.txt', Authorization => "Bearer $api"), 'alice|ops,sre|ops|bearer|ok', 'the variables of an API token';
is session('/hello.txt', Authorization => "Bearer $api"), "$of_api->{session}|$of_api->{expires_at}",
    'its id and its expiry';

my $leaving = $server->client;
$leaving->sign_in('alice');
my $ended = $leaving->cookie('authgate');
$leaving->sign_out;
my %status = (
    missing       => [],
    malformed     => [Cookie => 'authgate=garbage'],
    bad_signature => [Cookie => 'authgate=' . $token{alice} =~ s/.{43}\z/'A' x 43/re],
    unknown_key   => [Cookie => 'authgate=' . $token{alice} =~ s/first/none/r],
    expired       => [Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', expires_at => 1)],
    revoked       => [Cookie => "authgate=$ended"],
    unknown_user  => [Authorization => 'Bearer ' . AuthGate::Token::api(user => 'mallory')],
);
for my $status (sort keys %status) {
    my @headers = $status{$status}->@*;
    my $refused = $client->get('/hello.txt', @headers);
    is $refused->status, 401, "$status is refused";
    is $refused->header('X-Gate'), "||ops||$status", "\$authgate_status $status, the others empty";
    is $refused->header('X-Session'), '|', "no session ($status)";
    is gate('/optional', @headers), "||ops||$status", "optional: \$authgate_status $status, the others empty";
}

is gate('/off'), '||||off', 'where the gate is off';
is gate('/off', @alice), '||||off', 'where the gate is off, signed in';
is gate('/any', @alice), 'alice|ops,sre|ops|cookie|ok', 'satisfy any: computed on first use';
is gate('/any'), '||ops||missing', 'satisfy any: nobody';
is gate('/optional', @alice), 'alice|ops,sre|ops|cookie|ok', 'optional, signed in';
my $plain = $server->client(headers => [], port => $server->port('plain'));
is $plain->get('/hello.txt', @alice)->header('X-Gate'), '||||off', 'a server without a realm';

for my $path (qw(/try /named /rewritten /error /accel)) {
    my $answer = $client->get($path, @alice);
    is $answer->status, 200, "$path is served";
    is $answer->header('X-Gate'), 'alice|ops,sre|ops|cookie|ok', "and the variables hold ($path)";
    is $answer->header('X-Session'), "$claims->{session}|$claims->{expires_at}", "the session's too ($path)";
    is gate($path), '||ops||missing', "and without a cookie they are empty ($path)";
}
is gate('/to-other', @alice), '||dev||missing', 'redirected to another realm, they are those of that realm';
my $dev = $server->client(path => '/dev/');
$dev->sign_in('bob');
is gate('/to-other', Cookie => "authgate=$token{alice}; sid=" . $dev->cookie('sid')), 'bob|dev|dev|cookie|ok',
    'with a cookie for each';
is $client->get('/ssi', @alice)->body, 'alice/ok', 'in a subrequest';
is $client->get('/set', @alice)->header('X-Copy'), 'alice/ok', 'asked for before the access phase';
is $client->get('/return', @alice)->body, "user=alice status=ok\n", 'where return answers';
is $client->get('/return')->body, "user= status=missing\n", 'where return answers nobody';

$client->get('/app', @alice, 'X-User' => 'mallory', 'X-Groups' => 'root');
is join('|', $app->header_values('X-User')), 'alice',
    'G84 the application is told the user, not what the client said';
is join('|', $app->header_values('X-Groups')), 'ops,sre', 'G84 and the groups';
$client->get('/app', Cookie => "authgate=$token{carol}", 'X-Groups' => 'root');
is join('|', $app->header_values('X-Groups')), '', 'G84 no groups, whatever the client said';

$client->get('/last', @alice);
my $log = AuthGate::Server::wait_until {
    my $text = AuthGate::read_file($server->path('logs/gate.log'));
    $text =~ m{^/last }m && $text;
} 5, 'the access log';
my $all = "user=alice groups=ops,sre realm=ops method=cookie session=$claims->{session} "
    . "expires=$claims->{expires_at} status=ok";
for my $path (qw(/hello.txt /try /named /rewritten /error /accel /any /app /optional)) {
    like $log, qr{^\Q$path\E 200 \Q$all\E$}m, "the access log has them ($path)";
}
like $log, qr{^/last 404 \Q$all\E$}m, 'with another status as well';
my $none = 'user=- groups=- realm=ops method=- session=- expires=-';
for my $status (sort keys %status) {
    like $log, qr{^/hello.txt 401 \Q$none\E status=$status$}m, "the access log of a refusal ($status)";
}
like $log, qr{^/off 200 user=- groups=- realm=- method=- session=- expires=- status=off$}m,
    'and where the gate is off';

# A changed password and a user that is gone, as the next configuration has them.
my ($another) = $AuthGate::USERS =~ /^bob:([^:]+)/m;
AuthGate::write_file($server->path('users'),
    $AuthGate::USERS =~ s/^alice:[^:]+/alice:$another/mr =~ s/^carol.*\n//mr);
ok $server->reload && $server->wait_for_old_workers, 'reload with other users';
is gate('/hello.txt', @alice), '||ops||password_changed', 'A22 $authgate_status password_changed';
is gate('/hello.txt', Cookie => "authgate=$token{carol}"), '||ops||unknown_user', 'A22 $authgate_status unknown_user';
is gate('/hello.txt', Cookie => "authgate=$token{bob}"), 'bob|dev|ops|cookie|ok', 'A22 who did not change stays';

done_testing;
