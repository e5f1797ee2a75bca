# What the documentation shows is what nginx takes: the examples in nginx-conf/, every block of configuration
# in README.md and docs/, every users and groups file in docs/users.md; and every directive and variable is documented.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Server;
use Test::More;

my $ROOT = $AuthGate::ROOT;

# The contexts from the inside out, and the directives that stand in one of them alone. A block that has none of these
# stands in a location.
my @CONTEXTS = qw(realm server http main);
my %CONTEXT  = (
    (map { $_ => 'realm' } qw(users groups keys state path login_url return_hosts forwarded cookie session limit checks
        zone accept basic_cache allow_weak)),
    (map { $_ => 'server' } qw(listen server_name location ssl_certificate ssl_certificate_key)),
    (map { $_ => 'http' } qw(authgate_realm server limit_req_zone log_format map upstream)),
    (map { $_ => 'main' } qw(events http load_module thread_pool user worker_processes)),
);

my $server = AuthGate::Server->prepare('');
$server->make_certificate;
my %file = (
    users  => $server->path('users'),
    groups => AuthGate::write_file($server->path('groups'), "ops: alice\n"),
    json  => AuthGate::write_file($server->path('profiles.json'), <<'EOF_JSON'),
{"admin": ["pbkdf2:sha256:150000$8J65mjTc$db116dd4d5de7eff899d126bd57b4f73910afb1e57982a9ded6878c547b584c5"]}
EOF_JSON
    yml => AuthGate::write_file($server->path('config.yml'), <<'EOF_YAML'),
tls_server_config: {cert_file: node_exporter.crt, key_file: node_exporter.key}
basic_auth_users:
  prometheus: $2y$04$VaamhVi31m4.W425pmuBMuEfoHh7Wv4wIZPnpeVHZekCsFCnLXs8q
EOF_YAML
);

for my $path (sort glob "$ROOT/nginx-conf/*.conf") {
    takes($path =~ s{^\Q$ROOT\E/}{}r, AuthGate::read_file($path));
}
for my $path ("$ROOT/README.md", sort glob "$ROOT/docs/*.md") {
    my $name = $path =~ s{^\Q$ROOT\E/}{}r;
    takes("$name:$_->{line}", $_->{text}) for AuthGate::Examples::blocks($path, 'nginx');
}
users_are_taken('docs/users.md', $_) for map { AuthGate::Examples::blocks("$ROOT/docs/users.md", $_) } qw(htpasswd json yaml);
users_are_taken('docs/node-exporter.md', $_)
    for grep { $_->{text} =~ /^basic_auth_users:/m } AuthGate::Examples::blocks("$ROOT/docs/node-exporter.md", 'yaml');
for my $block (AuthGate::Examples::blocks("$ROOT/docs/users.md", 'apacheconf')) {
    my $groups = AuthGate::write_file($server->path('documented'), $block->{text});
    takes("docs/users.md:$block->{line}", "authgate_realm ops { users $file{users}; groups $groups; }");
}
is_documented();
done_testing;

# nginx -t passes, with the files and ports of this test.
sub takes ($name, $text) {
    my $whole = complete(adapted($text));
    AuthGate::write_file($server->path('nginx.conf'), $whole);
    my ($passed, $said) = $server->check;
    ok $passed, $name or diag $said, $whole;
}

sub users_are_taken ($page, $block) {
    my $users = AuthGate::write_file($server->path('documented'), $block->{text});
    takes("$page:$block->{line}", "authgate_realm ops { users $users; allow_weak on; }");
}

# The paths, addresses and users of a real machine become those of this test.
sub adapted ($text) {
    my $dir = $server->path('');
    $text =~ s{^\s*load_module\s.*}{}mg;
    $text =~ s{^\s*(?:user|pid|error_log)\s.*}{}mg;
    $text =~ s{\busers\s+\K[^;\s]+(?=;)}{users_file($&)}ge;
    $text =~ s{\bgroups\s+\K[^;\s]+(?=;)}{-e $& ? $& : $file{groups}}ge;
    $text =~ s{\bstate\s+\K[^;\s]+(?=;)}{${dir}state}g;
    $text =~ s{\bkeys\s+\K[^;\s]+(?=;)}{$server->path('keys')}ge;
    $text =~ s{\bssl_certificate\s+\K[^;]+}{${dir}certificate.pem}g;
    $text =~ s{\bssl_certificate_key\s+\K[^;]+}{${dir}certificate.key}g;
    $text =~ s{^\s*include\s+\K(?:/etc/nginx/authgate/)?([\w.-]+)(?=;)}{included($1)}gme;
    $text =~ s{\blisten\s+\K[^;\s]+}{'127.0.0.1:' . $server->port("for $&")}ge;
    $text =~ s{\baccess_log\s+\K/[^;\s]+}{${dir}logs/access.log}g;
    return $text;
}

# An example of ours, or a file that comes with nginx.
sub included ($name) {
    return (grep { -e } "$ROOT/nginx-conf/$name", "/etc/nginx/$name")[0] // die "no $name\n";
}

sub users_file ($path) {
    return $path if -e $path;
    return $file{ $path =~ /\.(json|yml)$/ ? $1 : 'users' };
}

# What surrounds a fragment, as far as it does not say that itself.
sub complete ($text) {
    my $context = context_of($text);
    if ($context eq 'realm') { ($text, $context) = ("authgate_realm ops {\n$text\n}", 'http') }
    if ($context eq 'location') { ($text, $context) = ("location / {\n$text\n}", 'server') }
    if ($context eq 'server') {
        my $listen = $text =~ /\blisten\b/ ? '' : 'listen 127.0.0.1:' . $server->port . ';';
        ($text, $context) = ("server {\n$listen\n$text\n}", 'http');
    }
    my $realms = join '', map { "authgate_realm $_ { users $file{users}; }\n" } undeclared($text);
    if ($context eq 'http') { $text = "http {\n$realms$text\n}" }
    $text .= "\nevents { }" if $text !~ /^\s*events\b/m;
    my $user = $> == 0 ? 'user nobody nogroup;' : '';
    my $dir  = $server->path('');
    my $load = $AuthGate::MODULE ? "load_module $AuthGate::MODULE;" : '';
    return "$load\n$user\npid ${dir}nginx.pid;\nerror_log ${dir}logs/error.log;\n$text\n";
}

sub context_of ($text) {
    my ($depth, $outermost) = (0, -1);
    $text =~ s/#.*//g;
    for my $statement ($text =~ /\G\s*([^;{}]*[;{]|\})/g) {
        my ($word) = $statement =~ /^(\w+)/;
        if ($depth == 0 && $word && $CONTEXT{$word}) {
            my ($index) = grep { $CONTEXTS[$_] eq $CONTEXT{$word} } 0 .. $#CONTEXTS;
            $outermost = $index if $index > $outermost;
        }
        $depth++ if $statement =~ /\{$/;
        $depth-- if $statement eq '}';
    }
    return $outermost < 0 ? 'location' : $CONTEXTS[$outermost];
}

# The realms that a fragment names and leaves to the rest of the configuration.
sub undeclared ($text) {
    $text =~ s/#.*//g;
    my %declared = map { $_ => 1 } $text =~ /\bauthgate_realm\s+(\S+)/g;
    my %named    = map { $_ => 1 } $text =~ /^\s*(?:\S.*[{;]\s*)?authgate(?:_endpoints|_status|_verify)?\s+([\w.-]+)/mg;
    return grep { !$declared{$_} && $_ ne 'off' } sort keys %named;
}

# Every directive and variable that the source names has its entry.
sub is_documented () {
    my $page     = AuthGate::read_file("$ROOT/docs/directives.md");
    my $module   = AuthGate::read_file("$ROOT/src/module.rs");
    my $settings = AuthGate::read_file("$ROOT/crates/core/src/settings/mod.rs");
    my $source   = AuthGate::read_file("$ROOT/src/variables.rs");
    my ($inside) = $settings =~ /DIRECTIVES: [^=]*=\s*\[([^\]]*)\]/;
    my @inside   = ($inside // '') =~ /"(\w+)"/g;
    my @outside  = $module =~ /ngx_string!\("(\w+)"\)/g;
    my @names    = $source =~ /\("(authgate_\w+)", \w+\)/g;
    ok @inside && @outside && @names, 'the source names directives and variables';
    like $page, qr/^###? `$_`$/m, "docs/directives.md has the directive $_" for @outside, @inside;
    like $page, qr/^\| `\$$_` \|/m, "docs/directives.md has the variable \$$_" for @names;
}
