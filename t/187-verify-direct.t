# authgate_verify, asked by another proxy or a person: 204 with who it is, else 401, 403 or a redirect.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Client;
use AuthGate::Http2;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit retries=3 find=1h ban=1h; }
    authgate_realm open { users %%USERS%%; accept cookie basic; limit off; path /open/; cookie open; checks running=1 waiting=0; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        add_header X-Seen "$authgate_user|$authgate_status|$remote_user" always;
        expires 1d;
        location = /verify { authgate_verify ops; }
        location = /sre { authgate_verify ops; authgate_require group=sre; }
        location = /redirect { authgate_verify ops redirect; }
        location = /redirect-sre { authgate_verify ops redirect; authgate_require group=sre; }
        location = /own { error_page 401 403 =200 /hello.txt; authgate_verify ops; }
        location = /open-verify { authgate_verify open; }
        location = /asked-open { auth_request /open-verify; try_files /hello.txt =404; }
        location = /asked { auth_request /verify; try_files /hello.txt =404; }
        location = /denied { deny all; authgate_verify ops; }
        location = /any { satisfy any; allow all; authgate_verify ops; }
        location = /static { authgate_verify ops; try_files /hello.txt =404; }
        location = /proxied { authgate_verify ops; proxy_pass http://127.0.0.1:1; }
        location /nested { authgate_verify ops; location /nested/inner { try_files /hello.txt =404; } }
    }
EOF_HTTP
my $hash = $AuthGate::USERS =~ /^alice:([^:]+)/ ? $1 : die;
my $slow = bcrypt('canary-right', 12);
AuthGate::append_file($server->path('users'), "müller:$hash:groups=ärzte,on call\n名前:$hash\n"
    . join '', map { "slow$_:$slow\n" } 1 .. 9);
$server->run;
my $network = 0;
sub fresh (%more) { return $server->client(from => '127.0.5.' . ++$network, headers => [], %more) }
my $client = fresh();
my @FIELDS = qw(Remote-User X-Forwarded-User Remote-Groups X-Forwarded-Groups);

sub fields_of ($answer) { return join '|', map { $_ // '-' } map { my $name = $_; join ',', $answer->headers($name) } @FIELDS }
sub is_guarded ($name, $answer) {
    is $answer->header('Cache-Control'), 'no-store', "H95 $name: no cache keeps it";
    is $answer->header('Expires'), undef, "H95 $name: nor by Expires";
    is $answer->header('X-Content-Type-Options'), 'nosniff', "$name: guarded";
    is $answer->header('ETag') // $answer->header('Last-Modified'), undef, "H97 $name: nothing to revalidate";
}

# Who it is.
my @alice_cookie = do { my $browser = $server->client; $browser->sign_in('alice'); (Cookie => 'authgate=' . $browser->cookie('authgate')) };
for my $case (
    ['Basic', [right('alice')], 'alice|alice|ops,sre|ops,sre'],
    ['Basic again', [right('alice')], 'alice|alice|ops,sre|ops,sre'],
    ['a cookie', [@alice_cookie], 'alice|alice|ops,sre|ops,sre'],
    ['a bearer', [Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob')], 'bob|bob|dev|dev'],
    ['no groups', [right('carol')], 'carol|carol||'],
    ['UTF-8', [basic('müller', $PASSWORD{alice})], 'müller|müller|ärzte,on call|ärzte,on call'],
    ['more UTF-8', [basic('名前', $PASSWORD{alice})], '名前|名前||'],
    )
{
    my ($name, $headers, $fields) = @$case;
    for my $path (qw(/verify /redirect /own /any /static /proxied /nested)) {
        for my $method (qw(GET HEAD POST PUT OPTIONS)) {
            my $body = $method =~ /^P/ ? 'x' x 20_000 : undef;
            my $answer = $client->request($method, $path, $body, @$headers);
            is $answer->status, 204, "$path, $method, $name: 204";
            is fields_of($answer), $fields, "$path, $method, $name: who";
            is $answer->body, '', "$path, $method, $name: no body";
            next if $method ne 'GET';
            is_guarded("$path, $name", $answer);
        }
    }
    my @lower = map { $_ % 2 ? $headers->[$_] : lc $headers->[$_] } 0 .. $#$headers;
    is AuthGate::Http2::get($server->port('h2'), '/verify', @lower)->{status}, 204, "HTTP/2, $name: 204";
}
my $carol = $client->get('/verify', right('carol'));
unlike $carol->head, qr/Groups/, 'no groups: no field of them';

# Who it is not.
for my $path (qw(/verify /redirect /own /any /static /proxied /nested)) {
    for my $case (
        ['nobody', []], ['wrong', [basic('alice', 'canary-wrong')]], ['malformed', [Authorization => 'Basic %']],
        ['a bad cookie', [Cookie => 'authgate=x']], ['a bad token', [Authorization => 'Bearer agt_x']],
        )
    {
        my ($name, $headers) = @$case;
        for my $method (qw(GET HEAD POST)) {
            my $answer = fresh()->request($method, $path, $method eq 'POST' ? 'x' x 20_000 : undef, @$headers,
                (map { ($_ => 'root') } @FIELDS));
            is $answer->status, 401, "$path, $method, $name: 401";
            is fields_of($answer), '|||', "$path, $method, $name: nobody";
            ok defined $answer->header('WWW-Authenticate'), "$path, $method, $name: a challenge";
            unlike $answer->raw, qr/hello from/, "G86 $path, $method, $name: nothing gets out";
            is_guarded("$path, $method, $name", $answer);
        }
    }
}

# May not.
for my $path (qw(/sre /redirect-sre)) {
    my $answer = $client->get($path, Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob'));
    is $answer->status, 403, "$path: 403";
    is fields_of($answer), '|||', "$path: tells nobody";
    is_guarded($path, $answer);
    is $client->get($path, right('alice'))->status, 204, "$path: alice may";
    $answer = $client->get($path, right('carol'), 'Sec-Fetch-Mode' => 'navigate', Accept => 'text/html');
    is $answer->status, 403, "$path: a navigation gets 403 as well";
    is $answer->header('Location'), undef, "$path: and no redirect";
}

# Navigations.
for my $navigation ([Accept => 'text/html'], ['Sec-Fetch-Mode' => 'navigate'], [Accept => 'text/html', Cookie => 'authgate=x']) {
    my $answer = $client->get('/redirect?a=b', @$navigation);
    is $answer->status, 302, "redirect: @$navigation: 302";
    is $answer->header('Location'), '/authgate/login', 'redirect: to the login page (what is asked for is not known)';
    is $answer->header('WWW-Authenticate'), undef, 'redirect: no challenge';
    is $client->get('/verify', @$navigation)->status, 401, 'without redirect: 401';
    is $client->post('/redirect', [], @$navigation)->status, 401, 'a post: 401';
    is $client->request('HEAD', '/redirect', undef, @$navigation)->status, 302, 'HEAD: 302';
}
is $client->get('/redirect', Accept => 'text/html', basic('alice', 'canary-wrong'))->status, 401,
    'redirect: a wrong credential gets 401';
is $client->get('/redirect', Accept => 'text/html', Upgrade => 'websocket')->status, 401, 'redirect: a handshake gets 401';

# A token with limits: what is asked for is not known here.
for my $limits ([paths => ['/verify']], [paths => ['/']], [methods => ['GET']]) {
    my $answer = $client->get('/verify', 'X-Original-URL' => '/verify', 'X-Forwarded-Uri' => '/verify',
        'X-Forwarded-Method' => 'GET', Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', @$limits));
    is $answer->status, 403, "a token limited to @{$limits->[1]}: 403" or diag $answer->head;
    is fields_of($answer), '|||', 'and tells nobody';
}

# Other access checkers hold.
is $client->get('/denied', right('alice'))->status, 403, 'deny holds';
is fields_of($client->get('/denied', right('alice'))), '|||', 'deny: nobody is told';
is $client->get('/nested/inner')->status, 200, 'a nested location verifies nothing itself';

# In the answer to the client the variables are those of the verdict.
like $client->get('/verify', right('alice'))->header('X-Seen'), qr/\Aalice\|ok\|/, 'variables: who it is';
like $client->get('/sre', right('carol'))->header('X-Seen'), qr/\|forbidden\|/, 'variables: who may not';
like $client->get('/verify')->header('X-Seen'), qr/\A\|missing\|\z/, 'variables: nobody';
unlike fresh()->get('/verify', basic('bob', 'canary-wrong'))->header('X-Seen'), qr/bob/,
    'G82 variables: never a user who is not verified';

# Limited and busy.
{
    my $limited = fresh();
    $limited->get('/verify', basic('alice', "canary-wrong-$_")) for 1 .. 3;
    my $answer = $limited->get('/verify', basic('bob', 'canary-wrong'));
    is $answer->status, 429, 'limited: 429';
    like $answer->header('Retry-After'), qr/\A\d+\z/, 'limited: Retry-After';
    $answer = $limited->get('/asked', basic('bob', 'canary-wrong'));
    isnt $answer->status, 200, 'H88 auth_request, limited: refused';
    unlike $answer->raw, qr/hello from/, 'G86 auth_request, limited: nothing gets out';
    is $limited->get('/redirect', basic('bob', 'canary-wrong'), 'Sec-Fetch-Mode' => 'navigate')->status, 429,
        'limited: no redirect';

    my @pending = map { pending(fresh(), $_ % 2 ? '/open-verify' : '/asked-open', basic("slow$_", 'canary-right')) } 1 .. 9;
    my %status = map { $_->answer->status => 1 } @pending;
    ok $status{503} || $status{500}, 'busy: some are sent away' or diag explain \%status;
    is scalar(grep { $_->answer->status == 200 && $_->answer->body !~ /hello from/ } @pending), 0,
        'busy: who is let in gets the content';
    is scalar(grep { $_->answer->status != 200 && $_->answer->body =~ /hello from/ } @pending), 0,
        'G86 busy: nobody else does';
}

done_testing;
