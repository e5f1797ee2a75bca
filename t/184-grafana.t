# G84: nginx-conf/grafana.conf as it is written. Grafana itself is not here: what is tested is what its auth proxy
# reads.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $example = AuthGate::Examples::adapted('grafana.conf',
    '/etc/nginx/authgate/users' => '%%USERS%%', '/var/lib/authgate' => '%%DIR%%/state; keys %%KEYS%%',
    'include /etc/nginx/authgate/' => "include $AuthGate::ROOT/nginx-conf/",
    'listen 443' => 'listen 127.0.0.1:%%PORT%%',
    '/etc/nginx/tls/example.com.pem' => '%%DIR%%/certificate.pem',
    '/etc/nginx/tls/example.com.key' => '%%DIR%%/certificate.key',
    'proxy_pass http://127.0.0.1:3000' => 'proxy_pass http://127.0.0.1:%%PORT_app%%');
my $server = AuthGate::Server->prepare($example);
$server->make_certificate;
my $grafana = AuthGate::Upstream->start($server->port('app'));
$server->run;

sub user () {
    return join '|', map({ join ',', $grafana->header_values($_) } qw(X-Forwarded-User X-Forwarded-Groups)),
        scalar(grep { $_->[0] =~ /user\z/i } $grafana->fields($grafana->last_request));
}

my $browser = $server->client(tls => 1);
is $browser->get('/d/1')->status, 302, 'a navigation is sent to the login page';
my @live = (Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
    'Sec-WebSocket-Key' => 'eA==', 'Sec-Fetch-Mode' => 'websocket');
is $browser->get('/api/live/ws', @live)->status, 401, 'Grafana Live without a session: 401';
is $grafana->count, 0, 'Grafana hears of none of them';
is $browser->get('/api/health', 'X-Forwarded-User' => 'admin', 'Remote_User' => 'admin')->status, 200, 'its health';
is user(), '||0', 'G84 as nobody';

$browser->sign_in('alice');
is $browser->get('/d/1')->status, 200, 'signed in';
is user(), 'alice|ops,sre|2', 'the user, the groups';
is join('|', $grafana->header_values('Host')), '127.0.0.1:' . $server->port, 'the host, for the check of Origin';
is join('|', map { $grafana->header_values($_) } qw(Connection Upgrade)), '', 'no upgrade where none is asked for';
$browser->get('/api/live/ws', @live);
is user(), 'alice|ops,sre|2', 'Grafana Live: the user, the groups';
is join('|', map { $grafana->header_values($_) } qw(Connection Upgrade)), 'upgrade|websocket', 'and the upgrade';
$browser->get('/d/1', 'X-Forwarded-User' => 'admin', 'X-Forwarded-Groups' => 'admin', 'X-WEBAUTH-USER' => 'admin');
is join('|', map { join ',', $grafana->header_values($_) } qw(X-Forwarded-User X-Forwarded-Groups)), 'alice|ops,sre',
    'G84 the verified user, whatever a client says';
$browser->get('/api/x', Authorization => 'Bearer glsa_of-grafana');
is join('|', $grafana->header_values('Authorization')), 'Bearer glsa_of-grafana', "G83 Grafana's own token passes";

my $program = $server->client(tls => 1, headers => []);
$program->get('/api/x', Authorization => 'Bearer ' . AuthGate::Token::api(user => 'carol'));
is user(), 'carol||2', 'an API token: its user, no groups';
is join('|', $grafana->header_values('Authorization')), '', 'and the token stays here';

is $browser->get('/logout')->header('Location') =~ s{^https://[^/]+}{}r, '/authgate/logout', 'signing out in Grafana';
like $browser->get('/authgate/logout')->body, qr/<form\b/, 'is signing out here';
is $browser->sign_out->status, 303, 'in every worker';
is $browser->get('/d/1')->status, 302, 'and Grafana is closed';

done_testing;
