# A token that was altered in any way is refused, as a session cookie and as a bearer.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

my $browser = $server->client;
$browser->sign_in('alice');
my $session = $browser->cookie('authgate');
my $api     = AuthGate::Token::sign(user => 'alice');
my $client  = $server->client(headers => []);

sub as_cookie ($token) { return $client->get('/hello.txt', Cookie => "authgate=$token") }

sub as_bearer ($token) {
    return $client->get('/hello.txt', Authorization => "Bearer agt_$token");
}

# Those of the tokens that were let in, or got anything but a refusal.
sub passed ($ask, @tokens) {
    return join "\n", grep { my $answer = $ask->($_); $answer->status !~ /\A40[01]\z/
            || $answer->body =~ /behind the gate/ } @tokens;
}

sub statuses ($ask, @tokens) {
    my %seen = map { $ask->($_)->status => 1 } @tokens;
    return join ' ', sort keys %seen;
}

sub flipped ($token) {
    return map { my $bit = $_; my $copy = $token; vec($copy, $bit, 1) ^= 1; $copy }
        0 .. 8 * length($token) - 1;
}

# Blanks around a cookie are no part of it, a semicolon ends it and a line break ends the header.
sub extended ($token) {
    my @more = map { my $byte = $_; map { $byte x $_ } 1 .. 8 } 'A', '=', '.', '-', '"', ',', "\x7f";
    return map { ("$token$_", "$_$token") } @more;
}

my ($version, $id, $payload, $mac) = split /\./, $session;
my $signed = "$version.$id.$payload";

is as_cookie($session)->status, 200, 'A1 the token itself is taken as a cookie';
is as_bearer($api)->status,     200, 'A1 the token itself is taken as a bearer';
is passed(\&as_cookie, flipped($session)), '', 'A1 every flipped bit of a cookie is refused';
is passed(\&as_bearer, flipped($api)),     '', 'A1 every flipped bit of a bearer is refused';

my @cut = map { substr $session, 0, $_ } 0 .. length($session) - 1;
is passed(\&as_cookie, @cut), '', 'A2 every truncation at the end is refused';
my @headless = map { substr $session, $_ } 1 .. length $session;
is passed(\&as_cookie, @headless), '', 'A2 every truncation at the beginning is refused';
is passed(\&as_cookie, extended($session)), '', 'A2 every extension by 1 to 8 bytes is refused';
is passed(\&as_bearer, map { substr $api, 0, $_ } 0 .. length($api) - 1), '',
    'A2 every truncation of a bearer is refused';
is passed(\&as_bearer, extended($api)), '', 'A2 every extension of a bearer is refused';

is statuses(\&as_cookie, "$signed."),   401, 'A3 an empty MAC is refused';
is statuses(\&as_cookie, $signed),      401, 'A3 a missing MAC is refused';
is statuses(\&as_cookie, "$signed." . AuthGate::Token::encode_base64url("\0" x 32)), 401,
    'A3 a MAC of zeros is refused';
my $bytes = AuthGate::Token::decode_base64url($mac);
for my $length (16, 31, 33) {
    my $other = AuthGate::Token::encode_base64url(substr "$bytes\0", 0, $length);
    is statuses(\&as_cookie, "$signed.$other"), 401, "A3 a MAC of $length bytes is refused";
}

my @versions = map { "$_.$id.$payload.$mac" } '', 'v0', 'v2', 'V1', 'v1 ', 'v01', '1', 'none';
is statuses(\&as_cookie, @versions), 401, 'A4 another version is refused';
my @signed_versions = map { AuthGate::Token::sign(user => 'alice', version => $_) } 'v0', 'v2', 'none';
is statuses(\&as_bearer, @signed_versions), 401, 'A4 another version is refused though its MAC holds';

my (undef, $secret) = AuthGate::Token::key($AuthGate::Token::FIRST);
my $mac_key = AuthGate::Token::hkdf($secret, '', "authgate v1\0api\0ops", 32);
my $claims  = AuthGate::Token::encode_base64url('{"sub":"alice","exp":4102444800}');

sub jwt ($algorithm, $key) {
    my $head = AuthGate::Token::encode_base64url(qq({"alg":"$algorithm","typ":"JWT","kid":"first"}));
    my $text = "$head.$claims";
    return "$text." unless defined $key;
    return "$text." . AuthGate::Token::encode_base64url(Digest::SHA::hmac_sha256($text, $key));
}

my @jwts = (jwt('none', undef), jwt('HS256', $secret), jwt('HS256', $mac_key));
is statuses(\&as_cookie, @jwts), 401, 'A4 a JWT is refused as a cookie, unsigned or signed with our key';
is statuses(\&as_bearer, @jwts), 401, 'A4 a JWT is refused as a bearer, unsigned or signed with our key';

my @ids = ('unknown', '', 'k' x 1024, '../x', 'First', 'first ', 'second', 'firs', 'first1', '*', '%66irst');
is statuses(\&as_cookie, map { "v1.$_.$payload.$mac" } @ids), 401, 'A5 another key id is refused';
is statuses(\&as_bearer, map { AuthGate::Token::sign(user => 'alice', id => $_) } @ids), 401,
    'A5 another key id is refused though it was signed with our key';

my $last = chr 1 + ord substr $mac, -1;    # 43 characters hold 258 bits, the last two are zero
my @texts = (
    "$session=", "$signed=.$mac", "$signed.$mac==", substr($session, 0, -1) . $last,
    "v1.$id.$payload\t.$mac", "v1.$id. $payload.$mac", "v1.$id.$payload. $mac", "v1.$id.$payload%2E$mac",
);
is statuses(\&as_cookie, @texts), 401, 'A19 padding, white space and stray bits are refused in a cookie';

# A payload whose base64url has both "-" and "_", written in the other alphabet.
my $dashed;
do { $dashed = AuthGate::Token::sign(user => 'alice') }
    until (split /\./, $dashed)[2] =~ /-.*_|_.*-/;
my ($first, $kid, $middle, $end) = split /\./, $dashed;
is statuses(\&as_bearer, $dashed), 200, 'A19 base64url is taken';
is statuses(\&as_bearer, join '.', $first, $kid, $middle =~ tr{-_}{+/}r, $end), 401,
    'A19 the alphabet with + and / is refused';

my $log = $server->error_log;
like $log, qr/authgate: token refused, reason "bad_signature", realm "ops"/, 'bad_signature is logged';
like $log, qr/authgate: token refused, reason "malformed", realm "ops"/,     'malformed is logged';
like $log, qr/authgate: token refused, reason "unknown_key", realm "ops"/,   'unknown_key is logged';

done_testing;
