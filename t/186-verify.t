# H88: auth_request to authgate_verify lets in whom the gate lets in, and nobody else.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Client;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit off; session idle=10s max=1h; }
    log_format seen '$uri $status "$authgate_user" "$remote_user"';
    access_log %%DIR%%/logs/seen.log seen;
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location = /verify { internal; authgate_verify ops; }
        location = /sre { internal; authgate_verify ops; authgate_require group=sre; }
        location = /redirect { internal; authgate_verify ops redirect; }
        location = /asked { auth_request /verify; auth_request_set $who $authgate_user; add_header X-Who $who always; try_files /hello.txt =404; }
        location = /asked/sre { auth_request /sre; try_files /hello.txt =404; }
        location = /asked/redirect { auth_request /redirect; try_files /hello.txt =404; }
        location = /asked/any { satisfy any; deny all; auth_request /verify; try_files /hello.txt =404; }
        location = /asked/any-open { satisfy any; allow all; auth_request /verify; try_files /hello.txt =404; }
        location = /asked/all { satisfy all; allow all; auth_request /verify; try_files /hello.txt =404; }
        location = /asked/page { auth_request /verify; error_page 401 /own; try_files /hello.txt =404; }
        location = /asked/login { auth_request /verify; error_page 401 =302 /authgate/login?rd=$request_uri; try_files /hello.txt =404; }
        location = /own { return 200 "own\n"; }
        location /asked/app { auth_request /verify; auth_request_set $who $upstream_http_remote_user; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asked/user { auth_request /verify; auth_request_set $who $authgate_user; auth_request_set $groups $authgate_groups;
            proxy_set_header Remote-User $who; proxy_set_header Remote-Groups $groups; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asked/mirror { auth_request /verify; mirror /verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asked/both { authgate ops; auth_request /verify; try_files /hello.txt =404; }
        location = /asked/both-sre { authgate ops; auth_request /sre; try_files /hello.txt =404; }
        location = /asked/cached { auth_request /verify; proxy_cache cache; proxy_cache_valid any 1h; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asked/rewritten { auth_request /verify; rewrite ^ /asked/target; }
        location = /asked/target { auth_request /verify; try_files /hello.txt =404; }
        location = /ssi { ssi on; ssi_types *; try_files /ssi.html =404; }
        location = /slow-asked { auth_request /verify; try_files /hello.txt =404; }
        location /limited/ { auth_request /verify; alias %%DIR%%/html/; }
    }
EOF_HTTP
AuthGate::write_file($server->path('html/ssi.html'),
    'a<!--# include virtual="/asked-by-ssi" -->b<!--# include virtual="/verify" -->c<!--# include virtual="/sre" -->d');
my @hashes = map { bcrypt("canary-right-$_", 4) } 1, 2;
my $slow = bcrypt('canary-right', 11);
AuthGate::append_file($server->path('users'), join '',
    map { "sre$_:$hashes[0]:groups=sre\ndev$_:$hashes[1]:groups=dev\nslow$_:$slow\n" } 1 .. 80);
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my $client = $server->client(headers => []);
my $browser = $server->client;

# A renewed cookie is not kept: each request has what it is given and nothing else.
sub ask ($path, @headers) {
    $client->forget_cookies;
    return $client->get($path, @headers);
}

my %seen;
sub cold ($group) { return basic($group . ++$seen{$group}, 'canary-right-' . ($group eq 'sre' ? 1 : 2)) }
sub wrong () { return basic('sre' . ++$seen{sre}, 'canary-wrong') }
sub token (%claims) { return (Authorization => 'Bearer ' . AuthGate::Token::api(%claims)) }

for my $user (qw(alice bob)) {
    $browser->forget_cookies;
    $browser->sign_in($user);
    $seen{"$user cookie"} = [Cookie => 'authgate=' . $browser->cookie('authgate')];
}
my %good = (
    cookie => sub { $seen{'alice cookie'}->@* },
    bearer => sub { token(user => 'alice') },
    'Basic, cold' => sub { cold('sre') },
    'Basic, remembered' => sub { right('alice') },
);
my %bad = (
    nobody => sub { () },
    'a bad cookie' => sub { (Cookie => 'authgate=x') },
    'a bad token' => sub { (Authorization => 'Bearer agt_x') },
    'an expired token' => sub { token(user => 'alice', issued_at => 1000, expires_at => 2000) },
    'a token of a stranger' => sub { token(user => 'nobody') },
    'Basic, wrong' => sub { wrong() },
    'Basic, unknown' => sub { basic('nobody', 'canary-wrong') },
    'Basic, malformed' => sub { (Authorization => 'Basic %') },
    'Basic beside a good cookie' => sub { ($seen{'alice cookie'}->@*, wrong()) },
);
my @paths = qw(/asked /asked/sre /asked/redirect /asked/any /asked/all /asked/page /asked/app /asked/user
    /asked/mirror /asked/both /asked/both-sre /asked/cached /asked/rewritten /limited/hello.txt);
my $content = qr/hello from behind|from the application/;
ask('/asked', right('alice'));

for my $path (@paths) {
    for my $with (sort keys %good) {
        my $answer = ask($path, $good{$with}->());
        is $answer->status, 200, "H88 $path by $with: let in";
        like $answer->body, $content, "H88 $path by $with: the content";
        is $answer->header($_), undef, "H88 $path by $with: no $_ of the subrequest"
            for qw(Remote-User X-Forwarded-User Remote-Groups X-Forwarded-Groups Content-Security-Policy
            X-Content-Type-Options WWW-Authenticate);
    }
    my $before = $app->count;
    for my $with (sort keys %bad) {
        my $answer = ask($path, $bad{$with}->());
        is $answer->status, 401, "H88 $path by $with: 401";
        unlike $answer->raw, $content, "G86 $path by $with: nothing gets out";
        my @challenges = $answer->headers('WWW-Authenticate');
        is scalar @challenges, 1, "H88 $path by $with: one challenge" or diag $answer->head;
        unlike $answer->head, qr/Set-Cookie|Remote-User|Forwarded-User/i, "H88 $path by $with: nothing else";
    }
    is $app->count, $before, "G86 $path: no refused request reaches the application";
    is ask($path, 'Sec-Fetch-Mode' => 'navigate', Accept => 'text/html')->status, 401,
        "H88 $path: a navigation gets 401 as well";
    for my $with ('Basic', 'cookie') {
        my $answer = ask($path, $with eq 'Basic' ? cold('dev') : $seen{'bob cookie'}->@*);
        my $forbidden = $path =~ /sre/;
        is $answer->status, $forbidden ? 403 : 200, "H88 $path by $with of another group: $answer->{status}";
        unlike $answer->raw, $content, "G86 $path: nothing gets out" if $forbidden;
    }
}
is ask('/asked/any-open')->status, 200, 'H87 satisfy any: let in by address';
is ask('/asked/any-open', wrong())->status, 200, 'H87 satisfy any: let in by address, wrong';
is ask('/asked/page')->body, "own\n", 'H88 error_page 401 of the main location';
is ask('/verify')->status, 404, 'internal: nobody asks it directly';

# A request with a body waits.
for my $length (3, 200_000) {
    my $body = 'z' x $length;
    $client->forget_cookies;
    my $answer = $client->request('POST', '/asked/app', $body, cold('sre'));
    is $answer->status, 200, "H88 a post of $length bytes is let in";
    like $app->last_request, qr/\r\n\r\nz{$length}\z/, "H88 a post of $length bytes arrives whole"
        if $length < 30_000;
    is length($app->last_request =~ s/.*?\r\n\r\n//sr), $length, "H88 $length bytes arrive";
    is join('|', $app->header_values('Authorization')), '', 'B35 without the credential';
}

# The application is told who it is; what the client says of that does not get through.
ask('/asked/user', right('alice'), 'Remote-User' => 'root', 'Remote-Groups' => 'wheel');
is join('|', $app->header_values('Remote-User')), 'alice', 'G84 the user';
is join('|', $app->header_values('Remote-Groups')), 'ops,sre', 'G84 the groups';

# The main request's method and path count, whatever the location that verifies is called.
{
    my sub limited (%limits) { return token(user => 'alice', %limits) }
    my @get = limited(methods => ['GET'], paths => ['/limited/', '/asked/app']);
    my %is = (
        'within its limits' => [GET => '/limited/hello.txt', 200],
        'another path' => [GET => '/asked', 403],
        'another method' => [POST => '/asked/app', 403],
        'a path below' => [GET => '/asked/app/x', 200],
        'a path that only begins so' => [GET => '/asked/apple', 403],
        'the location that verifies in the query' => [GET => '/asked?/limited/hello.txt', 403],
    );
    for my $name (sort keys %is) {
        my ($method, $path, $status) = $is{$name}->@*;
        $client->forget_cookies;
        my $answer = $client->request($method, $path, $method eq 'POST' ? 'x' : undef, @get);
        is $answer->status, $status, "H88 a token with limits, $name: $status" or diag $answer->head;
        unlike $answer->raw, $content, "G86 a token with limits, $name: nothing gets out" if $status != 200;
    }
    is ask('/asked', limited(paths => ['/verify']))->status, 403, 'H88 a token for the location that verifies';
    is ask('/asked', limited(paths => ['/asked']), 'X-Original-URL' => '/x')->status, 200, 'H88 its own path';
    is ask('/asked', limited(paths => ['/x']), 'X-Original-URL' => '/x', 'X-Forwarded-Uri' => '/x')->status, 403,
        'G85a a path that the client tells is ignored';
    is ask('/asked/rewritten', limited(paths => ['/asked/rewritten']))->status, 200, 'H88 the path before a rewrite';
    is ask('/asked/rewritten', limited(paths => ['/asked/target']))->status, 403, 'H88 and not that behind it';
}

# A renewed cookie goes out with the main response, once and privately.
{
    my ($first) = $seen{'alice cookie'}[1] =~ /authgate=(.*)/;
    my $issued = AuthGate::Token::read($first)->{issued_at};
    AuthGate::Server::wait_until { AuthGate::Token::now() > $issued + 1 } 5, 'a tenth of idle to pass';
    for my $path (grep { !/cached/ } @paths) {
        my $answer = ask($path, $seen{'alice cookie'}->@*);
        is $answer->status, 200, "H88 $path: alice is let in";
        my @cookies = $answer->headers('Set-Cookie');
        is scalar @cookies, 1, "H88 $path: one renewed cookie goes out" or diag $answer->head;
        my ($token) = ($cookies[0] // '') =~ /^authgate=([^;]+)/;
        ok $token && AuthGate::Token::read($token)->{issued_at} > $issued, "H88 $path: and is a new one";
        like join('|', $answer->headers('Cache-Control')), qr/private|no-store/, "H96 $path: privately";
    }
    # Never with what a cache keeps for others.
    my $answer = ask('/asked/cached', right('alice'));
    is $answer->status, 200, 'H96 from the cache';
    is $answer->header('Set-Cookie'), undef, 'H96 and without the cookie of another one';
    is ask('/asked/any-open', $seen{'bob cookie'}->@*)->header('Set-Cookie'), undef,
        'a location that has not asked renews nothing';
    is ask('/asked', Cookie => 'authgate=x')->header('Set-Cookie'), undef, 'nobody gets none';
}

# Subrequests of a page.
{
    my $answer = ask('/ssi', cold('sre'));
    is $answer->status, 200, 'SSI: the page comes';
    is $answer->header($_), undef, "SSI: no $_ of a subrequest" for qw(Remote-User X-Forwarded-User Remote-Groups);
    unlike $answer->body, qr/hello from/, 'SSI: a subrequest is no way in';
    $answer = ask('/ssi', wrong());
    is $answer->header('WWW-Authenticate'), undef, 'SSI: no challenge of a subrequest';
    is $answer->header('Cache-Control'), undef, 'SSI: no field of a subrequest';
    is $answer->status, 200, 'SSI: the page comes all the same';
}

# Many at once with one cold credential, and a reload meanwhile.
{
    my $from = ++$seen{slow};
    my @pending = map { pending($client, '/slow-asked', basic("slow$from", 'canary-right')) } 1 .. 60;
    is_deeply [map { $_->answer->status } @pending], [(200) x 60], 'G80 sixty subrequests at once are let in';
    is scalar(() = $server->error_log =~ /login ok, user "slow$from"/g), 1, 'G80 after one check';
    my $next = ++$seen{slow};
    @pending = map { pending($client, '/slow-asked', basic("slow$next", $_ % 2 ? 'canary-right' : 'canary-wrong')) } 1 .. 20;
    $server->reload;
    is_deeply [map { $_->answer->status } @pending], [(200, 401) x 10], 'E58 reload: all are answered';
}

AuthGate::Server::wait_until { AuthGate::read_file($server->path('logs/seen.log')) =~ m{^/slow-asked}m } 5, 'the log';
unlike $server->error_log, qr/auth request unexpected status/, 'auth_request understands every answer';

done_testing;
