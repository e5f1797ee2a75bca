# A token is good for its realm and its purpose alone.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops    { users %%USERS%%; keys %%KEYS%%; }
    authgate_realm office { users %%USERS%%; keys %%KEYS%%; }
    authgate_realm cookie_only { users %%USERS%%; keys %%KEYS%%; accept cookie; }
    authgate_realm bearer_only { users %%USERS%%; keys %%KEYS%%; accept bearer; }
    server { listen 127.0.0.1:%%PORT%%; root %%DIR%%/html; authgate ops; }
    server { listen 127.0.0.1:%%PORT_office%%; root %%DIR%%/html; authgate office; }
    server { listen 127.0.0.1:%%PORT_ops%%; root %%DIR%%/html; authgate ops; }
    server { listen 127.0.0.1:%%PORT_cookie%%; root %%DIR%%/html; authgate cookie_only; }
    server { listen 127.0.0.1:%%PORT_bearer%%; root %%DIR%%/html; authgate bearer_only; }
EOF_HTTP

my %client = map { $_ => $server->client(headers => [], port => $server->port($_)) }
    '', qw(ops office cookie bearer);

sub as_cookie ($token, $port = '') {
    return $client{$port}->get('/hello.txt', Cookie => "authgate=$token")->status;
}

sub as_bearer ($token, $port = '') {
    return $client{$port}->get('/hello.txt', Authorization => "Bearer $token")->status;
}

sub session_at ($port) {
    my $browser = $server->client(port => $server->port($port));
    $browser->sign_in('alice');
    return $browser->cookie('authgate');
}

my $session = session_at('');
is as_cookie($session),        200, 'A9 a session is taken in its realm';
is as_cookie($session, 'ops'), 200, 'A9 and in another server of that realm';
is as_cookie($session, 'office'), 401, 'A9 a token of realm A at realm B is refused, same keys and cookie name';
my $api = AuthGate::Token::api(user => 'alice');
is as_bearer($api),           200, 'A9 an API token is taken in its realm';
is as_bearer($api, 'office'), 401, 'A9 an API token of realm A at realm B is refused';
is as_bearer(AuthGate::Token::api(user => 'alice', realm => 'office'), 'office'), 200,
    'A9 realm B takes its own';
my $tag = AuthGate::Token::hkdf((AuthGate::Token::key($AuthGate::Token::FIRST))[1], '',
    "authgate v1\0realm\0office", 4);
is as_bearer(AuthGate::Token::api(user => 'alice', tag => $tag)), 401,
    'A9 a token that names realm B, signed for A, is refused by A';
is as_bearer(AuthGate::Token::api(user => 'alice', tag => $tag), 'office'), 401, 'A9 and by B';

is as_bearer("agt_$session"), 401, 'A10 a session is no API token';
is as_bearer($session),       401, 'A10 a session without the prefix is nothing in Authorization';
is as_cookie($api),           401, 'A10 an API token is no session';
is as_cookie($api =~ s/^agt_//r), 401, 'A10 nor is it without its prefix';
my $device = AuthGate::Token::sign(user => 'alice', purpose => 'device');
is as_cookie($device),        401, 'A10 a device token is no session';
is as_bearer("agt_$device"),  401, 'A10 a device token is no API token';
is $client{''}->get('/hello.txt', Cookie => "authgate-device=$session")->status, 401,
    'A10 a session is nothing in the device cookie';
is $client{''}->get('/hello.txt', Cookie => "authgate-device=$device")->status, 401,
    'A10 a device cookie signs nobody in';
my $unsalted = AuthGate::Token::sign(user => 'alice', purpose => 'session');
is as_cookie($unsalted), 401, 'A10 whoever has the keys alone cannot make a session';

is as_cookie(session_at('cookie'), 'cookie'), 200, 'accept cookie: a session is taken';
is as_bearer(AuthGate::Token::api(user => 'alice', realm => 'cookie_only'), 'cookie'), 401,
    'accept cookie: an API token is not';
is as_bearer(AuthGate::Token::api(user => 'alice', realm => 'bearer_only'), 'bearer'), 200,
    'accept bearer: an API token is taken';
my $refused = $client{bearer}->get('/hello.txt');
is $refused->header('WWW-Authenticate'), 'Bearer realm="bearer_only"', 'accept bearer: the challenge names it';
is $client{cookie}->get('/hello.txt')->header('WWW-Authenticate'), 'Cookie realm="cookie_only"',
    'accept cookie: the challenge names it';

for my $scheme ('bearer', 'BEARER', 'Bearer ') {
    is $client{''}->get('/hello.txt', Authorization => "$scheme $api")->status, 200,
        "A10 the scheme \"$scheme\" is Bearer";
}
is $client{""}->get("/hello.txt", Authorization => $api)->status, 401, "A10 an API token without a scheme is nothing";

done_testing;
