# The helper for tests of several steps: starts, answers, reloads, stops.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $http = <<'EOF_HTTP';
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        root %%DIR%%/html;
        location = /set { add_header Set-Cookie "a=1; Path=/"; return 204; }
        location = /cookie { return 200 "$http_cookie"; }
    }
EOF_HTTP

my $server = AuthGate::Server->prepare($http, workers => 2);
$server->make_certificate;
my ($passed, $said) = $server->check;
ok $passed, 'nginx -t passes' or diag $said;
$server->run;

my $client = $server->client;
is $client->get('/hello.txt')->body, "hello from behind the gate\n", 'a file is served';
is $client->get('/set')->status, 204, 'a cookie is set';
is $client->get('/cookie')->body, 'a=1', 'and kept';
is $client->raw("GET /hello.txt\r\n")->body, "hello from behind the gate\n", 'HTTP/0.9';

my $tls = $server->client(port => $server->port('tls'), tls => 1);
is $tls->get('/hello.txt')->status, 200, 'TLS';

ok $server->reload, 'reload';
ok !$server->reload('no_such_directive;'), 'a reload with an error is refused';
$server->expect_alert(qr/unknown directive "no_such_directive"/);
is $client->get('/hello.txt')->status, 200, 'and the old configuration goes on';

done_testing;
