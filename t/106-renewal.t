# A session in use is renewed when a tenth of idle has passed: on any status, never for subrequests.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops  { users %%USERS%%; keys %%KEYS%%; session idle=10s max=1h; }
    authgate_realm long { users %%USERS%%; keys %%KEYS%%; session idle=1h  max=12h; }
    upstream app { server 127.0.0.1:%%PORT_app%%; }
    upstream broken { server 127.0.0.1:%%PORT_broken%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /500     { proxy_pass http://broken; }
        location = /502     { proxy_pass http://127.0.0.1:1; }
        location = /302     { proxy_pass http://app/redirect; }
        location = /public  { add_header Cache-Control "public, max-age=600"; try_files /hello.txt =404; }
        location = /expires { expires 1d; try_files /hello.txt =404; }
        location = /store   { add_header Cache-Control no-store; try_files /hello.txt =404; }
        location = /private { add_header Cache-Control private; try_files /hello.txt =404; }
        location = /forward { proxy_pass http://app/public; }
        location = /inside  { rewrite ^ /hello.txt last; }
        location = /error   { error_page 404 /hello.txt; try_files /nowhere =404; }
        location = /page    { ssi on; ssi_types *; try_files /page.html =404; }
        location = /open    { authgate off; try_files /hello.txt =404; }
        location = /maybe   { authgate ops optional; try_files /hello.txt =404; }
        location = /open-page { authgate off; ssi on; ssi_types *; try_files /page.html =404; }
        location = /asked   { authgate off; auth_request /ask; try_files /hello.txt =404; }
        location = /ask     { internal; proxy_pass http://app/ask; }
        location /app       { proxy_pass http://app; }
    }
    server { listen 127.0.0.1:%%PORT_long%%; root %%DIR%%/html; authgate long; }
EOF_HTTP
AuthGate::write_file($server->path('html/page.html'), '<!--#include virtual="/hello.txt" -->' x 2);
AuthGate::Upstream->start($server->port('broken'), reply => "HTTP/1.1 500 Oops\r\n\r\noops");
my $app = AuthGate::Upstream->start(
    $server->port('app'),
    reply => sub ($request) {
        return "HTTP/1.1 302 Found\r\nLocation: /app\r\n\r\n" if $request =~ m{^GET /redirect};
        my $control = $request =~ m{^GET /public} ? "Cache-Control: public, max-age=9\r\n" : '';
        return "HTTP/1.1 200 OK\r\n${control}Set-Cookie: app=1\r\n\r\n$AuthGate::Upstream::BODY";
    }
);
$server->run;

my $client = $server->client(headers => []);
my $signed_in = $client->sign_in('alice');
my $first     = $client->cookie('authgate');
my $claims    = AuthGate::Token::read($first);
my $long      = $server->client(headers => [], port => $server->port('long'));
$long->sign_in('alice');

# Always with the cookie of the sign-in, so that each answer has the same to renew.
sub ask ($path, @header) { return $client->get($path, Cookie => "authgate=$first", @header) }

sub ours ($answer) {
    my @ours = grep { /^authgate=/ } $answer->headers('Set-Cookie');
    return @ours == 1 ? $ours[0] : scalar @ours;
}
sub renewed   ($answer) { return ours($answer) =~ /^authgate=v1/ ? 'renewed' : 'not renewed' }
sub controls ($answer) { return join ' | ', $answer->headers('Cache-Control') }

my $fresh = ask('/hello.txt');
SKIP: {
    skip 'a second has passed since sign-in', 2 if AuthGate::Token::now() > $claims->{issued_at};
    is renewed($fresh), 'not renewed', 'before a tenth of idle has passed there is no Set-Cookie';
    is controls($fresh), '', 'and no Cache-Control';
}
AuthGate::Server::wait_until { AuthGate::Token::now() > $claims->{issued_at} } 5, 'a tenth of idle to pass';

my %status = (
    '/hello.txt' => 200, '/nowhere' => 404, '/500' => 500, '/502' => 502, '/302' => 302, '/app' => 200,
    '/inside' => 200, '/error' => 404, '/page' => 200, '/maybe' => 200,
);
for my $path (sort keys %status) {
    my $answer = ask($path);
    is $answer->status, $status{$path}, "$path answers $status{$path}";
    is renewed($answer), 'renewed', "and renews the session ($path)";
    is controls($answer), 'private', "and is private ($path)";
}
my $file   = ask('/hello.txt');
my $cached = ask('/hello.txt', 'If-None-Match' => $file->header('ETag'));
is $cached->status, 304, '/hello.txt answers 304 to who has it';
is renewed($cached), 'renewed', 'and renews the session (304)';
my $part = ask('/hello.txt', Range => 'bytes=0-3');
is $part->status, 206, '/hello.txt answers 206 to a range';
is renewed($part), 'renewed', 'and renews the session (206)';
my $head = $client->request('HEAD', '/hello.txt', undef, Cookie => "authgate=$first");
is renewed($head), 'renewed', 'HEAD renews the session';

my ($token, $attributes) = ours($file) =~ /^authgate=([^;]+); (.*)\z/;
my $new = AuthGate::Token::read($token);
is $attributes, 'Path=/; HttpOnly; SameSite=Lax; Max-Age=10', 'a renewed cookie has the same attributes';
is $new->{session}, $claims->{session}, 'the renewed token is of the same session';
is $new->{ends_at}, $claims->{ends_at}, 'with the same absolute end';
is $new->{user},    'alice',            'and the same user';
is $new->{expires_at}, $new->{issued_at} + 10, 'and lasts for idle again';
is $client->get('/hello.txt', Cookie => "authgate=$token")->status, 200, 'and is taken';
is ask('/hello.txt')->status, 200, 'the old one is still taken: two tabs';

like join(' ', ask('/app')->headers('Set-Cookie')), qr/app=1/, "the application's own Set-Cookie stays beside it";
unlike controls(ask('/public')),  qr/public/, 'H96 a renewal is never on a public answer (add_header)';
like   controls(ask('/public')),  qr/private/, 'H96 it is private';
unlike controls(ask('/forward')), qr/public/, 'H96 a renewal is never on a public answer (application)';
like   controls(ask('/forward')), qr/private/, 'H96 it is private (application)';
is     controls(ask('/store')),   'no-store', 'H96 no-store says enough';
is     controls(ask('/private')), 'private', 'H96 private is said once';
like   controls(ask('/expires')), qr/private/, 'H96 a renewal with expires is private';
is renewed(ask('/public')), 'renewed', 'H96 (and it was a renewal)';

is renewed(ask('/open')), 'not renewed', 'where the gate is off nothing is renewed';
is renewed(ask('/open-page')), 'not renewed', 'a subrequest renews nothing';
like ask('/page')->body, qr/(?:hello from behind the gate\n){2}/, '(it has subrequests)';
is renewed(ask('/asked')), 'not renewed', 'auth_request renews nothing';
is renewed($client->get('/authgate/session', Cookie => "authgate=$first")), 'not renewed',
    'GET session renews nothing';
is renewed($client->get('/hello.txt', Cookie => '')), 'not renewed', 'nor does a refusal';
is renewed($client->get('/maybe', Cookie => 'authgate=v1.first.x.y')), 'not renewed',
    'nor an invalid cookie where it is optional';
is renewed($client->get('/hello.txt', Cookie => '',
    Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', issued_at => AuthGate::Token::now() - 60))),
    'not renewed', 'an API token is not renewed';
is renewed($client->get('/hello.txt', Cookie => "authgate=$first",
    Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', issued_at => AuthGate::Token::now() - 60))),
    'not renewed', 'nor the cookie beside it';
is renewed($long->get('/hello.txt')), 'not renewed', 'a session of an hour is not renewed after a second';

my ($age) = $signed_in->header('Set-Cookie') =~ /Max-Age=(\d+)/;
is $age, 10, 'Max-Age at sign-in is idle';

done_testing;
