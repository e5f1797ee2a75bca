# The lines of the log (reference, section 7): one for each event, exactly, at its level.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name gate.example;
        authgate ops;
        root %%DIR%%/html;
        location /paged { error_page 401 = @page; }
        location @page { authgate off; return 200; }
        location /optional { authgate ops optional; try_files /hello.txt =404; }
        location /named {
            authgate ops optional;
            add_header X-Status $authgate_status always;
            try_files /hello.txt =404;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_quiet%%;
        authgate ops;
        error_log %%DIR%%/logs/quiet.log error;
    }
EOF_HTTP

my $host   = '127.0.0.1:' . $server->port;
my $client = $server->client;

# The lines that a request has caused, without the time and the numbers of process and connection.
sub said ($ask) {
    return map { s{\A\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: \*\d+ }{[$1] }r } $server->lines_of($ask);
}

# What nginx adds to a line about a request.
sub with_request ($line, $request) {
    return qq($line, client: 127.0.0.1, server: gate.example, request: "$request HTTP/1.1", host: "$host"\n);
}

my $POST     = 'POST /authgate/login';
my @nonsense = (Cookie => 'authgate=nonsense');
my @exact    = (
    'a wrong password' => sub { $client->login('alice', 'wrong') },
    $POST => '[error] authgate: login failed, user "alice", reason "bad_password", realm "ops"',

    'an unknown user' => sub { $client->login('mallory', 'wrong') },
    $POST => '[error] authgate: login failed, user "mallory", reason "unknown_user", realm "ops"',

    'no user at all' => sub { $client->login('', '') },
    $POST => '[error] authgate: login failed, user "", reason "unknown_user", realm "ops"',

    'a wrong password in JSON' => sub { $client->login('bob', 'wrong', headers => [ Accept => 'application/json' ]) },
    $POST => '[error] authgate: login failed, user "bob", reason "bad_password", realm "ops"',

    'a login' => sub { $client->sign_in('alice') },
    $POST => '[info] authgate: login ok, user "alice", realm "ops"',

    'a logout' => sub { $client->sign_out },
    'POST /authgate/logout' => '[info] authgate: logout, user "alice", realm "ops"',

    'a token that is none' => sub { $client->get('/hello.txt', Cookie => 'authgate=nonsense') },
    'GET /hello.txt' => '[info] authgate: token refused, reason "malformed", realm "ops"',

    'the same for a script' => sub { $client->get('/hello.txt', @nonsense, 'Sec-Fetch-Mode' => 'cors') },
    'GET /hello.txt' => '[info] authgate: token refused, reason "malformed", realm "ops"',

    'the same with an error_page' => sub { $client->get('/paged', @nonsense, 'Sec-Fetch-Mode' => 'cors') },
    'GET /paged' => '[info] authgate: token refused, reason "malformed", realm "ops"',

    'an API token that is none' => sub { $client->get('/hello.txt', Authorization => 'Bearer agt_nonsense') },
    'GET /hello.txt' => '[info] authgate: token refused, reason "malformed", realm "ops"',
);
while (my ($what, $ask, $request, $line) = splice @exact, 0, 4) {
    is join('', said($ask)), with_request($line, $request), "$what: one line";
}

# A session that has ended, and one whose signature is not ours.
$client->sign_in('bob');
my $token = $client->cookie('authgate');
$client->sign_out;
is join('', said(sub { $client->get('/hello.txt', Cookie => "authgate=$token") })),
    with_request('[info] authgate: token refused, reason "revoked", realm "ops"', 'GET /hello.txt'),
    'an ended session: one line';
my $forged = $token =~ s/(.)\z/$1 eq 'A' ? 'E' : 'A'/er;
is join('', said(sub { $client->get('/hello.txt', Cookie => "authgate=$forged") })),
    with_request('[info] authgate: token refused, reason "bad_signature", realm "ops"', 'GET /hello.txt'),
    'a forged signature: one line';
my $unknown = $token =~ s/\Av1\.[^.]+/v1.other/r;
is join('', said(sub { $client->get('/hello.txt', Cookie => "authgate=$unknown") })),
    with_request('[info] authgate: token refused, reason "unknown_key", realm "ops"', 'GET /hello.txt'),
    'another key: one line';

# What is no event.
$client->sign_in('alice');
my $stranger = $server->client;
my @silent   = (
    'a redirect to the login'        => sub { $stranger->get('/hello.txt') },
    'a refusal'                      => sub { $stranger->get('/hello.txt', 'Sec-Fetch-Mode' => 'cors') },
    'a refusal of a POST'            => sub { $stranger->post('/hello.txt', [ a => 1 ]) },
    'a refusal with an error_page'   => sub { $stranger->get('/paged', 'Sec-Fetch-Mode' => 'cors') },
    'the login page'                 => sub { $stranger->get('/authgate/login') },
    'the logout page'                => sub { $client->get('/authgate/logout') },
    'the session page'               => sub { $client->get('/authgate/session') },
    'no session'                     => sub { $stranger->get('/authgate/session') },
    'a logout without a session'     => sub { $stranger->sign_out },
    'an unknown name'                => sub { $stranger->get('/authgate/nothing') },
    'another method'                 => sub { $stranger->request('PUT', '/authgate/login', '') },
    'a bad form'                     => sub { $stranger->post('/authgate/login', [ rd => 1, rd => 2 ]) },
    'a request of one signed in'     => sub { $client->get('/hello.txt') },
    'the login page when signed in'  => sub { $client->get('/authgate/login') },
    'an optional gate'               => sub { $stranger->get('/optional') },
);
while (my ($what, $ask) = splice @silent, 0, 2) {
    is join('', said($ask)), '', "$what: no line";
}
is join('', grep { !/^\[info\]/ } said(sub { $stranger->get('/optional', Cookie => 'authgate=nonsense') })), '',
    'a bad cookie where the gate is optional: nothing above info';
is $stranger->get('/named', Cookie => 'authgate=nonsense')->header('X-Status'), 'malformed',
    'the variable tells';

# At the level that Debian's nginx has.
my $quiet = $server->client(port => $server->port('quiet'));
$quiet->login('alice', 'another wrong one');
$quiet->sign_in('alice');
$quiet->get('/x', Cookie => 'authgate=nonsense');
$quiet->sign_out;
my @lines = split /^/, AuthGate::read_file($server->path('logs/quiet.log'));
is @lines, 1, 'at level error the failed login alone is seen';
like $lines[0], qr/\[error\] .*login failed, user "alice", reason "bad_password"/, 'and it is';

# For fail2ban: a name that looks like the rest of the line cannot stand for another client.
is join('', said(sub { $stranger->login('x", reason "bad_password", realm "ops", client: 192.0.2.1', 'x') })),
    with_request(
        '[error] authgate: login failed, user "x\x22, reason \x22bad_password\x22, realm \x22ops\x22, client: 192.0.2.1", '
            . 'reason "unknown_user", realm "ops"', $POST), 'a user name stays between its quotes';

done_testing;
