# The session page: who is signed in and until when, without renewing it.

use v5.36;

use AuthGate;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; session idle=20s max=1h; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP

my $client = $server->client;
for my $accept ('application/json', 'text/html', '*/*') {
    my $none = $client->get('/authgate/session', Accept => $accept);
    is $none->status, 401, "signed out, Accept $accept: 401, never a redirect";
    is $none->header('Content-Type'), 'application/json', "signed out, Accept $accept: JSON";
    is_deeply JSON::PP::decode_json($none->body), { error => 'unauthenticated', login => '/authgate/login' },
        "signed out, Accept $accept: says where the login is";
    like $none->header('WWW-Authenticate'), qr/realm="ops"/, "signed out, Accept $accept: the challenge";
}

$client->sign_in('alice');
my $token    = $client->cookie('authgate');
my $response = $client->get('/authgate/session');
my $session  = JSON::PP::decode_json($response->body);
is $response->status, 200, 'signed in: 200';
is $response->header('Content-Type'), 'application/json', 'signed in: JSON';
is_deeply [ sort keys %$session ], [qw(expires groups realm user)], 'its members';
is $session->{user}, 'alice', 'the user';
is_deeply $session->{groups}, [qw(ops sre)], 'the groups';
is $session->{realm}, 'ops', 'the realm';
ok abs($session->{expires} - time - 20) < 5, 'the end of the token';
like $response->body, qr/"expires":\d+/, 'as a number';

my $carol = $server->client;
$carol->sign_in('carol');
is_deeply JSON::PP::decode_json($carol->get('/authgate/session')->body)->{groups}, [],
    'no groups: an empty list';

my $head = $client->request('HEAD', '/authgate/session', undef);
is $head->status, 200, 'HEAD: 200';
is $head->header('Content-Length'), length $response->body, 'HEAD: the length of the body';

# A token is renewed when a tenth of idle has passed: by a request of the application, not by this page.
sub asked_with ($path) { return $server->client(cookies => { authgate => $token })->get($path) }
is asked_with('/hello.txt')->headers('Set-Cookie'), 0, 'too early to renew';
my $renewed = AuthGate::Server::wait_until {
    my $page = asked_with('/authgate/session');
    die 'the session page has renewed the session' if $page->headers('Set-Cookie');
    my $file = asked_with('/hello.txt');
    $file->headers('Set-Cookie') ? $file : 0;
}
8, 'the session to be renewed';
is $renewed->status, 200, 'a request of the application renews the session';
my $after = asked_with('/authgate/session');
is $after->status, 200, 'the session page with the same token';
is $after->headers('Set-Cookie'), 0, 'does not renew it';
is JSON::PP::decode_json($after->body)->{expires}, $session->{expires}, 'nor move its end';
is asked_with('/authgate/login')->headers('Set-Cookie'), 0, 'nor does the login page';
is asked_with('/authgate/logout')->headers('Set-Cookie'), 0, 'nor the logout page';

is $server->client(cookies => { authgate => "${token}x" })->get('/authgate/session')->status, 401,
    'a token that is not ours: 401';
$client->sign_out;
is asked_with('/authgate/session')->status, 401, 'after a logout: 401';

done_testing;
