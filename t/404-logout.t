# Signing out: a page with one button, and the end of the session in every worker.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 4);
    authgate_realm ops { users %%USERS%%; }
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        authgate ops;
        root %%DIR%%/html;
    }
EOF_HTTP
$server->make_certificate;
$server->run;

# Asks until every worker has answered (the kernel spreads connections over them); the statuses seen.
sub statuses_of_every_worker ($client, @request) {
    my (%worker, %status);
    AuthGate::Server::wait_until {
        my $response = $client->get(@request);
        $worker{ $response->header('X-Worker') }++;
        $status{ $response->status }++;
        keys %worker == 4;
    }
    20, 'every worker to answer';
    return join ' ', sort keys %status;
}

my $client = $server->client;
is $client->get('/authgate/logout')->status, 303, 'GET logout when signed out: 303';
is $client->get('/authgate/logout')->header('Location'), '/authgate/login', 'to the login';

$client->sign_in('alice');
my $old = $client->cookie('authgate');
is statuses_of_every_worker($client, '/hello.txt'), '200', 'signed in, in every worker';

my $response = $client->get('/authgate/logout');
my $page     = AuthGate::Page->parse($response->body);
is $response->status, 200, 'GET logout: a page';
is $page->action, '/authgate/logout', 'that posts to itself';
is_deeply $page->fields, [], 'with a button alone';
like $response->body, qr/alice/, 'and says who is signed in';
is $response->headers('Set-Cookie'), 0, 'C42 GET logout sets no cookie';
is $client->request('HEAD', '/authgate/logout', undef)->status, 200, 'HEAD logout';
is $client->get('/authgate/logout?logout=1&method=post')->headers('Set-Cookie'), 0, 'C42 whatever its query';
is $client->get('/hello.txt')->status, 200, 'C42 GET logout has no effect';

my $cross = $client->post('/authgate/logout', [], 'Sec-Fetch-Site' => 'cross-site');
is $cross->status, 403, 'C42 a logout from another site: 403';
is $cross->headers('Set-Cookie'), 0, 'C42 it sets no cookie';
is statuses_of_every_worker($client, '/hello.txt'), '200', 'C42 and has no effect';

my $out = $client->sign_out;
is $out->status, 303, 'POST logout: 303';
is $out->header('Location'), '/authgate/login', 'to the login';
is_deeply [ $out->headers('Set-Cookie') ], ['authgate=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0'],
    'the cookie is cleared with its own attributes';
is $client->cookie('authgate'), undef, 'and gone';
is $client->get('/hello.txt')->status, 302, 'signed out';

my $replayed = $server->client(cookies => { authgate => $old });
is statuses_of_every_worker($replayed, '/hello.txt'), '302', 'the old cookie is refused by every worker';
is $replayed->get('/authgate/login')->status, 200, 'it gets the form';
is $replayed->get('/authgate/session')->status, 401, 'and has no session';
is $replayed->sign_out->status, 303, 'a second logout is no error';
is $server->client->sign_out->status, 303, 'nor one without a session';
is $server->client(cookies => { authgate => 'nonsense' })->sign_out->status, 303, 'nor one with nonsense';

# One session ends, not the user's others.
my ($one, $other) = ($server->client, $server->client);
$_->sign_in('bob') for $one, $other;
$one->sign_out;
is $one->get('/hello.txt')->status, 302, 'one session has ended';
is $other->get('/hello.txt')->status, 200, 'another one of the same user goes on';

# A login on top ends the session that was there.
my $twice = $server->client;
$twice->sign_in('bob');
my $first = $twice->cookie('authgate');
$twice->sign_in('bob');
isnt $twice->cookie('authgate'), $first, 'signing in again gives a new session';
is $server->client(cookies => { authgate => $first })->get('/hello.txt')->status, 302, 'and ends the old one';

# A logout's body is of no interest.
$one->sign_in('bob');
is $one->request('POST', '/authgate/logout', '{"a":1}', 'Content-Type' => 'application/json')->status, 303,
    'a logout with a body of another type';
$one->sign_in('bob');
is $one->request('POST', '/authgate/logout', 'x' x 100_000)->status, 303, 'or a long one';
is $one->get('/hello.txt')->status, 302, 'is a logout';

my $tls = $server->client(port => $server->port('tls'), tls => 1);
$tls->sign_in('alice');
is_deeply [ $tls->sign_out->headers('Set-Cookie') ],
    ['__Host-authgate=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0'], 'the cookie is cleared on TLS';

done_testing;
