# H88: nginx-conf/auth-request.conf as it is written: authgate_verify behind auth_request of the same nginx.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $example = AuthGate::Examples::adapted('auth-request.conf', '127.0.0.1:3000' => '127.0.0.1:%%PORT_app%%');
my $server  = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops {
        users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit off; session idle=20s max=1h;
        forwarded 127.0.0.1;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        $example
        location = /redirect { auth_request /-/redirect; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /-/redirect { internal; authgate_verify ops redirect; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

sub outcome (@request) { return $app->outcome(@request) }

my $browser = $server->client;
my $curl    = $server->client(headers => []);
my $sent    = $browser->get('/grafana/d/1?x=1&y=a%26b');
is $sent->status, 302, 'H88 a navigation is sent to the login page';
is $sent->header('Location'), '/authgate/login?rd=/grafana/d/1%3Fx%3D1%26y%3Da%2526b', 'H88 with the whole address';
is outcome($curl, 'GET', '/grafana/'), 401, 'H88 a program gets 401';
is join('|', $curl->get('/grafana/')->headers('WWW-Authenticate')), 'Basic realm="ops", charset="UTF-8"',
    'H88 once, with the challenge';
is outcome($browser, 'POST', '/grafana/'), 401, 'H88 a post gets 401';
is outcome($browser, 'GET', '/redirect'), 401, 'H88 auth_request is told of no redirect';
is $browser->sign_in('alice', rd => '/grafana/d/1?x=1&y=a%26b')->header('Location'), '/grafana/d/1?x=1&y=a%26b',
    'H88 and leads back';
is outcome($browser, 'GET', '/grafana/', 'X-Forwarded-User' => 'mallory'), '200 1 alice ops,sre', 'H88 signed in';
is outcome($browser, 'POST', '/grafana/'), '200 1 alice ops,sre', 'H88 a post';
is join('|', $app->header_values('Cookie')), '', 'H88 without the cookie';
is outcome($curl, 'GET', '/grafana/', basic('alice', $PASSWORD{alice})), '200 1 alice ops,sre', 'H88 Basic';
is outcome($curl, 'GET', '/grafana/', basic('alice', 'canary-wrong')), 401, 'H88 Basic, wrong';
is outcome($browser, 'GET', '/grafana/', basic('alice', 'canary-wrong')), 401,
    'G82 Basic, wrong, beside a valid cookie';

my $bob = $server->client;
$bob->sign_in('bob');
is outcome($bob, 'GET', '/grafana/'), 403, 'H88 authgate_require holds there';
is outcome($curl, 'GET', '/grafana/', basic('bob', $PASSWORD{bob})), 403, 'H88 authgate_require, Basic';

# The request is the one that asks, whatever a trusted peer says.
my $limited = AuthGate::Token::api(user => 'alice', methods => ['GET'], paths => ['/grafana/api/']);
my @token   = (Authorization => "Bearer $limited");
is outcome($curl, 'GET', '/grafana/api/x', @token), '200 1 alice ops,sre', 'G85a limited token';
for my $lines ([], ['X-Original-URL' => '/grafana/api/x'], ['X-Forwarded-Uri' => '/grafana/api/x'],
    ['X-Original-Method' => 'GET'], ['X-Forwarded-Method' => 'GET'])
{
    is outcome($curl, 'GET', '/grafana/d', @token, @$lines), 403, "G85a limited token, another path @$lines";
    is outcome($curl, 'POST', '/grafana/api/x', @token, @$lines), 403, "G85a limited token, another method @$lines";
}
is outcome($browser, 'GET', '/-/verify'), 404, 'nobody asks the verifier itself';

my $renewed;
AuthGate::Server::wait_until {
    $renewed = $browser->get('/grafana/');
    $renewed->headers('Set-Cookie');
}
20, 'a renewed cookie';
is $renewed->status, 200, 'a renewed cookie goes out with the response';
is $renewed->header('Cache-Control'), 'private', 'H96 which is nobody else\'s';

done_testing;
