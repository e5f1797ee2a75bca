# Signing in with the form, and with JSON.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        authgate ops;
        root %%DIR%%/html;
    }
EOF_HTTP

# A password that may stand in a request line: nginx logs that.
AuthGate::append_file($server->path('users'), 'dave:' . AuthGate::bcrypt('sesame') . "\n");
$server->make_certificate;
$server->run;

my $LOGIN = '/authgate/login';
my $token = qr/v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}/;

# The form.
my $client = $server->client;
my $form   = $client->get("$LOGIN?rd=/a%3Fb%3D1");
my $page   = AuthGate::Page->parse($form->body);
is $form->status, 200, 'GET login: 200';
is $form->header('Content-Type'), 'text/html; charset=utf-8', 'GET login: its type';
is $form->headers('Set-Cookie'), 0, 'GET login: no cookie';
is $page->action, $LOGIN, 'the form posts to the login';
is_deeply $page->fields, [qw(password rd username)], 'the fields of the form';
is $page->field('rd'), '/a?b=1', 'the form carries rd';
is $page->alert, '', 'the first visit is no failure';
is AuthGate::Page->parse($client->get($LOGIN)->body)->field('rd'), '/', 'without rd: /';
is $client->get('/hello.txt')->status, 302, 'not signed in yet';

# The right password.
my $in = $client->login('alice', $PASSWORD{alice}, rd => '/hello.txt?x=1');
is $in->status, 303, 'the right password: 303';
is $in->header('Location'), '/hello.txt?x=1', 'to rd';
is $in->headers('Set-Cookie'), 2, 'with the cookies of the session and of the device';
like $in->header('Set-Cookie'), qr/\Aauthgate=$token; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600\z/,
    'the cookie on plain HTTP';
is $in->header('Cache-Control'), 'no-store', 'not to be stored';
is $client->get('/hello.txt')->body, "hello from behind the gate\n", 'signed in';

my $again = $client->get("$LOGIN?rd=/hello.txt");
is $again->status, 303, 'GET login when signed in: 303';
is $again->header('Location'), '/hello.txt', 'to rd';
is $again->headers('Set-Cookie'), 0, 'without a new cookie';
is $client->get($LOGIN)->header('Location'), '/', 'without rd to /';
is $client->request('HEAD', "$LOGIN?rd=/hello.txt", undef)->header('Location'), '/hello.txt', 'HEAD as GET';

my $tls = $server->client(port => $server->port('tls'), tls => 1);
like $tls->sign_in('bob')->header('Set-Cookie'),
    qr/\A__Host-authgate=$token; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600\z/, 'the cookie on TLS';
is $tls->get('/hello.txt')->status, 200, 'signed in on TLS';

my $no_rd = $server->client->post($LOGIN, [ username => 'alice', password => $PASSWORD{alice} ]);
is $no_rd->header('Location'), '/', 'a post without rd goes to /';
my $rd_in_query = $server->client->post("$LOGIN?rd=/x", [ username => 'alice', password => $PASSWORD{alice} ]);
is $rd_in_query->header('Location'), '/', 'rd in the query of a post is ignored';
is $server->client(headers => [])->login('alice', $PASSWORD{alice})->status, 303,
    'a client that is no browser';

# A wrong one.
my $stranger = $server->client;
my $wrong    = $stranger->login('alice', 'wrong', rd => '/hello.txt');
my $retry    = AuthGate::Page->parse($wrong->body);
is $wrong->status, 403, 'a wrong password: 403';
is $wrong->headers('Set-Cookie'), 0, 'no cookie';
is $wrong->header('Cache-Control'), 'no-store', 'not to be stored';
is $retry->alert, 'Wrong user name or password.', 'the page says so';
is $retry->field('username'), 'alice', 'the user name is kept';
is $retry->field('rd'), '/hello.txt', 'and rd';
is $retry->field('password'), undef, 'not the password';
is $stranger->get('/hello.txt')->status, 302, 'not signed in';
is $stranger->login('Alice', $PASSWORD{alice})->status, 403, 'user names differ by case';
is $stranger->login(' alice', $PASSWORD{alice})->status, 403, 'and by blanks';
is $stranger->login('alice', "$PASSWORD{alice} ")->status, 403, 'passwords too';
is $stranger->login('alice', '')->status, 403, 'an empty password';
is $stranger->login('', '')->status, 403, 'nothing filled in';

# JSON.
my @json = (headers => [ Accept => 'application/json', 'Sec-Fetch-Site' => 'same-origin' ]);
my $api  = $server->client(@json);
my $ok   = $api->login('alice', $PASSWORD{alice}, rd => '/x');
my $body = eval { JSON::PP::decode_json($ok->body) };
is $ok->status, 200, 'JSON: 200';
is $ok->header('Content-Type'), 'application/json', 'JSON: its type';
is $ok->header('Location'), undef, 'JSON: no redirect';
is_deeply [ sort keys %$body ], [qw(expires user)], 'JSON: user and expires';
is $body->{user}, 'alice', 'JSON: the user';
ok abs($body->{expires} - time - 3600) < 10, 'JSON: expires in an hour';
unlike $ok->body, qr/"expires":"/, 'JSON: a number';
is $ok->headers('Set-Cookie'), 2, 'JSON: the cookies';
is $api->get('/hello.txt')->status, 200, 'JSON: signed in';

my $no = $server->client(@json)->login('alice', 'wrong');
is $no->status, 403, 'JSON: a wrong password';
is_deeply JSON::PP::decode_json($no->body), { error => 'invalid_credentials' }, 'JSON: invalid_credentials';
is $no->headers('Set-Cookie'), 0, 'JSON: no cookie';

# In the query.
my $query = 'username=dave&password=sesame&rd=/hello.txt';
my $by_get = $server->client->get("$LOGIN?$query");
is $by_get->status, 200, 'C39 credentials in the query of a GET: the form';
is $by_get->headers('Set-Cookie'), 0, 'C39 and no cookie';
is AuthGate::Page->parse($by_get->body)->field('username'), '', 'C39 nothing is filled in';
my $by_post = $server->client->post("$LOGIN?$query", []);
is $by_post->status, 403, 'C39 credentials in the query of a POST are ignored';
is $by_post->headers('Set-Cookie'), 0, 'C39 no cookie for them';
is $server->client->post("$LOGIN?password=sesame", [ username => 'dave' ])->status, 403,
    'C39 the password alone in the query';
is $server->client->post("$LOGIN?password=wrong", [ username => 'dave', password => 'sesame' ])->status, 303,
    'C39 the query does not disturb the body';

done_testing;
