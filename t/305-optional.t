# optional: nobody is refused; a valid credential fills the variables, anything else leaves them empty.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    add_header X-Gate "$authgate_user|$authgate_method|$authgate_status" always;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops optional;
        location /app { proxy_pass http://127.0.0.1:%%PORT_app%%; proxy_set_header X-User $authgate_user; }
        location /inner { authgate ops; try_files /hello.txt =404; }
        location /denied { deny all; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $signed_in = $server->client;
$signed_in->sign_in('alice');
my @alice   = (Cookie => 'authgate=' . $signed_in->cookie('authgate'));
my $machine = $server->client(headers => []);
my $browser = $server->client;

my $expired = AuthGate::Token::api(user => 'alice', expires_at => 1);
my %nobody = (
    'no credential' => ['missing'],
    'garbage'       => ['malformed', Cookie => 'authgate=garbage'],
    'unknown key'   => ['unknown_key', Cookie => $alice[1] =~ s/=v1\.first/=v1.none/r],
    'a bad bearer'  => ['malformed', Authorization => 'Bearer agt_garbage'],
    'a bad bearer beside a valid cookie' => ['malformed', Authorization => 'Bearer agt_garbage', @alice],
    'expired bearer' => ['expired', Authorization => "Bearer $expired"],
);
for my $what (sort keys %nobody) {
    my ($status, @headers) = $nobody{$what}->@*;
    for my $client ($machine, $browser) {
        my $answer = $client->get('/hello.txt', @headers);
        is $answer->status, 200, "optional: $what is let in";
        is $answer->header('X-Gate'), "||$status", "optional: as nobody ($what)";
        is $answer->header('WWW-Authenticate'), undef, "optional: without a challenge ($what)";
    }
}
is $machine->get('/hello.txt', @alice)->header('X-Gate'), 'alice|cookie|ok', 'optional: a session is known';
is $machine->get('/hello.txt', Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob'))->header('X-Gate'),
    'bob|bearer|ok', 'optional: an API token is known';
is $machine->post('/app', [a => 1])->status, 200, 'optional: a POST of nobody passes';
like $app->last_request, qr/\r\n\r\na=1\z/, 'optional: with its body';
is join('|', $app->header_values('X-User')), '', 'optional: the application is told nobody';
$machine->get('/app', @alice, 'X-User' => 'mallory');
is join('|', $app->header_values('X-User')), 'alice', 'optional: and who it is where it is known';
is $machine->get('/inner')->status, 401, 'optional: an inner location may require';
is $machine->get('/inner', @alice)->status, 200, 'optional: and is passed with a session';
is $machine->get('/denied')->status, 403, 'optional: deny all holds';
is $machine->get('/authgate/session')->status, 401, 'optional: the session page says nobody';
is $machine->get('/authgate/session', @alice)->status, 200, 'optional: or who';
is $machine->get('/authgate/login')->status, 200, 'optional: the login page is there';
unlike $server->error_log, qr/token refused/, 'optional: nothing is logged as refused';

done_testing;
