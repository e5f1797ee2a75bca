# docs/alertmanager.md as it is written, with a real Alertmanager and a real Prometheus that sends it alerts.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Prometheus;
use AuthGate::Server;
use AuthGate::Token;
use JSON::PP qw(decode_json encode_json);
use POSIX qw(strftime);
use Test::More;

my $example = AuthGate::Examples::of_page('docs/alertmanager.md', nginx => qr/authgate_realm/,
    '/etc/nginx/authgate/users' => '%%USERS%%', '/var/lib/authgate' => '%%DIR%%/state; keys %%KEYS%%',
    'listen 443' => 'listen 127.0.0.1:%%PORT%%', '/etc/nginx/tls/example.com.pem' => '%%DIR%%/certificate.pem',
    '/etc/nginx/tls/example.com.key' => '%%DIR%%/certificate.key',
    'proxy_pass http://127.0.0.1:9093' => 'proxy_pass http://127.0.0.1:%%PORT_alerts%%');
my $prefixed = AuthGate::Examples::of_page('docs/alertmanager.md', nginx => qr{location /alertmanager/},
    'proxy_pass http://127.0.0.1:9093' => 'proxy_pass http://127.0.0.1:%%PORT_prefixed%%');
my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
$example
server {
    listen 127.0.0.1:%%PORT_ops%%;
    authgate ops;
    $prefixed
}
EOF_HTTP
$server->make_certificate;
$server->run;
my ($options) = AuthGate::read_file("$AuthGate::ROOT/docs/alertmanager.md") =~ /^ARGS="(.*)"$/m;
AuthGate::Prometheus::start_alertmanager($server, $server->port('alerts'), '', grep { !/listen/ } split ' ', $options);
AuthGate::Prometheus::start_alertmanager($server, $server->port('prefixed'), '/alertmanager',
    '--web.external-url=https://ops.example.com/alertmanager/');

# Prometheus's block of the page, once for each token that it might have.
sub alertmanager ($name, $port, $more, %token) {
    my $token = AuthGate::write_file($server->path($name), AuthGate::Token::api(user => 'bob', %token));
    my $block = AuthGate::Examples::of_page('docs/alertmanager.md', yaml => qr/^alerting:/,
        '/etc/prometheus/alertmanager.token' => $token, '- scheme: https' => "- $more",
        'alertmanager.example.com' => "'127.0.0.1:" . $server->port($port) . "'");
    return $block =~ s/^alerting:\n  alertmanagers:\n//r;
}
my $tls   = 'scheme: https, tls_config: { insecure_skip_verify: true }' =~ s/, /\n      /r;
my $rules = AuthGate::write_file($server->path('rules.yml'),
    'groups: [{ name: x, rules: [{ alert: Always, expr: "vector(1)" }] }]');
my $configuration = join '', <<"EOF_YAML",
global: { evaluation_interval: 500ms }
rule_files: ['$rules']
alerting:
  alertmanagers:
EOF_YAML
    alertmanager('right', '', $tls, methods => ['POST'], paths => ['/api/v2/alerts']),
    alertmanager('prefixed', 'ops', "scheme: http\n      path_prefix: /alertmanager",
        methods => ['POST'], paths => ['/alertmanager/api/v2/alerts']);
# An alert that comes before the Alertmanagers are known is sent again after the delay.
AuthGate::Prometheus->start($server, $configuration, options => ['--rules.alert.resend-delay=1s']);

my $browser = $server->client(tls => 1);
is $browser->get('/')->status, 302, 'a page leads to the login';
$browser->sign_in('alice');
sub alerts ($client, $prefix) {
    return join ',', map { $_->{labels}{alertname} } decode_json($client->get("$prefix/api/v2/alerts")->body)->@*;
}
ok AuthGate::Server::wait_until { alerts($browser, '') eq 'Always' } 30, "Prometheus's alert has come through the gate";
like decode_json($browser->get('/api/v2/alerts')->body)->[0]{generatorURL}, qr{/graph\?}, 'with the link to its source';
is $browser->get('/api/v2/status')->status, 200, 'a person sees the status';
my $ops = $server->client(port => $server->port('ops'));
$ops->sign_in('alice');
ok AuthGate::Server::wait_until { alerts($ops, '/alertmanager') eq 'Always' } 30, 'and under a prefix';

# Who may not send.
my $program = $server->client(tls => 1, headers => ['Content-Type' => 'application/json']);
sub sends (%token) {
    my @credential = %token ? (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob', %token)) : ();
    my $body = encode_json([{ labels => { alertname => 'Forged' } }]);
    return $program->request('POST', '/api/v2/alerts', $body, @credential)->status;
}
is sends(), 401, 'no alert without a token';
is sends(methods => ['GET']), 403, 'nor with one for another method';
is sends(paths => ['/api/v2/status']), 403, 'nor for another path';
is alerts($browser, ''), 'Always', 'none of them has come';

# amtool, with the page's file.
{
    my $token = AuthGate::write_file($server->path('amtool.token'), AuthGate::Token::api(user => 'bob'));
    my $http  = AuthGate::write_file($server->path('amtool.yml'),
        AuthGate::Examples::of_page('docs/alertmanager.md', yaml => qr/amtool/, '/root/amtool.token' => $token)
            . "tls_config: { insecure_skip_verify: true }\n");
    my $url = 'https://127.0.0.1:' . $server->port;
    like `amtool --alertmanager.url=$url --http.config.file=$http alert query 2>&1`, qr/^Always\b/m, 'amtool, with a token';
    like `amtool --alertmanager.url=$url --http.config.file=$http silence add Always -c x 2>&1`, qr/403/,
        'which silences only if its user may';
}

# Silences.
my $silence = encode_json({
    matchers => [{ name => 'alertname', value => 'Always', isRegex => JSON::PP::false, isEqual => JSON::PP::true }],
    startsAt => strftime('%FT%TZ', gmtime), endsAt => strftime('%FT%TZ', gmtime time + 3600),
    createdBy => 'x', comment => 'x',
});
my @page = ('Content-Type' => 'application/json', 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json');
my $bob = $server->client(tls => 1);
$bob->sign_in('bob');
is $bob->request('POST', '/api/v2/silences', $silence, @page)->status, 403, 'who is not in the group cannot silence';
is $bob->get('/api/v2/silences')->body, "[]\n", 'and sees that nobody has';
my $made = $browser->request('POST', '/api/v2/silences', $silence, @page);
is $made->status, 200, 'who is in it can';
my $id = decode_json($made->body)->{silenceID};
is $bob->request('DELETE', "/api/v2/silence/$id", undef, @page)->status, 403, 'nor can the other end it';
is $browser->request('DELETE', "/api/v2/silence/$id", undef, @page)->status, 200, 'who has made it can';

done_testing;
