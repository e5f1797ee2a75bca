# The helper for tests of several steps: starts, signs in, reloads, signs out, stops.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        root %%DIR%%/html;
        authgate ops;
        location = /user { add_header X-User $authgate_user; try_files /hello.txt =404; }
    }
EOF_HTTP

my $server = AuthGate::Server->prepare($http, workers => 2);
$server->make_certificate;
my ($passed, $said) = $server->check;
ok $passed, 'nginx -t passes' or diag $said;
$server->run;

my $client = $server->client;
is $client->get('/hello.txt')->status, 302, 'nothing without a login';
is $client->login('alice', 'canary-password-that-is-wrong')->status, 403, 'a wrong password';
is $client->get('/hello.txt')->status, 302, 'opens nothing';

$client->sign_in('alice');
is $client->get('/hello.txt')->body, "hello from behind the gate\n", 'signed in';
is $client->get('/user')->header('X-User'), 'alice', 'as alice';
like $client->raw("GET /hello.txt\r\n")->body, qr/\A(?!hello)/, 'HTTP/0.9 has no cookie';

my $tls = $server->client(port => $server->port('tls'), tls => 1);
$tls->sign_in('bob');
ok $tls->cookie('__Host-authgate'), 'on TLS the cookie has the prefix';
is $tls->get('/user')->header('X-User'), 'bob', 'signed in over TLS';

ok $server->reload, 'reload';
is $client->get('/hello.txt')->status, 200, 'the session outlives it';

$server->expect_alert(qr/unknown directive "no_such_directive"/);
ok !$server->reload('no_such_directive;'), 'a reload with a mistake is refused';
is $server->client->get('/hello.txt')->status, 302, 'and the old configuration keeps gating';

my $kept = $client->cookie('authgate');
is $client->sign_out->status, 303, 'sign out';
is $client->cookie('authgate'), undef, 'the cookie is cleared';
is $client->get('/hello.txt', Cookie => "authgate=$kept")->status, 302, 'and opens nothing any more';

done_testing;
