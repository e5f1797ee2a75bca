# authgate_metrics with a real Prometheus: promtool finds nothing wrong, a server scrapes the location and takes the
# alerting rules, and every panel of the dashboard shows something.

use v5.36;

use AuthGate;
use AuthGate::Client;
use AuthGate::Metrics;
use AuthGate::Prometheus;
use AuthGate::Server;
use AuthGate::Token;
use JSON::PP ();
use Test::More;

my $MONITORING = "$AuthGate::ROOT/docs/monitoring";
my $RULES      = "$MONITORING/authgate-alerts.yml";
my $TESTS      = "$MONITORING/authgate-alerts-test.yml";
my $dashboard  = JSON::PP->new->utf8->decode(AuthGate::read_file("$MONITORING/authgate-dashboard.json"));
my $doc        = AuthGate::read_file("$AuthGate::ROOT/docs/metrics.md");

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        state %%DIR%%/state;
        limit retries=100000 user_retries=100000;
    }
    authgate_realm dev.A-1_b { users %%USERS%%; path /dev/; cookie dev; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /metrics { authgate off; authgate_metrics; }
        location = /gate-metrics { authgate_metrics; }
        location /dev-only { authgate dev.A-1_b; }
    }
EOF_HTTP
mkdir $server->path('state') or die $!;
chown +(getpwnam 'nobody')[2, 3], $server->path('state') if $> == 0;
$server->run;
my $client = $server->client(headers => []);

# Runs promtool: whether it passed, and everything it said.
sub promtool (@arguments) {
    my $input   = ref $arguments[-1] ? ' <' . quotemeta ${ pop @arguments } : '';
    my $command = join ' ', map { quotemeta } 'promtool', @arguments;
    my $said    = `$command 2>&1$input`;
    return ($? == 0, $said);
}
sub passes ($name, @arguments) {
    my ($passed, $said) = promtool(@arguments);
    ok $passed, $name or diag $said;
    return $said;
}

# A login, a failure and a sign-out.
sub use_the_gate () {
    my $browser = $server->client;
    $browser->sign_in('alice');
    $browser->get('/hello.txt');
    $browser->sign_out;
    $server->client->login('alice', 'canary-wrong');
    $server->client(path => '/dev/')->sign_in('bob');
    $client->get('/hello.txt');
}

# promtool.
{
    use_the_gate();
    my $text = AuthGate::write_file($server->path('metrics.txt'), $client->get('/metrics')->body);
    is passes('check metrics', 'check', 'metrics', \$text), '', 'and finds nothing to say';
    AuthGate::append_file($text, "authgate_unheard_of 1\n");
    my ($passed) = promtool('check', 'metrics', \$text);
    ok !$passed, 'which it has of one without help';
    like passes('check rules', 'check', 'rules', $RULES), qr/SUCCESS: [1-9]\d* rules found/, 'and finds them';
    passes('test rules', 'test', 'rules', $TESTS);

    my %tested = map { $_ => 1 } AuthGate::read_file($TESTS) =~ /\b(Authgate\w+)/g;
    my @alerts = AuthGate::read_file($RULES) =~ /- alert: (\w+)/g;
    is_deeply [ grep { !$tested{$_} } @alerts ], [], 'each alert is tested';
    is_deeply [ $doc =~ /^\| `(Authgate\w+)`/mg ], \@alerts, 'and documented';
}

# What is documented is what there is.
my $families = AuthGate::Metrics->read($client)->families;
{
    my %documented = map { $_ => 1 } $doc =~ /^\| `(authgate_\w+)`/mg;
    is_deeply \%documented, { map { $_ => 1 } keys %$families }, 'each metric is documented';
    my @used = map { s/_bucket$//r } AuthGate::read_file($RULES) =~ /\b(authgate_[a-z_]+)(?=[{)\[])/g;
    is_deeply [ grep { !$families->{$_} && $_ ne 'authgate_status' } @used ], [], 'the rules use no others';
}
for my $block ($doc =~ /^```yaml\n(.*?)^```/msg) {
    my $token = AuthGate::write_file($server->path('documented-token'), 'canary');
    my $file  = AuthGate::write_file($server->path('documented.yml'), $block =~ s{credentials_file: \S+}{credentials_file: $token}r);
    passes('the documented configuration of Prometheus', 'check', 'config', $file);
}

# A Prometheus of our own.
my $token      = AuthGate::write_file($server->path('token'), AuthGate::Token::api(user => 'alice'));
my $prometheus = AuthGate::Prometheus->start($server, <<"EOF_YAML");
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: [ "$RULES" ]
scrape_configs:
  - job_name: open
    static_configs: [{ targets: ["127.0.0.1:@{[ $server->port ]}"] }]
  - job_name: token
    metrics_path: /gate-metrics
    authorization: { credentials_file: $token }
    static_configs: [{ targets: ["127.0.0.1:@{[ $server->port ]}"] }]
EOF_YAML

# Both ways to scrape.
AuthGate::Server::wait_until {
    2 == grep { $_->{health} eq 'up' } $prometheus->targets;
} 30, 'both targets to be up';
pass 'Prometheus scrapes the location, and one behind the gate with an API token';
{
    my $metadata = $prometheus->asked('metadata');
    my %types    = map { /^authgate_/ ? ($_ => $metadata->{$_}[0]{type}) : () } keys %$metadata;
    is_deeply \%types, $families, 'it knows all families and their types';
    is $metadata->{$_}[0]{help} =~ /^\S.*\.$/, 1, "$_: and what it means" for sort keys %types;
}

# The rules.
{
    my @rules;
    AuthGate::Server::wait_until {
        my $groups = $prometheus->asked('rules') // {};
        @rules = map { @{ $_->{rules} } } @{ $groups->{groups} // [] };
        @rules && !grep { $_->{health} eq 'unknown' } @rules;
    } 30, 'the rules to be evaluated';
    is_deeply [ map { "$_->{name}: $_->{health} " . ($_->{lastError} // '') } @rules ],
        [ map { "$_->{name}: ok " } @rules ], 'each rule can be evaluated';
    ok defined $prometheus->asked('query', query => $_->{query}), "$_->{name}: its expression is answered" for @rules;
    is_deeply [ map { $_->{name} } grep { $_->{state} eq 'firing' } @rules ], [], 'none of them is firing';
    for my $rule (@rules) {
        my %annotation = %{ $rule->{annotations} };
        like "$annotation{summary} $annotation{description}", qr/\S.{80}/, "$rule->{name}: says what to do";
    }
}

# The dashboard, as Grafana would ask.
{
    cmp_ok $dashboard->{schemaVersion}, '>=', 39, 'the schema of the dashboard';
    my @variables = @{ $dashboard->{templating}{list} };
    is_deeply [ map { "$_->{name} $_->{type}" } @variables ], [ 'datasource datasource', 'realm query' ], 'its variables';
    my ($metric, $label) = $variables[1]{query}{query} =~ /^label_values\((\w+), (\w+)\)$/;
    my $realms = $prometheus->asked("label/$label/values", 'match[]' => $metric);
    is_deeply [ sort @$realms ], [ 'dev.A-1_b', 'ops' ], 'the choice of realms';

    my @panels = grep { $_->{type} ne 'row' } @{ $dashboard->{panels} };
    my %ids    = map { $_->{id} => 1 } @{ $dashboard->{panels} };
    is keys %ids, @{ $dashboard->{panels} }, 'no id stands twice';
    is_deeply [ overlaps(@{ $dashboard->{panels} }) ], [], 'no panel lies on another';
    is_deeply [ grep { $_->{datasource}{uid} ne '${datasource}' } @panels, map { @{ $_->{targets} } } @panels ], [],
        'all ask the chosen data source';
    for my $panel (@panels) {
        ok length $panel->{description}, "$panel->{title}: says what it is";
        shows("$panel->{title}, $_->{refId}", $_->{expr}) for @{ $panel->{targets} };
    }
}

sub overlaps (@panels) {
    my %taken;
    return grep {
        my $at = $_->{gridPos};
        my @cells = map { my $x = $_; map { "$x,$_" } $at->{y} .. $at->{y} + $at->{h} - 1 } $at->{x} .. $at->{x} + $at->{w} - 1;
        $at->{x} + $at->{w} > 24 || grep { $taken{$_}++ } @cells;
    } @panels;
}

# The expression gives numbers, with each realm that has them or all at once.
sub shows ($name, $expression) {
    like $expression, qr/\{realm=~"\$realm"/, "$name: for the chosen realms" if $expression !~ /build_info/;
    my $asked = $expression =~ s/\$__rate_interval/5s/gr =~ s/\$realm/.+/gr;
    unlike $asked, qr/\$/, "$name: nothing is left to fill in";
    my $shown = eval {
        AuthGate::Server::wait_until {
            my $data = $prometheus->asked('query', query => $asked) // die "not answered: $asked\n";
            return 1 if grep { $_->{value}[1] =~ /^[0-9.e+-]+$/ } @{ $data->{result} };
            use_the_gate();
            return 0;
        } 20, 'data';
    };
    ok $shown, "$name: shows something" or diag $asked, ' ', $@;
}

done_testing;
