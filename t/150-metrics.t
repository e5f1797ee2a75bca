# authgate_metrics: the numbers of all realms, summed over all workers.

use v5.36;

use AuthGate;
use AuthGate::Metrics;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        limit retries=3 user_retries=4 find=10m ban=100s;
    }
    authgate_realm dev.A-1_b {
        users %%USERS%%;
        path /dev/;
        cookie dev;
        limit off;
        zone 64k;
        checks running=1 waiting=1;
    }
    authgate_realm kept {
        users %%USERS%%;
        keys %%KEYS%%;
        path /kept/;
        cookie kept;
        state %%DIR%%/state;
        zone 64k;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        root %%DIR%%/html;
        authgate ops;
        location = /metrics { authgate off; authgate_metrics; }
        location = /allowed { authgate off; allow 192.0.2.0/24; deny all; authgate_metrics; }
        location = /gated-metrics { authgate_metrics; }
        location = /required-metrics { authgate dev.A-1_b; authgate_metrics; }
        location = /optional-metrics { authgate ops optional; authgate_metrics; }
        location /nested { authgate off; authgate_metrics; location /nested/in { try_files /hello.txt =404; } }
        location = /pid { return 200 $pid; }
        location /kept-only { authgate kept; }
    }
    server {
        listen 127.0.0.1:%%PORT_whole%%;
        authgate ops;
        location / { authgate_metrics; }
    }
EOF_HTTP

my $server = AuthGate::Server->prepare($http, workers => 4);
mkdir $server->path('state') or die $!;
chown +(getpwnam 'nobody')[2, 3], $server->path('state') if $> == 0;
AuthGate::append_file($server->path('users'), 'slow:' . AuthGate::bcrypt('canary-slow', 14) . "\n");
$server->run;

my $client = $server->client(headers => []);

sub metrics () { return AuthGate::Metrics->read($client) }
sub value ($name) { return metrics()->value($name) }

# By how much counters grow meanwhile.
sub grown ($action) {
    my $before = metrics();
    $action->();
    return AuthGate::Metrics::grown($before, metrics());
}
sub logins_of ($grown) { return { map { /^authgate_log(?:in|out)s/ ? ($_ => $grown->{$_}) : () } keys %$grown } }
sub login ($realm, $result) { return qq(authgate_logins_total{realm="$realm",method="form",result="$result"}) }

my %families = (
    authgate_build_info                      => 'gauge',
    authgate_verdicts_total                  => 'counter',
    authgate_logins_total                    => 'counter',
    authgate_logouts_total                   => 'counter',
    authgate_password_check_duration_seconds => 'histogram',
    map { ("authgate_$_" => 'gauge') }
        qw(password_checks_running password_checks_waiting users users_file_valid keys zone_size_bytes
        ended_entries ended_capacity ended_coarsened limiter_counters limiter_capacity bans state_saved
        state_size_bytes)
);

# The shape.
{
    my $answer = $client->get('/metrics');
    is $answer->status, 200, 'GET: 200';
    is $answer->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'the text format';
    is $answer->header('Cache-Control'), 'no-store', 'not to be stored';
    is $answer->headers('Set-Cookie'), 0, 'no cookie';
    my $metrics = metrics();
    is_deeply $metrics->families, \%families, 'these families, no more';
    my ($nginx) = `$AuthGate::NGINX -v 2>&1` =~ m{nginx/(\S+)};
    my ($version) = AuthGate::read_file("$AuthGate::ROOT/Cargo.toml") =~ /^version = "(\S+)"/m;
    is $metrics->value(qq(authgate_build_info{version="$version",nginx="$nginx"})), 1, 'what is running';
    for my $realm ('ops', 'dev.A-1_b', 'kept') {
        my @verdicts = map { /^authgate_verdicts_total\{realm="\Q$realm\E",status="(\w+)"\}$/ ? $1 : () } $metrics->names;
        is_deeply \@verdicts, [
            sort qw(ok missing malformed bad_signature unknown_key expired revoked unknown_user
                password_changed bad_password limited busy error forbidden)
            ],
            "$realm: every verdict is there, and zero";
        is $metrics->value(qq(authgate_users{realm="$realm"})), 4, "$realm: its users";
        is $metrics->value(qq(authgate_users_file_valid{realm="$realm"})), 1, "$realm: as the file says";
        is $metrics->value(qq(authgate_keys{realm="$realm"})), $realm eq 'kept' ? 2 : 1, "$realm: its keys";
        is $metrics->value(qq(authgate_zone_size_bytes{realm="$realm"})), $realm eq 'ops' ? 1048576 : 65536,
            "$realm: its shared memory";
        is $metrics->value(qq(authgate_limiter_capacity{realm="$realm"})) // 'none',
            { ops => 8128, kept => 480 }->{$realm} // 'none', "$realm: its limiter, if any";
        is $metrics->value(qq(authgate_ended_capacity{realm="$realm"})), $realm eq 'ops' ? 18964 : 1120,
            "$realm: its table, as long as it was";
        is $metrics->value(qq(authgate_state_saved{realm="$realm"})) // 'none', $realm eq 'kept' ? 1 : 'none',
            "$realm: its state, if any";
        is scalar(grep { /^authgate_bans\{realm="\Q$realm\E"/ && $metrics->value($_) == 0 } $metrics->names),
            $realm =~ /dev/ ? 0 : 4, "$realm: no bans, by subject";
    }

    my $head = $client->request('HEAD', '/metrics', undef);
    is $head->status, 200, 'HEAD: 200';
    is $head->header('Content-Length'), length $client->get('/metrics')->body, 'HEAD: the length';
    is $head->body, '', 'HEAD: no body';
    for my $method (qw(POST PUT DELETE PATCH OPTIONS)) {
        my $answer = $client->request($method, '/metrics', $method eq 'OPTIONS' ? undef : '');
        is $answer->status, 405, "$method: 405";
        is $answer->header('Allow'), 'GET, HEAD', "$method: what is allowed";
        is $answer->header('Cache-Control'), 'no-store', "$method: not to be stored";
    }
    is_deeply grown(sub { }), {}, 'looking counts as nothing';
}

# Over four workers what is counted is what the client did.
{
    my @workers = $server->workers;
    my ($address, %did) = 0;
    my $fresh = sub { return 'X-Real-IP' => '198.51.100.' . ++$address };
    my $grown = grown(
        sub {
            for my $worker (@workers) {
                for my $count (1 .. 3) {
                    my $browser = $server->client(worker => $worker);
                    $browser->login('alice', $PASSWORD{alice}, headers => [ $fresh->() ]);
                    $did{ok}++;
                    next if $count > 2;
                    $browser->sign_out;
                    $did{logouts}++;
                }
                my $browser = $server->client(worker => $worker);
                $browser->login("nobody-$worker", wrong_password(), headers => [ $fresh->() ]);
                $did{unknown_user}++;
                next if ($did{bad_password} // 0) == 3;
                $browser->login('carol', wrong_password(), headers => [ $fresh->() ]);
                $did{bad_password}++;
            }
        }
    );
    is_deeply logins_of($grown),
        {
        'authgate_logouts_total{realm="ops"}' => $did{logouts},
        map { login('ops', $_) => $did{$_} } qw(ok bad_password unknown_user)
        },
        'logins and logouts of all workers';
    my $checks = $did{ok} + $did{bad_password} + $did{unknown_user};
    is $grown->{'authgate_password_check_duration_seconds_count{realm="ops"}'}, $checks, 'each login is one check';
    is $grown->{'authgate_password_check_duration_seconds_bucket{realm="ops",le="+Inf"}'}, $checks, 'in the last bucket too';
    cmp_ok value('authgate_password_check_duration_seconds_sum{realm="ops"}'), '>', 0.0001, 'which take time';

    # Each worker gives the same sum, and a logout without a session is none.
    my %sums;
    $sums{ AuthGate::Metrics->read($server->client(worker => $_, headers => []))->value(login('ops', 'ok')) }++ for @workers;
    is_deeply \%sums, { value(login('ops', 'ok')) => 4 }, 'each worker says the same';
    is_deeply grown(sub { $server->client->sign_out }), {}, 'nobody signs out: not counted';
    is value('authgate_ended_entries{realm="ops",kind="session"}'), $did{logouts}, 'what was signed out has ended';
    is value('authgate_ended_entries{realm="kept",kind="session"}'), 0, 'none of it in another realm';
}

# Bans.
{
    my $from  = sub ($address, $user) { $server->client->login($user, wrong_password(), headers => [ 'X-Real-IP' => $address ]) };
    my $grown = grown(
        sub {
            $from->('192.0.2.7', "ghost-$_") for 1 .. 5;
            $from->("203.0.113.$_", 'bob')   for 1 .. 6;
        }
    );
    is_deeply logins_of($grown),
        { login('ops', 'unknown_user') => 3, login('ops', 'bad_password') => 4, login('ops', 'limited') => 4 },
        'who has to wait is counted as limited';
    is $grown->{'authgate_password_check_duration_seconds_count{realm="ops"}'}, 7, 'without a check';
    is value('authgate_bans{realm="ops",subject="network"}'), 1, 'one network is banned';
    is value('authgate_bans{realm="ops",subject="user"}'),    1, 'one name';
    is value('authgate_bans{realm="ops",subject="device"}'),  0, 'no device';
    cmp_ok value('authgate_limiter_counters{realm="ops"}'), '>', 10, 'counters are in use';
}

# What runs and what waits.
sub checks () {
    my $metrics = metrics();
    return join ' ', map { $metrics->value(qq(authgate_password_checks_$_\{realm="dev.A-1_b"})) } qw(running waiting);
}
sub slow_login ($worker) {
    return AuthGate::Pending->login($server->client(path => '/dev/', worker => $worker), 'slow', 'canary-slow');
}

{
    my $before = metrics();
    my ($one, $other) = $server->workers;
    my @logins = map { slow_login($one) } 1 .. 2;
    push @logins, slow_login($other);
    my $most = AuthGate::Server::wait_until { my $now = checks(); $now eq '2 1' && $now } 10, 'two to run and one to wait';
    is $most, '2 1', 'what two workers have running and waiting';
    is slow_login($one)->answer->status, 503, 'a fourth login has to come again';
    is_deeply [ map { $_->answer->status } @logins ], [ 303, 303, 303 ], 'the others are signed in';
    is checks(), '0 0', 'nothing runs or waits any more';
    is_deeply logins_of(AuthGate::Metrics::grown($before, metrics())),
        { login('dev.A-1_b', 'ok') => 3, login('dev.A-1_b', 'busy') => 1 }, 'one was busy';
    my $slow = value('authgate_password_check_duration_seconds_bucket{realm="dev.A-1_b",le="0.05"}');
    is $slow, 0, 'a slow check is in no fast bucket';
    my $sum = value('authgate_password_check_duration_seconds_sum{realm="dev.A-1_b"}');
    ok $sum > 0.3 && $sum < 300, "the time of three checks: $sum s";
}

# What a killed worker had running is forgotten.
{
    my ($victim) = $server->workers;
    $server->expect_alert(qr/worker process $victim exited on signal 9/);
    my $login = slow_login($victim);
    AuthGate::Server::wait_until { checks() eq '1 0' } 10, 'a check to run';
    kill KILL => $victim;
    AuthGate::Server::wait_until { checks() eq '0 0' } 10, 'a killed worker to be forgotten';
    pass 'what a killed worker had running is forgotten';
    AuthGate::Server::wait_until { $server->workers == 4 } 10, 'a new worker';
}

# A bad edit of the users file.
{
    my $valid = sub { value('authgate_users_file_valid{realm="ops"}') };
    my $good  = AuthGate::read_file($server->path('users'));
    AuthGate::write_file($server->path('users'), "alice:no-hash\n");
    AuthGate::Server::wait_until { $valid->() == 0 } 10, 'a bad edit to be seen';
    is value('authgate_users{realm="ops"}'), 4, 'the users of before hold';
    AuthGate::write_file($server->path('users'), $good . 'dora:' . AuthGate::bcrypt('canary-dora') . "\n");
    AuthGate::Server::wait_until { $valid->() == 1 } 10, 'a good edit to be seen';
    AuthGate::Server::wait_until { value('authgate_users{realm="ops"}') == 5 } 10, 'the new users';
    rename $server->path('users'), $server->path('gone') or die $!;
    AuthGate::Server::wait_until { $valid->() == 0 } 10, 'a missing file to be seen';
    rename $server->path('gone'), $server->path('users') or die $!;
    AuthGate::Server::wait_until { $valid->() == 1 } 10, 'the file to be back';
    pass 'users_file_valid follows the file';
}

# State.
{
    my $size = sub { value('authgate_state_size_bytes{realm="kept"}') };
    my $before  = $size->();
    my $browser = $server->client(path => '/kept/');
    $browser->sign_in('alice');
    $browser->sign_out;
    is value('authgate_ended_entries{realm="kept",kind="session"}'), 1, 'a session has ended';
    AuthGate::Server::wait_until { $size->() > $before } 5, 'the file to grow';
    my ($file) = grep { -s == $size->() } glob $server->path('state/*');
    ok $file, 'whose file is as long as it says';
}

# A reload keeps what was counted; new memory begins anew.
{
    my $before = metrics();
    ok reload_whole($server), 'a reload';
    is_deeply AuthGate::Metrics::grown($before, metrics()), {}, 'the counts are kept';
    is value(login('ops', 'ok')), $before->value(login('ops', 'ok')), 'all of them';
    $server->client->sign_in('alice');
    is value(login('ops', 'ok')), $before->value(login('ops', 'ok')) + 1, 'and go on';
    ok reload_whole($server, $http =~ s/limit retries/zone 128k; limit retries/r), 'a reload with another zone';
    is value(login('ops', 'ok')), 0, 'which begins anew';
    cmp_ok value(login('dev.A-1_b', 'ok')), '>', 0, 'the other realms go on';
    $server->client->sign_in('alice');
    is value(login('ops', 'ok')), 1, 'and is counted in';
}

# Who may: whoever gets past the gate, allow and deny.
{
    is $client->get('/metrics', 'X-Real-IP' => '203.0.113.99')->status, 200, 'a client of another machine';
    is $client->get('/allowed')->status, 403, 'deny holds';
    is $client->get('/allowed', 'X-Real-IP' => '192.0.2.99')->status, 200, 'allow lets in';
    is $client->get('/gated-metrics')->status, 401, 'it inherits the gate';
    unlike $client->get('/gated-metrics')->body, qr/authgate_/, 'and tells nothing before it';
    is $client->request('POST', '/gated-metrics', '')->status, 401, 'not even the method';
    is $server->client->get('/gated-metrics')->status, 302, 'a browser is sent to the login';
    my $browser = $server->client;
    $browser->sign_in('carol');
    is $browser->get('/gated-metrics')->status, 200, 'who is signed in sees it';
    is $browser->get('/required-metrics')->status, 302, 'a gate of its own asks too';
    is $client->get('/optional-metrics')->status, 200, 'an optional gate refuses nobody';
    is $client->get('/nested/x')->status, 200, 'the location is a prefix';
    is $client->get('/nested/in')->body, "hello from behind the gate\n", 'a nested location shows none';
}

# The gate lets everyone come to its own pages: where the location covers them, they are still its pages.
{
    my $whole = $server->client(port => $server->port('whole'));
    for my $path ('/authgate/login', '/authgate/logout', '/authgate/session', '/authgate/nosuch') {
        unlike $whole->get($path)->raw, qr/authgate_|version=0/, "$path tells no numbers without a login";
    }
    like $whole->get('/authgate/login')->body, qr/<form/, 'the login is there';
    is $whole->get('/anything')->status, 302, 'the rest needs it';
    $whole->sign_in('alice');
    like $whole->get('/anything')->body, qr/^authgate_logins_total\{/m, 'and then there are the numbers';
}

# Without any realm.
{
    my $none = AuthGate::Server->start(<<'EOF_HTTP');
    server { listen 127.0.0.1:%%PORT%%; location = /metrics { authgate_metrics; } location / { root %%DIR%%/html; } }
EOF_HTTP
    my $metrics = AuthGate::Metrics->read($none->client);
    is_deeply $metrics->families, { authgate_build_info => 'gauge' }, 'without a realm there is the build alone';
    is $none->client->get('/hello.txt')->status, 200, 'all else is as ever';
    is $none->client->request('DELETE', '/metrics', undef)->status, 405, 'and so are the methods';
}

# Mistakes.
my $realm = 'authgate_realm ops { users %%USERS%%; }';
for my $case (
    [ 'location / {', 'authgate_metrics; authgate_metrics;', '"authgate_metrics" directive is duplicate' ],
    [ 'location / {', 'authgate_metrics ops;', 'invalid number of arguments in "authgate_metrics" directive' ],
    [ 'location / {', 'authgate_metrics; authgate_status ops;', '"authgate_metrics" cannot stand beside "authgate_status" in one location' ],
    [ 'location / {', 'authgate_metrics; authgate_endpoints ops;', '"authgate_metrics" cannot stand beside "authgate_endpoints" in one location' ],
    [ 'location / { if ($arg_a) {', 'authgate_metrics; }', '"authgate_metrics" directive is not allowed here' ],
    [ '{', 'authgate_metrics;', '"authgate_metrics" directive is not allowed here' ],
    )
{
    my ($before, $directive, $message) = @$case;
    my $broken = AuthGate::Server->prepare($before eq '{'
        ? "$realm\nserver { listen 127.0.0.1:%%PORT%%;\n$directive\n}"
        : "$realm\nserver { listen 127.0.0.1:%%PORT%%;\n$before\n$directive\n} }");
    my @text = split /\n/, AuthGate::read_file($broken->path('nginx.conf'));
    my ($line) = reverse grep { $text[ $_ - 1 ] =~ /^authgate_metrics\b/ } 1 .. @text;
    my ($passed, $said) = $broken->check;
    ok !$passed, "$directive refused";
    like $said, qr/\[emerg\] \Q$message\E in \S+:$line$/m, "$directive with file and line";
}

done_testing;
