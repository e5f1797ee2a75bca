# Authorization: an API token of ours decides alone, anything else is the application's own.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    authgate_realm cookies { users %%USERS%%; keys %%KEYS%%; accept cookie; }
    authgate_realm tokens  { users %%USERS%%; keys %%KEYS%%; accept bearer; }
    add_header X-User   $authgate_user always;
    add_header X-Status $authgate_status always;
    add_header X-Method $authgate_method always;
    upstream app { server 127.0.0.1:%%PORT_app%%; }
    server { listen 127.0.0.1:%%PORT%%;         authgate ops;     location / { proxy_pass http://app; } }
    server { listen 127.0.0.1:%%PORT_cookies%%; authgate cookies; location / { proxy_pass http://app; } }
    server { listen 127.0.0.1:%%PORT_tokens%%;  authgate tokens;  location / { proxy_pass http://app; } }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my %client = map { $_ => $server->client(headers => [], port => $server->port($_)) } '', qw(cookies tokens);
my $client = $client{''};

sub session_at ($port) {
    my $browser = $server->client(port => $server->port($port));
    $browser->sign_in('alice');
    return (Cookie => 'authgate=' . $browser->cookie('authgate'));
}

sub bearer (%claims) { return (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob', %claims)) }

my @cookie = session_at('');

# The user, and what of Authorization and Cookie arrived; the status where nothing did.
sub outcome ($by, @headers) {
    my $before = $app->count;
    my $answer = $by->get('/', @headers);
    return $answer->status . ' ' . $answer->header('X-Status') if $app->count == $before;
    my $arrived = join '|', map { $app->header_values($_) } qw(Authorization Cookie);
    return ($answer->header('X-User') // '-') . " <$arrived>";
}

is outcome($client, @cookie), 'alice <>', 'G83 a cookie alone decides';
for my $own (
    'Bearer application-token', 'bearer application-token', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Bearer',
    'Bearer ', 'Basic Ym9iOng=', 'Digest username="bob"', 'Negotiate YII=', 'Token token=abc',
    'Bearer Agt_v1.first.x.y', 'Bearer xagt_v1.first.x.y', 'Bearer v1.first.x.y', 'agt_v1.first.x.y',
    'Basic agt_v1.first.x.y', 'Beareragt_v1.first.x.y', "AWS4-HMAC-SHA256 Credential=a/b, Signature=c  d",
) {
    my $arrives = $own =~ s/ +\z//r;    # blanks at the end of a header are nothing
    is outcome($client, @cookie, Authorization => $own), "alice <$arrives>",
        "G83 beside a cookie the application's own passes untouched: \"$own\"";
    is outcome($client, Authorization => $own), '401 missing', "G83 alone it is no credential of ours: \"$own\"";
}

is outcome($client, bearer()), 'bob <>', 'G83 an API token alone decides and is removed';
is outcome($client, bearer(), @cookie), 'bob <>', 'G83 an API token beside a cookie decides, both are removed';
is outcome($client, bearer(), Cookie => "$cookie[1]; a=1"), 'bob <a=1>', "G83 the application's cookies stay";
is outcome($client, bearer(), Cookie => 'authgate=garbage'), 'bob <>', 'G83 an invalid cookie does it no harm';

my %failing = (
    'garbage'          => ['malformed',     'agt_garbage'],
    'nothing behind it' => ['malformed',    'agt_'],
    'a bad signature'  => ['bad_signature', AuthGate::Token::api(user => 'bob', mac_key => 'x' x 32)],
    'an unknown key'   => ['unknown_key',   AuthGate::Token::api(user => 'bob', id => 'nobody')],
    'an expired one'   => ['expired',       AuthGate::Token::api(user => 'bob', expires_at => 1)],
    'an unknown user'  => ['unknown_user',  AuthGate::Token::api(user => 'mallory')],
    'another realm'    => ['bad_signature', AuthGate::Token::api(user => 'bob', realm => 'dev')],
    'a session'        => ['bad_signature', 'agt_' . $cookie[1] =~ s/^authgate=//r],
);
for my $what (sort keys %failing) {
    my ($status, $token) = $failing{$what}->@*;
    is outcome($client, Authorization => "Bearer $token"), "401 $status", "G83 an API token that fails: $what";
    is outcome($client, Authorization => "Bearer $token", @cookie), "401 $status",
        "G83 an API token that fails is 401 even with a valid cookie: $what";
}
my $browser = $server->client;
my $failed  = $browser->get('/', Authorization => 'Bearer agt_garbage', @cookie);
is $failed->status, 401, 'G83 an API token that fails is 401 for a navigation, not 302';
like $failed->header('WWW-Authenticate'), qr/^Bearer realm="ops"/, 'G83 with a challenge';

my $before = $app->count;
my $twice  = $client->raw("GET / HTTP/1.0\r\nAuthorization: Bearer application\r\n"
        . "Authorization: Bearer agt_garbage\r\nCookie: $cookie[1]\r\n\r\n");
like $twice->status, qr/\A40[01]\z/, 'G78 two Authorization lines are refused';
is $app->count, $before, 'G78 before the application is asked';

my @other = session_at('cookies');
my @token = bearer(realm => 'cookies');
is outcome($client{cookies}, @other, @token), "alice <$token[1]>",
    "G83 accept cookie: the cookie decides, an agt_ bearer is the application's own";
is outcome($client{cookies}, @token), '401 missing', 'G83 accept cookie: an API token is no credential';
is outcome($client{tokens}, bearer(realm => 'tokens')), 'bob <>', 'G83 accept bearer: an API token decides';
my $only = $server->client(port => $server->port('tokens'));
$only->login('alice', $PASSWORD{alice});
is outcome($client{tokens}, Cookie => $only->cookie_header), '401 missing',
    'G83 accept bearer: a session is no credential';

done_testing;
