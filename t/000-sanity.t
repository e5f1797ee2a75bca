# The module loads; with a realm nginx asks for a login, and without one it is as it was.

use v5.36;

use AuthGate;
use AuthGate::Mistakes;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location / { authgate ops; }
        location = /open { return 200 "open\n"; }
    }
EOF_HTTP
my $client = $server->client;

my $open = $client->get('/open');
is $open->status, 200, 'a location without the gate';
is $open->body, "open\n", 'and what is there';

my $page = $client->get('/hello.txt?x=1', Accept => 'text/html');
is $page->status, 302, 'a page behind the gate leads to the login page';
is $page->header('Location'), '/authgate/login?rd=/hello.txt%3Fx%3D1', 'with the way back';
is $page->header('Cache-Control'), 'no-store', 'and is kept by nobody';

my $other = $server->client(headers => [])->get('/hello.txt');
is $other->status, 401, 'anything else behind the gate is 401';
is $other->header('WWW-Authenticate'), 'Bearer realm="ops"', 'and says how to ask';
is $other->header('Cache-Control'), 'no-store', 'and is kept by nobody';
unlike $_->body, qr/hello from behind/, 'nothing gets out' for $page, $other;

is_mistake('a directive that there is not', "authgate_realm ops {\nno_such_directive on; # MARK\n}",
    'unknown directive "no_such_directive"');

done_testing;
