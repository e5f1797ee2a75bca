# G78: what is no Basic credential, or a wrong one, gets 401 and nothing else happens.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Http2;
use AuthGate::Server;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie bearer basic; limit off; }
    add_header X-Seen "$authgate_user|$authgate_method|$authgate_status|$remote_user" always;
    large_client_header_buffers 4 32k;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /open { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my ($worker) = $server->workers;
my $client = $server->client(headers => []);
my $browser = $server->client;
$browser->sign_in('alice');
my @cookie = (Cookie => 'authgate=' . $browser->cookie('authgate'));

my $alice = encode_base64("alice:$PASSWORD{alice}", '');
my %malformed = (
    'nothing behind the scheme' => 'Basic',
    'blanks behind the scheme' => 'Basic   ',
    'no base64' => 'Basic %%%%',
    'a credential in the clear' => 'Basic alice:canary-wrong',
    'no colon' => 'Basic ' . encode_base64('alice', ''),
    'no user' => 'Basic ' . encode_base64(':canary-wrong', ''),
    'a colon alone' => 'Basic ' . encode_base64(':', ''),
    'padding' => 'Basic ====',
    'no padding' => 'Basic ' . encode_base64('alice:canary-wrong1', '') =~ s/=+$//r,
    'too much padding' => "Basic $alice==",
    'base64url' => 'Basic ' . encode_base64('alice:??>>', '') =~ tr{+/}{-_}r,
    'two credentials' => "Basic $alice, Basic $alice",
    'a blank in the middle' => 'Basic ' . ($alice =~ s/^(....)/$1 /r),
    'a user name that is not UTF-8' => 'Basic ' . encode_base64("al\xffice:x", ''),
    'over 2048 bytes' => 'Basic ' . encode_base64('alice:' . 'x' x 4000, ''),
    '20 KiB' => 'Basic ' . encode_base64('alice:' . 'x' x 15_000, ''),
);

sub is_401 ($name, $answer, $seen) {
    is $answer->status, 401, "G78 $name: 401";
    is $answer->header('X-Seen'), $seen, "G78 $name: nobody";
    unlike $answer->raw, qr/hello from behind|from the application/, "G86 $name: nothing gets out";
}

for my $name (sort keys %malformed) {
    my $value = $malformed{$name};
    is_401($name, $client->get('/hello.txt', Authorization => $value), '||malformed|');
    is $client->get('/hello.txt', Authorization => lc($value =~ s/ .*//r) . ($value =~ / (.*)/ ? " $1" : ''))
        ->status, 401, "G78 $name, scheme in lower case: 401";
    is_401("$name, with a cookie", $client->get('/hello.txt', @cookie, Authorization => $value),
        '||malformed|');
    is $client->raw("GET /hello.txt HTTP/1.0\r\nAuthorization: $value\r\n\r\n")->status, 401,
        "G78 $name, HTTP/1.0: 401";
    is AuthGate::Http2::get($server->port('h2'), '/hello.txt', authorization => $value)->{status}, 401,
        "G78 $name, HTTP/2: 401";
    $client->get('/app', Authorization => $value);
}
is $app->count, 0, 'G86 nothing has reached the application';

# What is one, though it looks odd.
my %odd = (
    'the scheme in lower case' => "basic $alice",
    'the scheme in upper case' => "BASIC $alice",
    'several blanks' => "Basic    $alice",
    'blanks behind' => "Basic $alice  ",
);
for my $name (sort keys %odd) {
    my $answer = $client->get('/hello.txt', Authorization => $odd{$name});
    is $answer->status, 200, "G78 $name: let in";
    is $answer->header('X-Seen'), 'alice|basic|ok|alice', "G78 $name: as alice";
}
is $client->raw("GET /hello.txt HTTP/1.0\r\nAuthorization: Basic $alice\r\n\r\n")->status, 200,
    'G78 HTTP/1.0: let in';
is AuthGate::Http2::get($server->port('h2'), '/hello.txt', authorization => "Basic $alice")->{status}, 200,
    'G78 HTTP/2: let in';
like $client->raw("GET /hello.txt\r\n", 'GET')->body, qr/unauthenticated/, 'H93 HTTP/0.9 is refused';

# Wrong in other ways: the same answer.
my %wrong = (
    'a wrong password' => ['alice', 'canary-wrong'],
    'an unknown user' => ['nobody', 'canary-wrong'],
    'no password' => ['alice', ''],
    'NUL in the password' => ['alice', "$PASSWORD{alice}\0"],
    'NUL in the name' => ["alice\0", $PASSWORD{alice}],
    'another case of the name' => ['Alice', $PASSWORD{alice}],
    'over 72 bytes with bcrypt' => ['alice', $PASSWORD{alice} . 'x' x 72],
    'over 1024 bytes' => ['alice', 'x' x 1025],
    '1024 bytes' => ['alice', 'x' x 1024],
    'a line break in the name' => ["alice\nroot", 'canary-wrong'],
    'a long name' => ['a' x 400, 'canary-wrong'],
);
my $expected;
for my $name (sort keys %wrong) {
    my $answer = $client->get('/hello.txt', basic($wrong{$name}->@*));
    is $answer->status, 401, "G78 $name: 401";
    is $answer->body, "unauthenticated\n", "C49 $name: the same body";
    my $head = $answer->head =~ s/^(?:Date|X-Seen):.*\r\n//mgr;
    $expected //= $head;
    is $head, $expected, "C49 $name: the same head";
}
my @lines = grep { /authgate: login failed/ } split /^/, $server->error_log;
is scalar(grep { /alice\\x0Aroot/ } @lines), 1, 'I116 a name with a line break is one escaped line';
is scalar(grep { /a{64}\.\.\./ } @lines), 1, 'I116 a long name is cut';

# Two lines: whoever stands behind may read the other one.
my $bob = encode_base64("bob:$PASSWORD{bob}", '');
for my $pair ([$alice, $bob], [$alice, 'x'], ['x', $alice], [$alice, $alice]) {
    my ($first, $second) = @$pair;
    my $before = $app->count;
    my $answer = $client->raw("GET /app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            . "Authorization: Basic $first\r\nAuthorization: Basic $second\r\n\r\n");
    like $answer->status, qr/\A40[01]\z/, "G78 two Authorization lines: $first, $second";
    is $app->count, $before, 'G78 two Authorization lines: the application is not asked';
    my $h2 = AuthGate::Http2::get($server->port('h2'), '/app', authorization => "Basic $first",
        authorization => "Basic $second");
    like $h2->{status}, qr/\A40[01]\z/, 'G78 two Authorization lines, HTTP/2';
    is $app->count, $before, 'G78 two Authorization lines, HTTP/2: the application is not asked';
}
for my $pair (['Bearer app', "Basic $bob"], ["Basic $bob", 'Bearer app']) {
    $client->raw("GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            . join('', map { "Authorization: $_\r\n" } @$pair) . "\r\n");
    is scalar(grep { /^Basic/ } $app->count ? $app->header_values('Authorization') : ()), 0,
        "G82 @$pair: no Basic credential reaches the application of a location that is off";
}

is_deeply [$server->workers], [$worker], 'G78 the worker lives';
done_testing;
