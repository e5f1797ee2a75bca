# The gate over HTTP/3.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Http3;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

AuthGate::Http3::skip_without_it();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        keys  %%KEYS%%;
        accept cookie bearer basic;
        limit off;
    }
    authgate_realm remote {
        users %%USERS%%;
        keys  %%KEYS%%;
        path  /remote/;
        cookie remote domain=example.com;
        login_url https://login.example.com/remote/login;
    }
    log_format seen '$server_protocol $status $authgate_user $authgate_status $request_uri';
    access_log %%DIR%%/logs/seen.log seen;
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    add_header Alt-Svc 'h3=":%%PORT_h3%%"; ma=60' always;
    server {
        listen 127.0.0.1:%%PORT%% ssl;
        listen 127.0.0.1:%%PORT_h3%% quic;
        server_name localhost app.example.com;
        root %%DIR%%/html;
        authgate ops;
        location /app/ { proxy_pass http://127.0.0.1:%%PORT_app%%; proxy_set_header X-Forwarded-User $authgate_user; }
        location = /asked { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /verify { internal; authgate_verify ops; }
        location /paged/ { error_page 401 /refused.html; }
        location = /refused.html { authgate off; return 200 "a page of the location's own"; }
        location /elsewhere/ { authgate remote; }
    }
EOF_HTTP
$server->make_certificate;
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my ($worker) = $server->workers;
my $port = $server->port('h3');
my $FORM = 'application/x-www-form-urlencoded';
my @navigate = ('sec-fetch-mode' => 'navigate', accept => 'text/html');
my $connection = AuthGate::Http3->connect($port);

# Refusals.
{
    my $moved = $connection->get('/hello.txt?x=1', @navigate);
    is $moved->status, 302, 'a navigation: 302';
    is $moved->header('Location'), '/authgate/login?rd=/hello.txt%3Fx%3D1', 'to the login page';
    is_deeply [$moved->headers('Cache-Control')], ['no-store'], 'not to be stored';
    my $refused = $connection->get('/hello.txt', 'sec-fetch-mode' => 'cors', accept => 'application/json');
    is $refused->status, 401, 'a script: 401';
    is $refused->header('Content-Type'), 'application/json', 'in JSON';
    is_deeply [$connection->get('/hello.txt')->headers('WWW-Authenticate')],
        ['Basic realm="ops", charset="UTF-8"'], 'a program: the challenge';
    unlike $refused->body, qr/hello from/, 'G86 nothing of what is protected';
    my $head = $connection->answer($connection->request(HEAD => '/hello.txt'));
    is $head->status, 401, 'H94 HEAD: 401';
    is $head->body, '', 'H94 HEAD: no body';
    for my $method (qw(PUT DELETE OPTIONS PATCH BREW)) {
        is $connection->answer($connection->request($method => '/hello.txt'))->status, 401, "H94 $method: 401";
    }
    is $connection->answer($connection->request($_ => '/hello.txt'))->status, 405, "H94 $_: 405"
        for qw(TRACE CONNECT);
}

# A POST that is refused is answered whether its body comes or not.
{
    my $before = $app->count;
    is $connection->post('/app/', 'x' x 300_000)->status, 401, 'H98 a long POST: 401';
    my $stream = $connection->request(POST => '/app/', [], undef);
    $connection->data($stream, 'the first part');
    is $connection->status($stream), 401, 'H98 a POST whose body goes on: 401';
    is $connection->get('/hello.txt')->status, 401, 'H98 the connection goes on';
    is $app->count, $before, 'G86 the application is not asked';
}

# The pages.
{
    my $page = $connection->get('/authgate/login?rd=/app/', @navigate);
    is $page->status, 200, 'the login page';
    is $page->header('Content-Type'), 'text/html; charset=utf-8', 'its type';
    like $page->body, qr/name="rd" value="\/app\/"/, 'it leads back';
    my $other = $connection->answer($connection->request(PUT => '/authgate/login', [], 'x'));
    is $other->status, 405, 'another method: 405';
    is $other->header('Allow'), 'GET, HEAD, POST', 'another method: Allow';
    is $connection->get('/authgate/nothing')->status, 404, 'an unknown name: 404';
    is $connection->get('/authgate/session')->status, 401, 'no session';
}

# C37. A login, from where it may come from.
sub login_from (@headers) {
    my $answer = $connection->answer($connection->login('alice', $PASSWORD{alice}, '/authgate/login', @headers));
    return join ' ', $answer->status, scalar $answer->headers('Set-Cookie');
}
is login_from(), '303 2', 'C37 neither Origin nor Sec-Fetch-Site: a login';
is login_from(origin => "https://127.0.0.1:$port"), '303 2', 'C37 our own Origin, where the host is :authority alone';
# Before 1.28.1 nginx itself refuses a Host with a port.
my $ported = AuthGate::nginx_version() < 1_028_001 ? '400 0' : '303 2';
is login_from(origin => "https://127.0.0.1:$port", host => "127.0.0.1:$port"), $ported,
    'C37 our own Origin, where Host says the same';
is login_from(origin => "https://127.0.0.1:$port", host => "127.0.0.1:$port", ':authority' => undef), $ported,
    'C37 our own Origin, where the host is Host alone';
is login_from(origin => 'https://app.example.com', ':authority' => 'APP.example.com'), '303 2',
    'C37 our own Origin, in other case';
is login_from('sec-fetch-site' => 'same-origin', origin => 'null'), '303 2', 'C37 same-origin';
is login_from(@$_), '403 0', "C37 not from here: @$_"
    for [origin => 'null'], [origin => 'https://evil.example'], ['sec-fetch-site' => 'cross-site'],
    ['sec-fetch-site' => 'same-site', origin => "https://127.0.0.1:$port"],
    [origin => "https://127.0.0.1:" . ($port + 1)], [origin => 'https://127.0.0.1'];
is login_from(origin => 'https://evil.example', host => 'evil.example'), '400 0', 'C37 Host contradicts :authority: 400';

# A session.
sub cookies_of ($user) {
    my $answer = $connection->answer($connection->login($user, $PASSWORD{$user}));
    return map { /\A(__Host-authgate=[^;]+)/ } $answer->headers('Set-Cookie');
}
{
    my ($cookie) = cookies_of('alice');
    is $connection->get('/hello.txt', cookie => $cookie)->body, "hello from behind the gate\n", 'signed in';
    my $from_app = $connection->get('/app/x', cookie => 'a=1', cookie => $cookie, cookie => 'b=2');
    is $from_app->status, 200, 'B29 signed in, in crumbs';
    is_deeply [$app->header_values('Cookie')], ['a=1; b=2'], 'B35 the application gets the other crumbs';
    is_deeply [$app->header_values('X-Forwarded-User')], ['alice'], 'and the user';
    is $connection->get('/asked', cookie => $cookie)->status, 200, 'H88 authgate_verify lets in';
    is $connection->get('/asked')->status, 401, 'H88 and keeps out';
    like $connection->get('/authgate/session', cookie => $cookie)->body, qr/"user":"alice"/, 'the session page';
    is $connection->get('/hello.txt', cookie => substr $cookie, 0, -1)->status, 401, 'A2 a cut cookie: 401';
    is $connection->get('/hello.txt', cookie => $cookie =~ s/__Host-//r)->status, 401,
        'B34 the name without its prefix is not read';
    my $second = AuthGate::Http3->connect($port);
    is $second->get('/hello.txt', cookie => $cookie)->status, 200, 'on another connection';
    $second->close;
    my $over_tls = $server->client(tls => 1);
    is $over_tls->get('/hello.txt', Cookie => $cookie)->status, 200, 'over HTTP/1 as well';

    my $out = $connection->answer($connection->request(POST => '/authgate/logout', [cookie => $cookie]));
    is $out->status, 303, 'a logout';
    like join('|', $out->headers('Set-Cookie')), qr/\A__Host-authgate=; .*Max-Age=0/, 'clears the cookie';
    is $connection->get('/hello.txt', cookie => $cookie)->status, 401, 'A23 and ends the session';
    is $over_tls->get('/hello.txt', Cookie => $cookie)->status, 302, 'A23 over HTTP/1 as well';
}

# Wrong passwords, and forms that are none.
{
    my $wrong = $connection->answer($connection->login('alice', 'wrong'));
    my $unknown = $connection->answer($connection->login('nobody', 'wrong'));
    is $_->status, 403, 'C49 a wrong password: 403' for $wrong, $unknown;
    is $wrong->body =~ s/alice/USER/gr, $unknown->body =~ s/nobody/USER/gr, 'C49 the same answer for an unknown user';
    is $connection->post('/authgate/login', '{}', 'content-type' => 'application/json')->status, 415, 'C43 JSON: 415';
    is $connection->post('/authgate/login', 'username=a&username=b', 'content-type' => $FORM)->status, 400,
        'C44 a field twice: 400';
}

# A form in pieces: the end of the stream comes with the last of them, or behind it.
{
    my @headers = ('content-type' => $FORM);
    my $body = AuthGate::Client::form([username => 'alice', password => $PASSWORD{alice}]);
    for my $length ([], ['content-length' => length $body]) {
        my $what = @$length ? 'with a length' : 'without a length';
        for my $end ('with the last byte', 'behind it') {
            my $stream = $connection->request(POST => '/authgate/login', [@headers, @$length], undef);
            my @bytes = split //, $body;
            while (defined(my $byte = shift @bytes)) {
                $connection->data($stream, $byte, $end eq 'with the last byte' && !@bytes);
                $connection->ping if @bytes % 10 == 0;
            }
            $connection->data($stream, '', 1) if $end eq 'behind it';
            is $connection->status($stream), 303, "byte by byte, $what, the end $end";
        }
    }
    # More than is said is too large to nginx before 1.28.
    for my $case ([1, AuthGate::nginx_version() < 1_028_000 ? 413 : 400], [length($body) + 1, 400]) {
        my ($length, $status) = @$case;
        my $answer = $connection->post('/authgate/login', $body, @headers, 'content-length' => $length);
        is $answer->status, $status, "a length of $length that is not so: $status";
        is $answer->headers('Set-Cookie'), 0, "a length of $length that is not so: no cookie";
    }
}

# Basic and API tokens.
{
    is $connection->get('/app/', authorization => (right('alice'))[1])->status, 200, 'Basic';
    is_deeply [$app->header_values('X-Forwarded-User')], ['alice'], 'Basic: the user';
    is_deeply [$app->header_values('Authorization')], [], 'B35 Basic: the password stays here';
    is $connection->get('/app/', authorization => (basic('alice', 'wrong'))[1])->status, 401, 'Basic: a wrong password';
    my $token = AuthGate::Token::api(user => 'alice', paths => ['/app']);
    is $connection->get('/app/x', authorization => "Bearer $token")->status, 200, 'an API token';
    is_deeply [$app->header_values('Authorization')], [], 'B35 an API token stays here';
    is $connection->get('/hello.txt', authorization => "Bearer $token")->status, 403, 'an API token for another path';
    my $expired = AuthGate::Token::api(user => 'alice', expires_at => time - 1);
    is $connection->get('/app/', authorization => "Bearer $expired")->status, 401, 'G81 an expired one';
    is $connection->get('/app/', authorization => "Bearer $token", authorization => (right('bob'))[1])->status, 400,
        'G78 two Authorization lines';
}

# Where the host goes into the answer.
{
    my $moved = $connection->get('/elsewhere/', ':authority' => 'app.example.com', @navigate);
    like $moved->header('Location'),
        qr{\Ahttps://login\.example\.com/remote/login\?rd=https%3A//app\.example\.com/elsewhere/},
        'login_url: the way back has the host of :authority';
    my $unknown = $connection->get('/elsewhere/', ':authority' => 'evil.example', @navigate);
    unlike $unknown->header('Location'), qr/evil/, 'D55 login_url: but none that is no name of the server';
    $moved = $connection->get('/hello.txt', ':authority' => 'evil.example', @navigate);
    is $moved->header('Location'), '/authgate/login?rd=/hello.txt', 'D55 without login_url it is relative';
}

# What else nginx does with an answer.
like $connection->get('/paged/')->body, qr/the location's own/, "error_page: the location's own page";
for my $asked (['/hello.txt', @navigate], ['/hello.txt'], ['/authgate/login']) {
    my ($path, @headers) = @$asked;
    my $client = $server->client(tls => 1, headers => []);
    like $client->get($path, @headers)->header('Alt-Svc') // '', qr/\Ah3=/, "add_header Alt-Svc always: on $path, HTTP/1";
    like $connection->get($path, @headers)->header('Alt-Svc') // '', qr/\Ah3=/, "add_header Alt-Svc always: on $path";
}

# A connection that is closed, or lost, in the middle of a form.
for my $way (qw(close vanish)) {
    my $other = AuthGate::Http3->connect($port);
    my $stream = $other->request(POST => '/authgate/login', ['content-type' => $FORM], undef);
    $other->data($stream, 'username=alice&pass');
    $other->ping;
    $other->$way;
    is $connection->get('/authgate/login')->status, 200, "E57 another connection, with $way in the middle of a form";
}

$connection->close;
like AuthGate::read_file($server->path('logs/seen.log')), qr{^HTTP/3\.0 200 alice ok /hello\.txt$}m,
    'the access log names protocol, user and status';
is_deeply [$server->workers], [$worker], 'the worker lives';

done_testing;
