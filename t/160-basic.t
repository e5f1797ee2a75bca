# accept basic: user name and password with each request, checked off the event loop and remembered.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit off; }
    add_header X-Gate "$authgate_user|$authgate_method|$authgate_status|$remote_user|$authgate_groups" always;
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /sre { authgate_require group=sre; try_files /hello.txt =404; }
        location = /verify { authgate_verify ops; }
        location /by-request { authgate off; auth_request /verify; auth_request_set $who $authgate_user; add_header X-Who $who always; try_files /hello.txt =404; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my $client = $server->client(headers => []);

my @alice = basic('alice', $PASSWORD{alice});
for (1, 2) {
    my $answer = $client->get('/hello.txt', @alice);
    is $answer->status, 200, 'let in';
    is $answer->header('X-Gate'), 'alice|basic|ok|alice|ops,sre', 'as alice';
}
my $wrong = $client->get('/hello.txt', basic('alice', 'canary-wrong'));
is $wrong->status, 401, 'wrong';
is $wrong->header('WWW-Authenticate'), 'Basic realm="ops", charset="UTF-8"', 'challenge';
is $wrong->header('X-Gate'), '||bad_password||', 'nobody';
is $client->get('/sre', @alice)->status, 200, 'group';
is $client->get('/sre', basic('bob', $PASSWORD{bob}))->status, 403, 'not in group';
is $client->post('/app', [ a => 1 ], basic('carol', $PASSWORD{carol}))->status, 200, 'a post waits for its check';
like $app->last_request, qr/\r\n\r\na=1\z/, 'with its body';
is join('|', $app->header_values('Authorization')), '', 'without the credential';
is $client->get('/verify', @alice)->status, 204, 'verify';
is $client->get('/verify', @alice)->header('Remote-User'), 'alice', 'verify says who';
is $client->get('/by-request')->status, 401, 'auth_request refuses';
is $client->get('/by-request')->header('WWW-Authenticate'), 'Basic realm="ops", charset="UTF-8"', 'with its challenge';
is $client->get('/by-request', @alice)->status, 200, 'auth_request lets in';
is $client->get('/by-request', @alice)->header('X-Who'), 'alice', 'auth_request_set';
is $client->get('/by-request', basic('bob', 'canary-wrong'))->status, 401, 'auth_request with a check that fails';
is $client->get('/authgate/session', basic('bob', $PASSWORD{bob}))->status, 200, 'session page';
done_testing;
