# An application cannot set, plant or clear a cookie of the gate.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; session idle=10s max=1h; }
    authgate_realm dev { users %%USERS%%; path /dev/; cookie sid; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location /     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /open { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /dev-only { authgate dev; return 204; }
        location /fastcgi { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; }
        location /accel { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /file { internal; try_files /hello.txt =404; }
        location /caught {
            proxy_pass http://127.0.0.1:%%PORT_app%%;
            proxy_intercept_errors on;
            error_page 404 /file;
        }
    }
    server { listen 127.0.0.1:%%PORT_plain%%; location / { proxy_pass http://127.0.0.1:%%PORT_app%%; } }
EOF_HTTP

# The application sets what the path says, hexadecimal, a cookie each.
sub reply ($request) {
    my ($path)  = $request =~ m{^GET (\S+)}a;
    my @cookies = map { pack 'H*', $_ } ($path // '') =~ m{/x([0-9a-f]*)}g;
    my $accel   = $path && $path =~ m{^/accel} ? "X-Accel-Redirect: /file\r\n" : '';
    my $status  = $path && $path =~ m{^/caught} ? '404 Not Found' : '200 OK';
    return "HTTP/1.1 $status\r\n$accel" . join('', map { "Set-Cookie: $_\r\n" } @cookies)
        . "\r\n$AuthGate::Upstream::BODY";
}
AuthGate::Upstream->start($server->port('app'), reply => \&reply);
AuthGate::Upstream->start($server->port('fastcgi'), protocol => 'fastcgi',
    reply => "HTTP/1.1 200 OK\r\nSet-Cookie: authgate=evil\r\nSet-Cookie: a=1\r\n\r\n$AuthGate::Upstream::BODY");
$server->run;

my $browser = $server->client(headers => []);
$browser->sign_in('alice');
my $alice = $browser->cookie('authgate');
my $client = $server->client(headers => []);

sub set_through ($prefix, @cookies) {
    my $path = $prefix . join '', map { '/x' . unpack 'H*', $_ } @cookies;
    return $client->get($path, Cookie => "authgate=$alice");
}

# Without a renewed cookie of the gate's own.
sub set ($prefix, @cookies) {
    my $answer = set_through($prefix, @cookies);
    return $answer->status if $answer->body !~ /from the application|behind the gate/;
    return join '|', grep { !/^authgate=v1\./ } $answer->headers('Set-Cookie');
}

is set('', 'a=1'), 'a=1', "B36 an application's own cookie passes";
is set('', 'authgate=evil'), '', 'B36 one of our name is dropped';
is set('', 'authgate=evil; Path=/; HttpOnly', 'a=1; Path=/x'), 'a=1; Path=/x', 'B36 and others stay beside it';
is set('', 'a=1', 'authgate=evil', 'b=2', 'authgate=x', 'c=3'), 'a=1|b=2|c=3', 'B36 several of several';

my %dropped = (
    'the TLS name'       => '__Host-authgate=evil; Secure; Path=/',
    'the device cookie'  => 'authgate-device=evil',
    'the device on TLS'  => '__Host-authgate-device=evil; Secure; Path=/',
    "another realm's"    => 'sid=evil',
    'an empty value'     => 'authgate=; Max-Age=0',
    'blanks before'      => '  authgate=evil',
    'blanks behind'      => "authgate \t=evil",
    'a pair without name' => '=authgate=evil',
    'with a path'        => 'authgate=evil; Path=/app',
    'with a domain'      => 'authgate=evil; Domain=127.0.0.1',
    'like a token'       => 'authgate=v1.first.AAAA.BBBB',
);
is set('', $dropped{$_}), '', "B36 dropped: $_" for sort keys %dropped;
my %passing = (
    'a longer name'  => 'authgate2=1',
    'a longer name before' => 'xauthgate=1',
    'other case'     => 'AuthGate=1',
    'our name as value' => 'x=authgate',
    'our pair as value' => 'x=authgate=1; Path=/',
    'our name as attribute' => 'x=1; authgate=2',
    '__Secure-'      => '__Secure-authgate=1; Secure',
);
is set('', $passing{$_}), $passing{$_}, "B36 passes: $_" for sort keys %passing;

is set('/open', 'authgate=evil', 'a=1'), 'a=1', 'B36 in a location where the gate is off';
is set('/open', 'authgate=; Max-Age=0'), '', 'B36 nor can it clear ours there';
is set('/accel', 'authgate=evil', 'a=1'), 'a=1', 'B36 through X-Accel-Redirect';
is set('/caught', 'authgate=evil'), '', 'B36 where error_page answers';
my $fastcgi = $client->get('/fastcgi', Cookie => "authgate=$alice");
is join('|', grep { !/^authgate=v1\./ } $fastcgi->headers('Set-Cookie')), 'a=1', 'B36 through fastcgi_pass';

my $plain = $server->client(headers => [], port => $server->port('plain'));
is join('|', $plain->get('/x' . unpack 'H*', 'authgate=free')->headers('Set-Cookie')), 'authgate=free',
    'B36 a server without a realm changes nothing';

like $server->error_log, qr/\[warn\] .*authgate: upstream sets a cookie of the gate's name, dropped.*, client: 127/,
    'B36 it is logged';
unlike $server->error_log, qr/evil/, 'B36 the value is not';

my $claims = AuthGate::Token::read($alice);
AuthGate::Server::wait_until { AuthGate::Token::now() > $claims->{issued_at} } 5, 'a tenth of idle to pass';
my @set = set_through('', 'authgate=evil', 'a=1')->headers('Set-Cookie');
is scalar(grep { /^authgate=v1\./ } @set), 1, "B36 the gate's own renewal stays";
is scalar(grep { /evil/ } @set), 0, "B36 while the application's is dropped";
is scalar(grep { /^a=1/ } @set), 1, 'B36 and its other one passes';

done_testing;
