# A real Prometheus scrapes a real node_exporter behind TLS and the gate: the set-up of an article on the exporter's
# own TLS and passwords, its users file, its certificate and its jobs. scripts/demo --scrape shows the same.

use v5.36;

use AuthGate;
use AuthGate::Prometheus;
use AuthGate::Server;
use AuthGate::Token;
use MIME::Base64 qw(encode_base64);
use Test::More;

# Right credentials are known to hold for a second alone: the scraper that has them is checked again and again, beside
# the one that has not.
my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops {
        users %%DIR%%/config.yml;
        keys %%KEYS%%;
        accept cookie bearer basic;
        basic_cache 1s;
    }
    server {
        listen 127.0.0.1:%%PORT%% ssl;
        server_name localhost;
        ssl_certificate     %%DIR%%/node_exporter.crt;
        ssl_certificate_key %%DIR%%/node_exporter.key;
        authgate ops;
        location / { proxy_pass http://127.0.0.1:%%PORT_node%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_status%%;
        location = / { authgate_status ops; }
    }
EOF_HTTP
my $password = 'canary-password-of-prometheus';
my $hash     = AuthGate::bcrypt($password);
AuthGate::write_file($server->path('config.yml'), <<"EOF_YAML");
tls_server_config:
  cert_file: node_exporter.crt
  key_file: node_exporter.key
basic_auth_users:
  prometheus: $hash
EOF_YAML
make_certificate();
AuthGate::Prometheus::start_node_exporter($server, $server->port('node'));
$server->run;
my $client = $server->client(tls => 1, headers => []);

# As the article makes it: for "localhost", and nothing else.
sub make_certificate () {
    my @command = (
        qw(openssl req -new -newkey rsa:2048 -x509 -nodes -days 365),
        -keyout => $server->path('node_exporter.key'), -out => $server->path('node_exporter.crt'),
        -subj   => '/C=SG/ST=Singapore/L=Singapore/O=MyOrg/CN=localhost',
        -addext => 'subjectAltName=DNS:localhost',
    );
    system(join(' ', map { quotemeta } @command) . ' 2>/dev/null') == 0 or die 'openssl failed';
}

sub basic ($password) { return (Authorization => 'Basic ' . encode_base64("prometheus:$password", '')) }

# curl, to the name that the certificate is for.
sub curl (@arguments) {
    my @command = (qw(curl --silent --max-time 20), '--write-out', '\n%{http_code}', @arguments);
    my ($body, $status) = `@{[ join ' ', map { quotemeta } @command ]}` =~ /\A(.*)\n(\d+)\z/s;
    return { body => $body, status => $status };
}

# The article's curl.
{
    my $url   = 'https://localhost:' . $server->port . '/metrics';
    my @trust = ('--cacert', $server->path('node_exporter.crt'));
    my $none  = curl(@trust, $url);
    is $none->{status}, 401, 'curl without a password';
    unlike $none->{body}, qr/node_/, 'sees no metric';
    my $right = curl(@trust, '--user', "prometheus:$password", $url);
    is $right->{status}, 200, 'curl with it';
    like $right->{body}, qr/^node_cpu_seconds_total\{/m, 'sees those of node_exporter';
    is curl('-k', '--user', "prometheus:$password", $url)->{status}, 200, 'curl -k, as in the article';
    is curl('--user', "prometheus:$password", $url)->{status}, '000', 'curl that trusts nobody does not even ask';
}

my $trusted = '{ ca_file: ' . $server->path('node_exporter.crt') . ', server_name: localhost }';
my $good    = "{ username: prometheus, password: $password }";
my $bad     = '{ username: prometheus, password: canary-wrong }';
my $token   = AuthGate::write_file($server->path('token'), AuthGate::Token::api(user => 'prometheus'));
my $bearer  = "{ type: Bearer, credentials_file: $token }";
my $expired = AuthGate::write_file($server->path('expired'),
    AuthGate::Token::api(user => 'prometheus', issued_at => AuthGate::Token::now() - 7200));
my %jobs = (
    basic       => [ 'scheme: https', "tls_config: $trusted", "basic_auth: $good" ],
    skip_verify => [ 'scheme: https', 'tls_config: { insecure_skip_verify: true }', "basic_auth: $good" ],
    token       => [ 'scheme: https', "tls_config: $trusted", "authorization: $bearer" ],
    expired     => [ 'scheme: https', "tls_config: $trusted", "authorization: { credentials_file: $expired }" ],
    wrong       => [ 'scheme: https', "tls_config: $trusted", "basic_auth: $bad" ],
    none        => [ 'scheme: https', "tls_config: $trusted" ],
    plain       => [ 'scheme: http', "basic_auth: $good" ],
    no_trust    => [ 'scheme: https', 'tls_config: { server_name: localhost }', "basic_auth: $good" ],
);
my $jobs = join '', map { <<"EOF_YAML" } sort keys %jobs;
  - job_name: $_
    @{[ join "\n    ", @{ $jobs{$_} } ]}
    static_configs: [{ targets: ["127.0.0.1:@{[ $server->port ]}"] }]
EOF_YAML
my $prometheus = AuthGate::Prometheus->start($server, <<"EOF_YAML");
global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs:
$jobs
EOF_YAML

# A scrape may come too late on a busy machine; what is asked for has to come.
sub is_target ($job, $health, $error, $name) {
    my $target;
    my $came = eval {
        AuthGate::Server::wait_until {
            $target = $prometheus->target($job);
            $target->{health} eq $health && $target->{lastError} =~ $error;
        }
        30, $job;
    };
    ok $came, $name or diag "$target->{health}: $target->{lastError}";
}

is_target('basic',       'up',   qr/^$/,  'with basic_auth the target is up');
is_target('skip_verify', 'up',   qr/^$/,  'as in the article, trusting any certificate, too');
is_target('token',       'up',   qr/^$/,  'with an API token too');
is_target('expired',     'down', qr/401/, 'with an expired one it is down: 401');
is_target('wrong',       'down', qr/401/, 'with a wrong password it is down: 401');
is_target('none',        'down', qr/401/, 'without a password it is down: 401');
is_target('plain',       'down', qr/400/, 'without TLS it is down: 400');
is_target('no_trust',    'down', qr/x509/, 'without trust in the certificate it is down');

for my $job (qw(basic skip_verify token)) {
    ok AuthGate::Server::wait_until { $prometheus->value("count(node_cpu_seconds_total{job=\"$job\"})") } 20, 'samples';
}
is $prometheus->value('count(node_cpu_seconds_total{job!~"basic|skip_verify|token"})'), undef,
    'no metric came from a target that is down';

# F75. The limit is 5 failures within 2 minutes, and all of them come from 127.0.0.1.
sub lines_of ($pattern) { return scalar grep { $_ =~ $pattern } split /^/, $server->error_log }
sub bans () { return $server->client(port => $server->port('status'))->get('/')->body =~ /"bans":\[(.*?)\]/ && $1 }

my $before = lines_of(qr/login ok/);
my $failed = qr/login failed, user "prometheus", reason "bad_password"/;
ok AuthGate::Server::wait_until { $prometheus->value('count_over_time(up{job="wrong"}[10m]) > 10') } 60, 'failures';
cmp_ok lines_of($failed), '<', 3, 'J121 of which hardly any was checked';
ok AuthGate::Server::wait_until { lines_of(qr/login ok/) > $before + 2 } 30, 'checks of the right one';
is lines_of(qr/login limited/), 0, 'F75 a scraper with a wrong password makes nobody wait';
is bans(), '', 'F75 and bans nobody';
my $again = 'timestamp(up{job="basic"} == 1) > ' . time;
ok AuthGate::Server::wait_until { $prometheus->value($again) } 20, 'another scrape';
pass 'F75 the one with the right password, of the same address, stays up';
sub guess ($number) { return 'Authorization', 'Basic ' . encode_base64("somebody:canary-wrong-$number", '') }
is $client->get('/metrics', guess($_))->status, 401, "wrong password $_ of another client" for 1 .. 4;
is $client->get('/metrics', guess(5))->status, 429, 'F75 then 5 have failed: the scraper counted once';
isnt bans(), '', 'and that is a ban';
$again = 'timestamp(up{job="basic"} == 1) > ' . time;
ok AuthGate::Server::wait_until { $prometheus->value($again) } 20, 'J120 which does not stop the scraper';

# What docs/node-exporter.md tells Prometheus is what it takes.
for my $block (AuthGate::read_file("$AuthGate::ROOT/docs/node-exporter.md") =~ /^```yaml\n(scrape_configs:.*?)^```/msg) {
    $block =~ s{(ca_file): \S+}{"$1: " . $server->path('node_exporter.crt')}e;
    $block =~ s{((?:credentials|password)_file): \S+}{$1: $token};
    my $file = quotemeta AuthGate::write_file($server->path('documented.yml'), $block);
    my $said = `promtool check config $file 2>&1`;
    is $?, 0, 'the documented configuration of Prometheus' or diag $said;
}

# I115, with what Prometheus and node_exporter say.
AuthGate::write_file("$AuthGate::LOGS/$AuthGate::TEST.prometheus.log", $prometheus->log);
my $logs   = join '', $server->error_log, $server->access_log, $prometheus->log,
    AuthGate::read_file($server->path('node_exporter.log'));
my $secret = join '|', 'canary', 'agt_', quotemeta encode_base64("prometheus:$password", '');
unlike $logs, qr/$secret/, 'I115 no password and no token in a log';
done_testing;
