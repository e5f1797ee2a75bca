# API tokens from the command to the gate: issued, limited, ended (G81, A10, A23).

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use AuthGate::Workers;
use Test::More;

my $COMMAND = $AuthGate::COMMAND;
die "no $COMMAND: run scripts/build first\n" if !-x $COMMAND;

my $server = AuthGate::Server->prepare(<<"EOF_HTTP", workers => 4);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; state %%DIR%%/state; limit off; }
    server {
        $AuthGate::Workers::SERVER
        authgate ops;
        location = /rewritten { rewrite ^ /hello.txt break; }
        location /redirected { try_files /nothing /hello.txt; }
        location = /unlogged { access_log off; try_files /hello.txt =404; }    # nginx writes queries down
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location / { try_files /hello.txt =404; }
    }
EOF_HTTP
mkdir $server->path('state') or die $!;
chown +(getpwnam 'nobody')[2, 3], $server->path('state') if $> == 0;
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my $client = $server->client(headers => []);

sub run_command (@command) {
    my $said = qx(@{[ join ' ', map { quotemeta } $COMMAND, @command ]} 2>/dev/null);
    return ($? >> 8, $said =~ s/\n\z//r);
}

sub issue (@more) {
    my ($status, $token) = run_command(qw(token issue --keys), $server->path('keys'), qw(--realm ops --expires 1h), @more);
    is $status, 0, "token issue @more";
    like $token, qr/\Aagt_v1\.first\.[\w-]+\.[\w-]{43}\z/, 'an API token, alone on standard output';
    return $token;
}

sub bearer ($token) { return (Authorization => "Bearer $token") }
sub answer ($token, $path, $method = 'GET') {
    my $body   = $method =~ /\A(?:POST|PUT)\z/ ? 'a=1' : undef;
    my $answer = $client->request($method, $path, $body, bearer($token));
    return join ' ', $answer->status, $answer->header('X-Status') // '-';
}

# Without limits: everything of the user's.
{
    my $token = issue(qw(--user alice));
    is answer($token, $_), '200 ok', "without limits: $_" for '/metrics', '/any/thing?x=1', '/rewritten';
    is answer($token, '/app', 'POST'), '200 ok', 'without limits: POST';
    is join('|', $app->header_values('Authorization')), '', 'B35 the application does not get it';
}

# Limited to a path: that path as the client asked for it, and what is below.
{
    my $token = issue(qw(--user alice --path /metrics --path /rewritten --path /redirected));
    is answer($token, $_), '200 ok', "limited to paths: $_ is open"
        for '/metrics', '/metrics/sub', '/metrics?x=/other', '/%6detrics', '/rewritten', '/redirected';
    is answer($token, $_), '403 forbidden', "limited to paths: $_ is not"
        for '/', '/metricsx', '/Metrics', '/metric', '/metrics/../other', '/metrics/%2e%2e/other', '/hello.txt',
        '//metrics', '/x/../metrics',
        '/other?/metrics', '/app/metrics', '/authgate/session';
    my $refused = $client->get('/other', bearer($token), Accept => 'text/html');
    like $refused->header('WWW-Authenticate'), qr/\ABearer realm="ops", error="insufficient_scope"\z/,
        'limited to paths: it is told why';
    unlike $refused->body, qr/hello from/, 'G86 limited to paths: nothing of what is protected';
    is $client->get('/other', bearer($token), 'Sec-Fetch-Mode' => 'navigate', Accept => 'text/html')->status, 403,
        'limited to paths: a navigation is not sent to the login page';
    like $server->error_log, qr/authgate: forbidden, user "alice", realm "ops"/, 'limited to paths: the log tells who';
    for my $header ('X-Original-URL', 'X-Forwarded-Uri', 'X-Rewrite-URL', 'X-Original-Method') {
        is $client->get('/other', bearer($token), $header => '/metrics')->status, 403, "G85a $header opens nothing";
    }
}

# Limited to methods: exactly these.
{
    my $token = issue(qw(--user alice --method GET));
    is answer($token, '/app'), '200 ok', 'limited to GET: GET';
    is answer($token, '/app', $_), '403 forbidden', "limited to GET: $_" for qw(POST PUT DELETE HEAD PATCH);
    my $both = issue(qw(--user alice --method), 'GET,HEAD', qw(--path /metrics));
    is answer($both, '/metrics', $_), '200 ok', "limited to both: $_" for qw(GET HEAD);
    is answer($both, '/metrics', 'POST'), '403 forbidden', 'limited to both: another method';
    is answer($both, '/app'), '403 forbidden', 'limited to both: another path';
    is $client->get('/metrics', bearer($both), 'X-HTTP-Method-Override' => 'POST')->status, 200,
        'limited to both: what a field says of the method counts for nothing';
}

# Not where it does not belong, and not after its end.
{
    my $token = issue(qw(--user alice));
    is $client->get("/unlogged?access_token=$token")->status, 401, 'G81 in the query it is ignored';
    is $client->post('/hello.txt', [access_token => $token])->status, 401, 'G81 in the body too';
    is $client->get('/hello.txt', Cookie => "authgate=$token")->status, 401, 'A10 it is no session';
    is $client->get('/hello.txt', Cookie => 'authgate=' . $token =~ s/^agt_//r)->status, 401, 'A10 nor without its prefix';
    is $client->get('/hello.txt', Authorization => "BEARER  $token")->status, 200, 'the scheme in any case';
    my $over = $client->get('/hello.txt', bearer(AuthGate::Token::api(user => 'alice', expires_at => time - 1)));
    is $over->status, 401, 'G81 past its end: 401';
    is $over->header('WWW-Authenticate'), 'Bearer realm="ops", error="invalid_token"', 'G81 and why';
    is $over->header('X-Status'), 'expired', 'G81 in the variable as well';
    for my $bit (0 .. 7) {
        my $altered = $token;
        substr $altered, -60, 1, substr($altered, -60, 1) eq chr(65 + $bit) ? 'x' : chr(65 + $bit);
        is $client->get('/hello.txt', bearer($altered))->status, 401, "A1 altered: $bit";
    }
}

# Ended by the command, in every worker, for good.
{
    my ($token, $other) = (issue(qw(--user alice)), issue(qw(--user alice)));
    my $workers = AuthGate::Workers->connect($server);
    my $status  = sub ($pid) { $workers->get($pid, '/hello.txt', bearer($token))->status };
    ok defined $workers->settle($status, 200), 'all workers take it';
    my ($id) = (run_command(qw(token inspect --json), $token))[1] =~ /"session":"([0-9a-f]{32})"/;
    my ($revoked) = run_command(qw(token revoke --state), $server->path('state'), qw(--realm ops), $id);
    is $revoked, 0, 'token revoke';
    my $after = $workers->settle($status, 401);
    ok defined $after && $after < 1.3, 'A23 refused by all workers within a second' or diag $after // 'never';
    is $client->get('/hello.txt', bearer($token))->header('X-Status'), 'revoked', 'A23 as revoked';
    is $client->get('/hello.txt', bearer($other))->status, 200, 'A23 another one goes on';
    my ($verified) = run_command(qw(token verify --keys), $server->path('keys'), qw(--realm ops --state),
        $server->path('state'), $token);
    is $verified, 1, 'token verify says no';
}

done_testing;
