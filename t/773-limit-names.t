# F72, F73, F76, A10: failures are counted for a user name over all networks, and the devices on which
# a user has signed in are not held up by them.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 4);
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        limit retries=4 user_retries=3 ban=60s;
    }
    authgate_realm dev {
        users %%USERS%%;
        keys %%KEYS%%;
        path /dev/;
        cookie dev;
    }
    authgate_realm wide {
        users %%USERS%%;
        keys %%KEYS%%;
        path /wide/;
        cookie wide domain=example.com;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Groups $authgate_groups always;
        location /dev-only  { authgate dev; }
        location /wide-only { authgate wide; }
        location = /pid     { return 200 $pid; }
        location /app       { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
$server->make_certificate;
my $app  = AuthGate::Upstream->start($server->port('app'));
my $next = 0;

# A browser in a network of its own, with these cookies.
sub browser (%cookies) {
    my $from = '127.0.1.' . ++$next;
    return $server->client(from => $from, cookies => {%cookies});
}

sub edit_users ($change) {
    local $_ = AuthGate::read_file($server->path('users'));
    $change->();
    AuthGate::write_file($server->path('users'), $_);
}

sub wrong ($user, %cookies) { return browser(%cookies)->login($user, wrong_password()) }
sub right ($user, %cookies) { return browser(%cookies)->login($user, $PASSWORD{$user}) }

# Fails from three networks, so that the name is banned and no network is.
sub exhaust ($user) { return [ map { wrong($user)->status } 1 .. 3 ] }

my $composed   = "jos\xc3\xa9";
my $decomposed = "jose\xcc\x81";
$PASSWORD{$composed} = 'canary-password-of-jose';
$PASSWORD{known}     = 'canary-password-of-known';
edit_users(sub { $_ .= join '', map { "$_:" . AuthGate::bcrypt($PASSWORD{$_}) . "\n" } $composed, 'known' });
$server->run;

# The cookie.
my $alice = browser();
my $bob   = browser();
{
    my $token  = qr/v1\.first\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}/;
    my @lines  = $alice->sign_in('alice')->headers('Set-Cookie');
    is @lines, 2, 'a login sets two cookies';
    like $lines[1], qr/\Aauthgate-device=$token; Path=\/; HttpOnly; SameSite=Lax; Max-Age=7776000\z/,
        'the device cookie on plain HTTP';
    my $claims = AuthGate::Token::read($alice->cookie('authgate-device'));
    is $claims->{expires_at} - $claims->{issued_at}, 7_776_000, 'it is good for 90 days';
    is $claims->{user}, 'alice', 'for its user';
    isnt $claims->{session}, AuthGate::Token::read($alice->cookie('authgate'))->{session},
        'its id is not that of the session';

    my $tls = $server->client(port => $server->port('tls'), tls => 1);
    like +($tls->sign_in('bob')->headers('Set-Cookie'))[1],
        qr/\A__Host-authgate-device=$token; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=7776000\z/,
        'the device cookie on TLS';
    like +(browser()->login('bob', $PASSWORD{bob}, headers => [ Accept => 'application/json', 'Sec-Fetch-Site' => 'none' ])
            ->headers('Set-Cookie'))[1], qr/\Aauthgate-device=$token; /, 'a login by JSON sets it too';
    local $bob->{path} = '/wide/';
    like +($bob->sign_in('bob')->headers('Set-Cookie'))[1],
        qr/\Awide-device=$token; Path=\/; Domain=example\.com; HttpOnly; SameSite=Lax; Max-Age=7776000\z/,
        'the device cookie with domain=';
    $bob->{path} = '/authgate/';

    $alice->sign_in('alice');
    is AuthGate::Token::read($alice->cookie('authgate-device'))->{session}, $claims->{session},
        'a further login keeps the device';
    my $other = browser('authgate-device' => $alice->cookie('authgate-device'));
    $other->sign_in('bob');
    isnt AuthGate::Token::read($other->cookie('authgate-device'))->{session}, $claims->{session},
        "another user's login does not";
    is $alice->get('/hello.txt')->headers('Set-Cookie'), 0, 'it is not renewed';
    is $alice->get('/app', Cookie => "a=1; " . $alice->cookie_header)->status, 200, 'an application is asked';
    is_deeply [ $app->header_values('Cookie') ], ['a=1'], 'which never sees it';
    is wrong('stranger')->headers('Set-Cookie'), 0, 'a login that fails sets none';
}
$bob->sign_in('bob');
$alice->sign_out;
my $device  = $alice->cookie('authgate-device');
my $session = do { my $browser = browser(); $browser->sign_in('alice'); $browser->cookie('authgate') };
ok $device, 'F73 the device cookie is kept at logout';
is $alice->cookie('authgate'), undef, 'F73 the session is not';

# A10: it is no session, and a session is no device.
is browser(authgate => $device)->get('/hello.txt')->status, 302, 'A10 a device cookie signs nobody in';
like $server->error_log, qr/authgate: token refused, reason "bad_signature", realm "ops"/, 'A10 the log says why';
is browser(authgate => $session)->get('/hello.txt')->status, 200, 'A10 a session does';

# F73: alice is attacked from everywhere.
is_deeply exhaust('alice'), [ 403, 403, 403 ], 'F73 three networks fail as alice';
{
    my $limited;
    my @lines = $server->gate_lines_of(sub { $limited = right('alice') });
    is $limited->status, 429, 'F73 a stranger with the right password has to wait';
    like $limited->header('Retry-After'), qr/\A(?:60|5\d)\z/, 'F73 for how long';
    like join('', @lines), qr/\[error\] .* authgate: login limited, user "alice", reason "user", realm "ops", client: /,
        'F73 the log says that it is the name';
    is right('bob')->status, 303, 'F73 another user does not';
    is $alice->sign_in('alice')->status, 303, 'F73 alice gets in where she has signed in before';
    is right('alice', 'authgate-device' => $device)->status, 303, 'F73 from any network';
    is right('alice')->status, 429, 'F73 the ban stays';

    my %useless = (
        "bob's device cookie" => $bob->cookie('authgate-device'),
        'A10 a session as device cookie' => $session,
        'a device cookie with another MAC' => substr($device, 0, -2) . ($device =~ /AA\z/ ? 'BA' : 'AA'),
        'a device cookie of another realm' => do {
            my $browser = browser();
            $browser->{path} = '/dev/';
            $browser->sign_in('alice');
            $browser->cookie('dev-device');
        },
        'an API token as device cookie' => AuthGate::Token::sign(user => 'alice'),
        'an expired device cookie' => AuthGate::Token::sign(
            purpose   => 'device',
            user      => 'alice',
            issued_at => AuthGate::Token::now() - 100,
            expires_at => AuthGate::Token::now() - 1,
            epoch     => 0,
        ),
        'no value' => '',
    );
    for my $name (sort keys %useless) {
        is right('alice', 'authgate-device' => $useless{$name})->status, 429, "F73 $name is no help";
    }
    is right('alice', '__Host-authgate-device' => $device)->status, 429, 'F73 nor is the TLS name on plain HTTP';
    is right('alice', 'authgate-device' => $device)->status, 303, 'F73 (the right one is)';
}

# The device's own budget: retries, here 4, wherever it is.
{
    my @device = ('authgate-device' => $bob->cookie('authgate-device'));
    is_deeply [ map { wrong('bob', @device)->status } 1 .. 3 ], [ 403, 403, 403 ], 'F73 a device fails';
    is_deeply [ map { wrong('bob')->status } 1 .. 2 ], [ 403, 403 ], 'F73 and so does a stranger';
    is right('bob')->status, 303, 'F73 what a device does is not counted for the name';
    is right('bob', @device)->status, 303, 'F73 nor the other way round';
    is wrong('bob', @device)->status, 403, 'F73 the device fails for the fourth time';
    is right('bob', @device)->status, 303, 'F73 then it is like any other, and the name is not banned';
    is wrong('bob')->status, 403, 'F73 until it is';
    is right('bob', @device)->status, 429, 'F73 which holds for that device too';
    my @lines = $server->gate_lines_of(sub { right('bob', @device) });
    like join('', @lines), qr/login limited, user "bob", reason "user"/, 'F73 the log says so';
    is right('alice', 'authgate-device' => $device)->status, 303, "F73 another's device is not touched";
}

# A password change takes the cookie's power.
{
    my @at = map { $server->client(worker => $_, cookies => { authgate => $session }) } $server->workers;
    my $statuses = sub { [ map { $_->get('/hello.txt')->status } @at ] };
    is_deeply $statuses->(), [ (200) x 4 ], 'F73 before the change';
    $PASSWORD{alice} = 'canary-new-password-of-alice';
    my $hash = AuthGate::bcrypt($PASSWORD{alice});
    # The sessions end everywhere as soon as one worker has the file; that each has it is seen by bob's groups.
    my @bob = map { $server->client(worker => $_, cookies => { authgate => $bob->cookie('authgate') }) } $server->workers;
    edit_users(sub { s/^alice:[^:]*/alice:$hash/m; s/groups=dev$/groups=changed/m });
    AuthGate::Server::wait_until {
        4 == grep { ($_->get('/hello.txt')->header('X-Groups') // '') eq 'changed' } @bob
    }
    5, 'the change at every worker';
    is_deeply $statuses->(), [ (302) x 4 ], 'F73 after the change';
    is right('alice', 'authgate-device' => $device)->status, 429, 'F73 a password change takes its power';
    is right('alice')->status, 429, 'F73 (the name is banned still)';
}

# F72: names are as they are looked up.
{
    is_deeply exhaust('carol'), [ 403, 403, 403 ], 'F72 carol is banned';
    is wrong('carol')->status, 429, 'F72 she is';
    for my $name ('Carol', ' carol', 'carol ', "carol\t", "carol\xe2\x80\x8b", "\xef\xbd\x83arol", '"carol"') {
        my $printed = $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
        is_deeply exhaust($name), [ 403, 403, 403 ], "F72 <$printed> is another name";
        is wrong($name)->status, 429, "F72 <$printed> has its own count";
    }
    is_deeply exhaust($decomposed), [ 403, 403, 403 ], 'F72 a name decomposed';
    is wrong($decomposed)->status, 429, 'F72 is banned';
    is right($composed)->status, 303, 'F72 which is not the name composed';
}

# F76: names that are not there. Everything but the count of seconds is the same.
sub answers ($user, @options) {
    my @answers = map { wrong($user) } 1 .. 5;
    return [ map { comparable($_->raw, $user) } @answers ];
}

sub comparable ($raw, $user) {
    return $raw =~ s/^Date: .*//mr =~ s/^Retry-After: \K\d+//mr =~ s/in \K\d+ seconds/N seconds/r =~ s/\Q$user\E/NAME/gr;
}
my $known   = answers('known');
my $unknown = answers('ghost');
is_deeply $unknown, $known, 'F76 unknown users are limited and answered like known ones';
is_deeply [ map { m{\AHTTP/1.1 (\d+)} } @$unknown ], [ 403, 403, 403, 429, 429 ], 'F76 with these statuses';
like $server->error_log, qr/login failed, user "ghost", reason "unknown_user"/, 'F76 the log alone tells';
like $server->error_log, qr/login failed, user "known", reason "bad_password"/, 'F76 of both';

done_testing;
