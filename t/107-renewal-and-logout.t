# No renewal outlives a logout: not one that was sent before, not one that is under way.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 4);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; session idle=10s max=1h; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Pid $pid always;
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $browser = $server->client(headers => []);
$browser->sign_in('alice');
my $first  = $browser->cookie('authgate');
my $claims = AuthGate::Token::read($first);
AuthGate::Server::wait_until { AuthGate::Token::now() > $claims->{issued_at} } 5, 'a tenth of idle to pass';

my $client = $server->client(headers => []);

sub ask ($token) { return $client->get('/hello.txt', Cookie => "authgate=$token") }

sub by_all_workers ($token) {
    my (%status, %seen);
    AuthGate::Server::wait_until {
        my $answer = ask($token);
        $status{ $answer->status } = $seen{ $answer->header('X-Pid') } = 1;
        keys %seen == 4;
    }
    20, 'all workers to answer';
    return join ' ', sort keys %status;
}

my ($renewed) = (ask($first)->header('Set-Cookie') // '') =~ /^authgate=(v1[^;]+)/;
isnt $renewed, undef, 'A13 a session has been renewed';
is ask($renewed)->status, 200, 'A13 and its new token is taken';

# Two requests are under way, one with each token, while the browser signs out.
$app->hold;
my @under_way;
for my $token ($first, $renewed) {
    my $before = $app->count;
    my $socket = $client->connect;
    print $socket "GET /app HTTP/1.0\r\nCookie: authgate=$token\r\n\r\n";
    push @under_way, $socket;
    $app->wait_for_request($before);
}
my $out = $client->post('/authgate/logout', [], Cookie => "authgate=$first");
is $out->status, 303, 'A13 the browser signs out meanwhile';
$app->release;
for my $token ('the first', 'the renewed') {
    my $answer = AuthGate::Response->read(shift @under_way, 'GET');
    is $answer->status, 200, "A13 what was under way with $token token is answered";
    is $answer->header('Set-Cookie'), undef, "A13 and renews nothing ($token token)";
}

is by_all_workers($first),   401, 'A23 after logout the first token is refused by all workers';
is by_all_workers($renewed), 401, 'A13 and so is the one that renewed it: the session has ended';
my $refused = ask($renewed);
is $refused->header('Set-Cookie'), undef, 'A13 a refusal renews nothing';
like $server->error_log, qr/token refused, reason "revoked", realm "ops"/, 'the log says why';

my $again = $client->post('/authgate/logout', [], Cookie => "authgate=$renewed");
is $again->status, 303, 'A13 signing out twice is no error';
$browser->forget_cookies;
$browser->sign_in('alice');
is $browser->get('/hello.txt')->status, 200, 'A24 alice signs in again';
isnt AuthGate::Token::read($browser->cookie('authgate'))->{session}, $claims->{session},
    'A24 with another session id';

my $second = $browser->cookie('authgate');
$browser->sign_in('alice');
is ask($second)->status, 401, 'A24 signing in again ends the session of before';
is $browser->get('/hello.txt')->status, 200, 'A24 and the new one is taken';
my $bobs = $server->client;
$bobs->{cookies}{authgate} = $browser->cookie('authgate');
$bobs->sign_in('bob');
isnt AuthGate::Token::read($bobs->cookie('authgate'))->{session},
    AuthGate::Token::read($browser->cookie('authgate'))->{session}, "A24 a client's session id is never adopted";

done_testing;
