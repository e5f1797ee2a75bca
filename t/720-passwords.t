# E63, E64, E65: what is checked, and how long it takes.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        checks running=1;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        client_max_body_size 100m;
        location = /open { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP

my $bytes_72 = substr 'canary-long-' x 7, 0, 72;
my $long = 'canary-long-' x 9;

# The file's usual cost is 9. slow occupies the one check that may run.
AuthGate::write_file(
    $server->path('users'),
    join '',
    'one:' . bcrypt('canary-one', 9) . "\n",
    'two:' . bcrypt('canary-two', 9) . "\n",
    'three:' . bcrypt('canary-three', 9) . "\n",
    'exact:' . bcrypt($bytes_72, 4) . "\n",
    'prefix:' . bcrypt('canary', 4) . "\n",
    'sha:' . sha512_crypt($long) . "\n",
    'sha-short:' . sha512_crypt('canary') . "\n",
    'empty:' . bcrypt('', 4) . "\n",
    'slow:' . bcrypt('canary-slow', 12) . "\n"
);
$server->run;
my $client = $server->client;

# Each from a network of its own, so that none is limited.
my $networks = 0;

sub login_of ($user, $password) {
    my $address = sprintf '127.%d.%d.%d', 1, $networks / 200, 2 + $networks++ % 200;
    return $server->client(from => $address)->login($user, $password);
}

sub seconds ($user, $password) {
    my $began = Time::HiRes::time();
    my $response = login_of($user, $password);
    die $response->raw if $response->status != 403;
    return Time::HiRes::time() - $began;
}

sub median (@numbers) {
    return (sort { $a <=> $b } @numbers)[$#numbers / 2];
}

# E63. In turn, so that what else the machine does falls on both; three tries for the same reason: a
# gate without the dummy check is off by a factor of ten in each.
my ($known, $unknown, $off);
for (1 .. 3) {
    my (@known, @unknown);
    for (1 .. 15) {
        push @known, seconds('one', wrong_password());
        push @unknown, seconds('nobody', wrong_password());
    }
    ($known, $unknown) = (median(@known), median(@unknown));
    $off = abs($known - $unknown) / $known;
    last if $off < 0.25;
}
diag sprintf 'known %.1f ms, unknown %.1f ms', 1000 * $known, 1000 * $unknown;
is_within $off, 0.25, 'E63 a known and an unknown user take the same time';
cmp_ok $known, '>', 0.005, 'E63 and it is the time of a check';

# E64
is login_of('exact', $bytes_72)->status, 303, 'E64 72 bytes are a password';
is login_of('exact', "${bytes_72}x")->status, 403, 'E64 73 bytes are refused, not cut';
is login_of('exact', substr $bytes_72, 0, 71)->status, 403, 'E64 71 of them are wrong';
is login_of('exact', $bytes_72 x 4)->status, 403, 'E64 288 bytes are refused';
is login_of('prefix', 'canary')->status, 303, 'E64 a password';
is login_of('prefix', "canary\0")->status, 403, 'E64 a NUL behind it is refused, not cut';
is login_of('prefix', "canary\0more")->status, 403, 'E64 nor is what follows a NUL';
is login_of('prefix', "\0canary")->status, 403, 'E64 nor a NUL before it';
is login_of('sha', $long)->status, 303, 'E64 SHA-512-crypt takes over 72 bytes';
is login_of('sha', "${long}x")->status, 403, 'E64 SHA-512-crypt: one more is wrong';
is login_of('sha-short', 'canary')->status, 303, 'E64 SHA-512-crypt: a password';
is login_of('sha-short', "canary\0")->status, 403, 'E64 SHA-512-crypt: a NUL is refused';
is login_of('empty', "\0")->status, 403, 'E64 a NUL is not the empty password';

sub answer_to ($password) { return login_of('exact', $password)->raw =~ s/^Date: .*\r\n//mr }

my $wrong = answer_to(wrong_password());
ok answer_to("${bytes_72}x") eq $wrong, 'E64 73 bytes: the answer is that to any wrong password';
ok answer_to("canary\0") eq $wrong, 'E64 a NUL: the answer is that to any wrong password';

# E65. The only check that may run does so, hence what is answered before it has not been checked.
sub while_checking ($name, $response_of, $status) {
    my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
    is $client->get('/open')->status, 200, "E65 $name: a check runs";
    my $response = $response_of->();
    ok !$slow->is_answered, "E65 $name: answered before any check";
    is $response->status, $status, "E65 $name: $status";
    is $slow->answer->status, 303, "E65 $name: the check goes on";
}

while_checking('1,025 bytes', sub { login_of('sha', 'x' x 1025) }, 403);
while_checking('1,025 bytes for an unknown user', sub { login_of('nobody', 'x' x 1025) }, 403);
while_checking('8,100 bytes', sub { login_of('sha', 'x' x 8100) }, 403);
while_checking('10 MB', sub { login_of('sha', 'x' x 10_000_000) }, 413);
while_checking(
    '10 MB in chunks',
    sub {
        my $chunk = sprintf "%x\r\n%s\r\n", 100_000, 'x' x 100_000;
        my $head = AuthGate::Pending::login_bytes($client, 'sha', '',
            headers => { 'Content-Length' => undef, 'Transfer-Encoding' => 'chunked' });
        $head =~ s/\r\n\r\n\K.*//s;
        return $client->raw("${head}f\r\nusername=sha&pa\r\n" . $chunk x 100 . "0\r\n\r\n");
    },
    413
);
while_checking(
    '10 MB announced',
    sub {
        my $head = AuthGate::Pending::login_bytes($client, 'sha', '',
            headers => { 'Content-Length' => 10_000_000 });
        return $client->raw($head);
    },
    413
);

ok answer_to('x' x 1025) eq $wrong, 'E65 1,025 bytes: the answer is that to any wrong password';

# Twin: 1,024 bytes are checked, in their turn.
my $slow = AuthGate::Pending->login($client, 'slow', 'canary-slow');
is $client->get('/open')->status, 200, 'E65 1,024 bytes: a check runs';
is login_of('sha', 'x' x 1024)->status, 403, 'E65 1,024 bytes: a wrong password';
ok $slow->is_answered, 'E65 1,024 bytes are checked in their turn';

done_testing;
