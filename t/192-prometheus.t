# docs/prometheus.md as it is written, with a real Prometheus: on a name of its own, and under a prefix beside others,
# as nginx-conf/one-host.conf has it.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Prometheus;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use JSON::PP qw(decode_json);
use Test::More;

my @pem = (
    '/etc/nginx/tls/prometheus.pem' => '%%DIR%%/certificate.pem',
    '/etc/nginx/tls/prometheus.key' => '%%DIR%%/certificate.key',
);
my $example = AuthGate::Examples::of_page('docs/prometheus.md', nginx => qr/authgate_realm/,
    '/etc/nginx/authgate/users' => '%%USERS%%', '/var/lib/authgate' => '%%DIR%%/state; keys %%KEYS%%',
    'listen 80' => 'listen 127.0.0.1:%%PORT_plain%%', 'listen 443' => 'listen 127.0.0.1:%%PORT%%',
    'listen 127.0.0.1:8081' => 'listen 127.0.0.1:%%PORT_status%%', @pem,
    'proxy_pass http://127.0.0.1:9090' => 'proxy_pass http://127.0.0.1:%%PORT_prometheus%%');
my $one_host = AuthGate::Examples::adapted('one-host.conf', 'authgate_realm ops' => 'authgate_realm host',
    'authgate ops' => 'authgate host', '/etc/nginx/authgate/users' => '%%USERS%%',
    '/var/lib/authgate' => '%%DIR%%/state', 'listen 443 ssl' => 'listen 127.0.0.1:%%PORT_ops%%',
    'include /etc/nginx/authgate/' => "include $AuthGate::ROOT/nginx-conf/",
    '/etc/nginx/tls/example.com.pem' => '%%DIR%%/certificate.pem',
    '/etc/nginx/tls/example.com.key' => '%%DIR%%/certificate.key',
    map { ("proxy_pass http://127.0.0.1:$_" => "proxy_pass http://127.0.0.1:%%PORT_on_$_%%") } 9090, 9093, 3000);
my $server = AuthGate::Server->prepare("$example\n$one_host");
$server->make_certificate;
$server->run;

my $token = AuthGate::write_file($server->path('token'),
    AuthGate::Token::api(user => 'bob', methods => ['GET'], paths => ['/federate']));
my ($options) = AuthGate::read_file("$AuthGate::ROOT/docs/prometheus.md") =~ /^ARGS="(.*)"$/m;
my $prometheus = AuthGate::Prometheus->start($server, <<"EOF_YAML", port => $server->port('prometheus'),
global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ["127.0.0.1:@{[ $server->port('prometheus') ]}"] }]
  - job_name: federate
    scheme: https
    metrics_path: /federate
    params: { "match[]": ['{job="node"}'] }
    authorization: { credentials_file: $token }
    tls_config: { insecure_skip_verify: true }
    static_configs: [{ targets: ["127.0.0.1:@{[ $server->port ]}"] }]
EOF_YAML
    options => [ grep { !/listen/ } split ' ', $options ]);

# Debian's Prometheus sends its own pages elsewhere, to what of them it has.
sub shown ($client, $path) {
    my $response = $client->get($path);
    for (1 .. 3) {
        my $there = $response->header('Location') // last;
        $response = $client->get($there =~ m{^/} ? $there : "/$there");
    }
    return $response;
}

my $browser = $server->client(tls => 1);
my $deep    = '/graph?g0.expr=up&g0.tab=1';
my $login   = $browser->get($deep);
is $login->status, 302, 'a page leads to the login';
is $browser->get('/api/v1/query?query=up', 'Sec-Fetch-Mode' => 'cors')->status, 401, 'a query of its pages: 401';
is $browser->sign_in('alice', rd => $deep)->header('Location'), $deep, 'and the login back to the expression';
is shown($browser, $deep)->status, 200, 'signed in: the page';
AuthGate::Server::wait_until { defined $prometheus->value('up{job="node"}') } 30, 'a scrape';
is decode_json($browser->get('/api/v1/query?query=up')->body)->{status}, 'success', 'the API with a session';

my $program = $server->client(tls => 1, headers => []);
sub api ($method, $path, %limits) {
    return $program->request($method, $path, undef,
        Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob', %limits))->status;
}
my %grafana = (methods => [qw(GET POST)], paths => ['/api/v1/']);
is api(GET  => '/api/v1/query?query=up', %grafana), 200, 'a query with a token';
is api(POST => '/api/v1/query?query=up', %grafana), 200, 'and by POST, as Grafana sends it';
is api(GET  => '/graph', %grafana), 403, 'which opens nothing else';
is $program->get('/api/v1/query?query=up')->status, 401, 'without one: 401';
ok AuthGate::Server::wait_until { $prometheus->target('federate')->{health} eq 'up' } 30, 'federation with a token';
is $server->client(port => $server->port('plain'))->get('/graph')->header('Location'), 'https://127.0.0.1/graph',
    'plain HTTP leads to HTTPS';
is $server->client(port => $server->port('status'), headers => [])->get('/ops')->status, 200, 'the status';

# As the head of the example says.
my $head = AuthGate::read_file("$AuthGate::ROOT/nginx-conf/one-host.conf");
my %url  = $head =~ /^# +(prometheus|alertmanager) .* (--web\.external-url=\S+)$/mg;
AuthGate::Prometheus->start($server, "{}\n", name => 'prefixed', port => $server->port('on_9090'),
    prefix => '/prometheus', options => [ $url{prometheus} ]);
AuthGate::Prometheus::start_alertmanager($server, $server->port('on_9093'), '/alertmanager', $url{alertmanager});
my $grafana = AuthGate::Upstream->start($server->port('on_3000'));
my $ops = $server->client(port => $server->port('ops'));
is $ops->get('/prometheus/graph')->status, 302, 'under a prefix: the login';
like $ops->get('/prometheus')->header('Location'), qr{/prometheus/$}, 'without the slash: with it';
is $ops->sign_in('alice', rd => '/prometheus/graph')->header('Location'), '/prometheus/graph', 'and back';
my $page = shown($ops, '/prometheus/graph');
is $page->status, 200, 'the page';
like $page->body, qr{/prometheus/}, 'whose addresses begin with the prefix';
is $ops->get('/prometheus/api/v1/query?query=1')->status, 200, 'the API';
is $ops->get('/alertmanager/api/v2/status')->status, 200, 'Alertmanager';
is $ops->get('/grafana/d/1')->status, 200, 'a stand-in for Grafana';
like $grafana->last_request, qr{^GET /grafana/d/1 }, 'gets the prefix';
is join(',', $grafana->header_values('X-Forwarded-User')), 'alice', 'and the user';
is $ops->get('/grafana/logout')->header('Location') =~ s{^https?://[^/]+}{}r, '/authgate/logout', 'signing out there';
$ops->sign_out;
is $ops->get($_)->status, 302, "signed out, $_ leads to the login" for '/prometheus/', '/alertmanager/', '/grafana/';

done_testing;
