# Whatever is refused, nothing behind the gate is asked and not a byte of it goes out.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    upstream app { server 127.0.0.1:%%PORT_app%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        client_max_body_size 1m;
        location /file      { try_files /hello.txt =404; }
        location /hello     { }
        location /list/     { alias %%DIR%%/html/; autoindex on; }
        location /index/    { alias %%DIR%%/html/; index hello.txt; }
        location /missing   { try_files /none @app; }
        location /named     { error_page 404 = @app; try_files /none =404; }
        location @app       { proxy_pass http://app; }
        location /proxy     { proxy_pass http://app; }
        location /buffered  { proxy_request_buffering off; proxy_pass http://app; }
        location /fastcgi   { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; }
        location /rewritten { rewrite ^ /proxy last; }
        location /broken    { rewrite ^ /hello.txt break; }
        location /nested    { location /nested/proxy { proxy_pass http://app; } }
        location ~ \.cgi$   { proxy_pass http://app; }
        location /mirror    { mirror /mirrored; proxy_pass http://app; }
        location = /mirrored { internal; proxy_pass http://app; }
        location /ssi       { ssi on; ssi_types *; try_files /page.html =404; }
        location /dav/      { alias %%DIR%%/dav/; dav_methods PUT DELETE MKCOL; create_full_put_path on; }
        location /if        { if ($request_method) { proxy_pass http://app; } }
        location /slash/    { }
        location /after     { add_after_body /hello.txt; try_files /hello.txt =404; }
        location /status    { stub_status; }
        location /deny      { deny all; proxy_pass http://app; }
    }
    server {    # the whole server is gated, and its answer to errors is its own
        listen 127.0.0.1:%%PORT_pages%%;
        root %%DIR%%/html;
        authgate ops;
        location / { proxy_pass http://app; error_page 401 403 500 /sorry; }
        location = /sorry { authgate off; try_files /sorry.txt =404; }
    }
EOF_HTTP
mkdir $server->path('dav');
chmod 0777, $server->path('dav');
AuthGate::write_file($server->path('html/page.html'), '<!--#include virtual="/proxy" -->behind');
AuthGate::write_file($server->path('html/sorry.txt'), "sorry\n");
my @reply = (reply => "HTTP/1.1 200 OK\r\n\r\nbehind the gate\n");
my $app     = AuthGate::Upstream->start($server->port('app'), @reply);
my $fastcgi = AuthGate::Upstream->start($server->port('fastcgi'), protocol => 'fastcgi', @reply);
$server->run;

my $machine = $server->client(headers => []);
my $browser = $server->client;
my %session;
for my $user (qw(alice bob)) {
    my $visitor = $server->client;
    $visitor->sign_in($user);
    $session{$user} = $visitor->cookie('authgate');
}
my $leaving = $server->client;
$leaving->sign_in('alice');
my $ended = $leaving->cookie('authgate');
$leaving->sign_out;

my ($altered) = $session{alice} =~ s/(?<=\.)(.)([^.]*)\z/($1 eq 'A' ? 'B' : 'A') . $2/re;
my %refused = (
    'no credential'   => [],
    'garbage'         => [Cookie => 'authgate=garbage'],
    'bad signature'   => [Cookie => "authgate=$altered"],
    'unknown key'     => [Cookie => 'authgate=' . $session{alice} =~ s/\.first\./.none./r],
    'ended session'   => [Cookie => "authgate=$ended"],
    'two users'       => [Cookie => "authgate=$session{alice}; authgate=$session{bob}"],
    'TLS name'        => [Cookie => "__Host-authgate=$session{alice}"],
    'bad bearer'      => [Authorization => 'Bearer agt_garbage', Cookie => "authgate=$session{alice}"],
    'expired bearer'  => [Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', expires_at => 9)],
    'unknown user'    => [Authorization => 'Bearer ' . AuthGate::Token::api(user => 'mallory')],
    'basic'           => [Authorization => 'Basic Ym9iOng='],
    'claimed address' => ['X-Forwarded-For' => '127.0.0.1', 'X-Original-URL' => '/authgate/login'],
    'claimed user'    => ['Remote-User' => 'alice', 'X-Forwarded-User' => 'alice'],
);
my %manner = (
    'a browser'   => [$browser],
    'a machine'   => [$machine],
    'a script'    => [$machine, Accept => 'application/json', 'X-Requested-With' => 'XMLHttpRequest'],
    'a websocket' => [$machine, Upgrade => 'websocket', Connection => 'Upgrade'],
    'a cache'     => [$machine, 'If-None-Match' => '*', 'If-Modified-Since' => 'Sun, 22 Nov 2099 09:00:00 GMT'],
    'a range'     => [$machine, Range => 'bytes=0-3'],
    'who expects' => [$machine, Expect => '100-continue'],
);

sub asked () { return $app->count + $fastcgi->count }

# Which of the refused requests got anything but a refusal.
sub leaks ($method, $path, $body = undef) {
    my @leaks;
    for my $cause (sort keys %refused) {
        for my $manner (sort keys %manner) {
            my ($client, @more) = $manner{$manner}->@*;
            my $answer = $client->request($method, $path, $body, $refused{$cause}->@*, @more);
            push @leaks, "$cause, $manner: " . $answer->status
                if $answer->status !~ /\A(?:302|401)\z/ || $answer->raw =~ /behind|sorry|Index of|Active/;
        }
    }
    return join "\n", @leaks;
}

my %signed_in = (Cookie => "authgate=$session{alice}");
my @paths = qw(
    /file /hello.txt /list/ /index/ /missing /named /proxy /buffered /fastcgi /rewritten /broken /nested/proxy
    /any.cgi /mirror /ssi /if /after /status /none
);
for my $path (@paths) {
    my $before = asked();
    is leaks('GET', $path), '', "G86 every refusal of GET $path: nothing of what is behind";
    is asked(), $before, "G86 and no application is asked ($path)";
    my $status = $path eq '/none' ? 404 : 200;
    is $machine->get($path, %signed_in)->status, $status, "(a session gets $status from $path)";
    AuthGate::Server::wait_until { asked() == $before + 2 } 5, 'the mirrored request' if $path eq '/mirror';
}
my $before = asked();
is leaks('GET', '/list'), '', 'G86 not even the redirect to the slash';
is $machine->get('/deny', %signed_in)->status, 403, 'H87 deny all holds for who is signed in';
for my $method (qw(HEAD POST PUT DELETE PATCH OPTIONS PROPFIND MKCOL LOCK QUERY)) {
    is leaks($method, '/proxy'), '', "G86 every refusal of $method";
}
is leaks('POST', '/proxy', 'x' x 50_000), '', 'G86 every refusal of a POST with a body';
is leaks('POST', '/buffered', 'x' x 50_000), '', 'G86 every refusal of a POST that is not buffered';
is leaks('PUT', '/dav/new.txt', 'planted'), '', 'G86 every refusal of a PUT of a file';
is join(' ', glob $server->path('dav/*')), '', 'G86 and no file is there';
AuthGate::write_file($server->path('dav/old.txt'), 'old');
is leaks('DELETE', '/dav/old.txt'), '', 'G86 every refusal of a DELETE of a file';
ok -e $server->path('dav/old.txt'), 'G86 and the file is still there';
is asked(), $before, 'G86 and no application is asked, whatever the method';
like $machine->request('PUT', '/dav/new.txt', 'mine', %signed_in)->status, qr/\A20[14]\z/, '(a session may PUT)';

$before = asked();
for my $raw (
    "GET /proxy\r\n", "GET /hello.txt\r\n", "GET /proxy HTTP/1.0\r\n\r\n", "GET http://x/proxy HTTP/1.0\r\n\r\n",
    "GET //proxy HTTP/1.0\r\n\r\n", "GET /x/../proxy HTTP/1.0\r\n\r\n", "GET /%70roxy HTTP/1.0\r\n\r\n",
    "GET /proxy?authgate=off HTTP/1.0\r\n\r\n", "GET /authgate/../proxy HTTP/1.0\r\n\r\n",
    "GET /authgate/%2e%2e/proxy HTTP/1.0\r\n\r\n", "GET /authgate/login/../../proxy HTTP/1.0\r\n\r\n",
    "GET /proxy#/authgate/login HTTP/1.0\r\n\r\n", "GET /authgate/login%00/../proxy HTTP/1.0\r\n\r\n",
    "TRACE /proxy HTTP/1.0\r\n\r\n", "CONNECT /proxy HTTP/1.0\r\n\r\n", "BREW /proxy HTTP/1.0\r\n\r\n",
) {
    my $answer = $machine->raw($raw);
    unlike $answer->raw, qr/behind/, 'G86 nothing comes of ' . $raw =~ s/\r\n.*//sr;
}
is asked(), $before, 'G86 and no application is asked by any of these';
my $piped = $machine->connect;
print $piped "POST /proxy HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    . "GET /proxy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
my $both = do { local $/; readline $piped };
close $piped;
is scalar(() = $both =~ m{^HTTP/1.1 401}mg), 2, 'G86 two pipelined requests get two refusals';
is asked(), $before, 'G86 and no application is asked by them';

my $mixed = $machine->connect;
print $mixed "GET /proxy HTTP/1.1\r\nHost: x\r\nCookie: authgate=$session{alice}\r\n\r\n"
    . "GET /proxy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
my @statuses = do { local $/; (readline $mixed) =~ m{^HTTP/1.1 (\d+)}mg };
close $mixed;
is "@statuses", '200 401', 'G86 who was let in lets nobody in behind, on the same connection';
is asked(), $before + 1, 'G86 the application is asked once';
$before = asked();

my $pages = $server->client(headers => [], port => $server->port('pages'));
my $sorry = $pages->get('/');
is $sorry->status, 401, 'G86 error_page 401 keeps the status';
is $sorry->body, "sorry\n", 'G86 and shows its own page';
is asked(), $before, 'G86 without asking the application';

ok $server->reload && $server->wait_for_old_workers, 'reload';
is $machine->get('/proxy')->status, 401, 'G86 after a reload a refusal is a refusal';
is asked(), $before, 'G86 and no application is asked';

done_testing;
