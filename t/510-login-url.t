# One login for many hosts: a refused navigation goes to the login server and, signed in, back to where it came from.

use v5.36;

use AuthGate;
use AuthGate::Nghttp;
use AuthGate::Page;
use AuthGate::ReturnPath qw(coded);
use AuthGate::Server;
use AuthGate::Token;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        keys  %%KEYS%%;
        limit off;
        cookie       authgate domain=example.test;
        login_url    http://login.example.test:%%PORT%%/authgate/login;
        return_hosts app.example.test .tools.example.test;
    }
    authgate_realm secure {
        users %%USERS%%;
        keys  %%KEYS%%;
        limit off;
        path  /secure/;
        cookie       secure domain=example.test secure=on;
        login_url    https://login.example.test/secure/login;
        return_hosts .example.test;
    }
    root %%DIR%%/html;
    server { listen 127.0.0.1:%%PORT%% default_server; server_name _; authgate ops; }
    server { listen 127.0.0.1:%%PORT%%; server_name login.example.test; authgate ops; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        server_name app.example.test APP2.Example.Test *.wild.example.test www.*;
        authgate ops;
        location /secure-part/ { authgate secure; }
    }
    server { listen 127.0.0.1:%%PORT_h2%% http2; server_name 127.0.0.1; authgate ops; }
    server { listen 127.0.0.1:%%PORT%%; server_name ~^r\d+\.example\.test$; authgate ops; }
EOF_HTTP
$server->make_certificate;
$server->run;

my ($port, $tls_port) = ($server->port, $server->port('tls'));
my $LOGIN = "http://login.example.test:$port/authgate/login";
my $APP   = "app.example.test:$port";

sub login_for ($url, $more = '') { return "$LOGIN?rd=" . coded($url, '/') . $more }
sub location ($client, $host, $target) { return $client->get($target, Host => $host)->header('Location') }

# A login URL's path and query, to be asked for at the login server.
sub at_login ($location) {
    my ($target) = $location =~ m{^\Qhttp://login.example.test:$port\E(/.*)} or die "leads elsewhere: $location";
    return ($target, Host => "login.example.test:$port");
}

# ---- Where a refused navigation goes -----------------------------------------------------------------

my $browser = $server->client;
my $refused = $browser->get('/graph?g0.expr=up&x=%2F', Host => $APP);
is $refused->status, 302, 'a navigation from nobody: 302';
is $refused->header('Location'), login_for("http://$APP/graph?g0.expr=up&x=%2F"),
    'to the login server, with the whole address';
is $refused->header('Cache-Control'), 'no-store', 'and no cache keeps it';

for my $host ("app2.example.test:$port", "APP.Example.TEST:$port", 'app.example.test', "a.wild.example.test:$port",
    'www.anything.test', "x.tools.example.test:$port", "tools.example.test:$port", "login.example.test:$port")
{
    is location($browser, $host, '/x'), login_for("http://$host/x"), "$host is a server's name or listed";
}

# D55: a host that is neither a name of the server nor listed is nobody's.
for my $host (
    'evil.com',             "127.0.0.1:$port",     "wild.example.test:$port", 'app.example.test.evil.com',
    "r1.example.test:$port", 'evilapp.example.test', 'x.app.example.test',      '_',
    "[::1]:$port",          'app.example.test.',
) {
    is location($browser, $host, '/x'), $LOGIN, "D55 Host: $host";
}
my @FORWARDED = ('X-Forwarded-Host' => 'app2.example.test', 'X-Forwarded-Proto' => 'https');
is $browser->get('/x', Host => 'evil.com', @FORWARDED)->header('Location'), $LOGIN, 'D55 X-Forwarded-Host says nothing';
is $browser->get('/x', Host => $APP, @FORWARDED)->header('Location'), login_for("http://$APP/x"),
    'D55 nor against Host';
is $browser->raw("GET /x HTTP/1.0\r\nAccept: text/html\r\n\r\n")->header('Location'), $LOGIN,
    'H93 HTTP/1.0 without Host';
is location($browser, $APP, '/' . 'a' x 2048), $LOGIN, 'D54 an address over 2 KiB is left out';

my $tls = $server->client(port => $tls_port, tls => 1);
is location($tls, "app.example.test:$tls_port", '/x'), login_for("https://app.example.test:$tls_port/x"),
    'on TLS the scheme is https';
is location($browser, 'app.example.test', '/secure-part/'),
    'https://login.example.test/secure/login?rd=' . coded('https://app.example.test/secure-part/', '/'),
    'and so it is with secure=on, whatever the connection is';

my $h2 = $server->port('h2');
is AuthGate::Nghttp::request($h2, 'GET', '/x', undef, {}, Accept => 'text/html')->header('Location'),
    login_for("http://127.0.0.1:$h2/x"), 'over HTTP/2 the host is the pseudo-header :authority';

# ---- Other refusals ----------------------------------------------------------------------------------

my $json = $browser->get('/api', Host => $APP, Accept => 'application/json', 'Sec-Fetch-Mode' => 'cors');
is $json->status, 401, 'a fetch from nobody: 401';
is_deeply JSON::PP::decode_json($json->body), { error => 'unauthenticated', login => login_for("http://$APP/api") },
    'its JSON names the same address';
my $html = $browser->get('/api', Host => $APP, 'Sec-Fetch-Mode' => 'cors');
is $html->status, 401, 'the same for HTML';
is(AuthGate::Page->parse($html->body)->link, login_for("http://$APP/api"), 'its link leads there');
my $session = $browser->get('/authgate/session', Host => $APP, Accept => 'application/json');
is_deeply JSON::PP::decode_json($session->body), { error => 'unauthenticated', login => $LOGIN },
    'GET session names the login page';

# ---- Signing in there, and back ----------------------------------------------------------------------

my $there = location($browser, $APP, '/hello.txt?a=1');
my ($target, @at_login) = at_login($there);
my $form = $browser->get($target, @at_login);
is $form->status, 200, 'the login server shows its form';
my $page = AuthGate::Page->parse($form->body);
is $page->field('rd'), "http://$APP/hello.txt?a=1", 'that carries where to go back to';
like $form->header('Content-Security-Policy'), qr{; form-action 'self' http://\Q$APP\E; }, 'and may lead there';
my $plain = $browser->get('/authgate/login?rd=/x', @at_login)->header('Content-Security-Policy');
like $plain, qr{; form-action 'self'; }, 'for a path of its own the policy is as ever';
is $form->header('Content-Security-Policy') =~ s{ http://\Q$APP\E}{}r, $plain, 'and differs in nothing else';

my $wrong = $browser->login('alice', 'wrong', rd => "http://$APP/hello.txt?a=1", headers => [@at_login]);
is $wrong->status, 403, 'a wrong password';
is $wrong->header('Content-Security-Policy'), $form->header('Content-Security-Policy'),
    'the form again, with the same policy';
is(AuthGate::Page->parse($wrong->body)->field('rd'), "http://$APP/hello.txt?a=1", 'and the same address');

my $in = $browser->sign_in('alice', rd => "http://$APP/hello.txt?a=1", headers => [@at_login]);
is $in->header('Location'), "http://$APP/hello.txt?a=1", 'signed in, back to the application';
is scalar(grep { /; Domain=example\.test;/ } $in->headers('Set-Cookie')), 2, 'with cookies for all of the domain';
is $browser->get('/hello.txt?a=1', Host => $APP)->body, "hello from behind the gate\n", 'where the session counts';
is $browser->get('/hello.txt', Host => "x.wild.example.test:$port")->status, 200, 'and on the other hosts';

my $again = $browser->get($target, @at_login);
is $again->status, 303, 'signed in already: 303';
is $again->header('Location'), "http://$APP/hello.txt?a=1", 'straight back';
is $browser->get('/authgate/login?rd=' . coded('http://evil.com/'), @at_login)->header('Location'), '/',
    'D50 but nowhere else';

# ---- after -------------------------------------------------------------------------------------------

# A session that the application refuses and the login server does not: nothing bounces between them.
my $token  = $browser->cookie('authgate');
my $issued = AuthGate::Token::read($token)->{issued_at};
for my $after (0, $issued - 1) {
    is $browser->get("$target&after=$after", @at_login)->status, 303, "after=$after, an older one: 303";
}
for my $after ($issued, $issued + 1, '18446744073709551615', '18446744073709551616', '-1', 'x', '', '0&after=0') {
    is $browser->get("$target&after=$after", @at_login)->status, 200, "after=$after: the form";
}

my $other = $server->client(cookies => { authgate => $token });
$other->post('/authgate/logout', [], Host => $APP);
my $stale = $server->client(cookies => { authgate => $token });
is location($stale, $APP, '/x'), login_for("http://$APP/x", "&after=$issued"), 'a refused token: when it was issued';
is location($stale, 'evil.com', '/x'), "$LOGIN?after=$issued", 'also without rd';
my $told = $stale->get('/x', Host => $APP, Accept => 'application/json', 'Sec-Fetch-Mode' => 'cors');
is JSON::PP::decode_json($told->body)->{login}, login_for("http://$APP/x", "&after=$issued"), 'and in JSON';

my $unread = $server->client(cookies => { authgate => 'nonsense' });
my $before = AuthGate::Token::now();
my ($now) = location($unread, $APP, '/x') =~ /&after=(\d+)$/;
cmp_ok $now, '>=', $before, 'a token that cannot be read: now';
cmp_ok $now, '<=', AuthGate::Token::now(), 'and not later';

# Two tokens: the newest of them.
my $old    = AuthGate::Token::sign(user => 'alice', purpose => 'device', issued_at => 1_000);
my $cookie = "authgate=$old; authgate=$token; authgate=x";
my $both   = $server->client(headers => [ Accept => 'text/html', Cookie => $cookie ]);
is location($both, $APP, '/x'), login_for("http://$APP/x", "&after=$issued"), 'of several tokens the newest';
my $one = $server->client(headers => [ Accept => 'text/html', Cookie => "authgate=$old" ]);
is location($one, $APP, '/x'), login_for("http://$APP/x", '&after=1000'),
    'unverified: it only says when the form is shown';

# ---- Signing out -------------------------------------------------------------------------------------

my $leaver = $server->client;
$leaver->sign_in('bob', headers => [@at_login]);
my $logout = $leaver->get('/authgate/logout', Host => $APP);
is $logout->status, 200, 'GET logout at the application';
like $logout->header('Content-Security-Policy'), qr{; form-action 'self' http://login\.example\.test:$port; },
    'its form may lead to the login server';
my $out = $leaver->post('/authgate/logout', [], Host => $APP);
is $out->status, 303, 'POST logout at the application';
is $out->header('Location'), $LOGIN, 'leads to the login server';
is $leaver->cookie('authgate'), undef, 'without the cookie';
is $leaver->get('/authgate/logout', Host => $APP)->header('Location'), $LOGIN, 'GET logout from nobody too';
is $leaver->get('/authgate/login?rd=/x', Host => $APP)->status, 200, 'the application has a form of its own';
is $leaver->sign_in('bob', rd => '/x', headers => [ Host => $APP ])->header('Location'), '/x', 'that signs in';

done_testing;
