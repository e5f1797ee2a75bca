# A reload keeps sessions. Without state a restart ends them all, with or without a keys file.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm made  { users %%USERS%%; }
    authgate_realm given { users %%USERS%%; keys %%KEYS%%; }
    server { listen 127.0.0.1:%%PORT_made%%;  root %%DIR%%/html; authgate made; }
    server { listen 127.0.0.1:%%PORT_given%%; root %%DIR%%/html; authgate given; }
EOF_HTTP
my $server = AuthGate::Server->start($http, workers => 2);

my %client = map { $_ => $server->client(headers => [], port => $server->port($_)) } qw(made given);
$_->sign_in('alice') for values %client;
my %before = map { $_ => $client{$_}->cookie('authgate') } keys %client;
my $ended  = $server->client(headers => [], port => $server->port('made'));
$ended->sign_in('bob');
my $ended_token = $ended->cookie('authgate');
$ended->sign_out;

my $bearer = 'Bearer ' . AuthGate::Token::api(user => 'alice', realm => 'given');
is $client{given}->get('/hello.txt', Cookie => undef, Authorization => $bearer)->status, 200,
    'an API token is taken';

sub status ($realm, $token) {
    return $client{$realm}->get('/hello.txt', Cookie => "authgate=$token")->status;
}

like AuthGate::Token::read($before{made})->{id}, qr/\A[A-Za-z0-9_-]{8}\z/,
    'without a keys file a key is made, with a name';
is AuthGate::Token::read($before{given})->{id}, 'first', 'with one the first signs';

for my $time (1 .. 3) {
    ok $server->reload && $server->wait_for_old_workers, "reload $time";
    is status('made',  $before{made}),  200, "A26 reload $time keeps sessions without a keys file";
    is status('given', $before{given}), 200, "A26 reload $time keeps sessions with a keys file";
    is status('made', $ended_token),    401, "A26 and what ended stays ended after reload $time";
}
ok $server->reload("$http\n server { listen 127.0.0.1:%%PORT_more%%; root %%DIR%%/html; authgate made; }"),
    'reload with another server';
is status('made', $before{made}), 200, 'A26 keeps sessions';
my $more = $server->client(headers => [], port => $server->port('more'));
is $more->get('/hello.txt', Cookie => "authgate=$before{made}")->status, 200, 'A26 the new server takes them';

$server->stop;
$server->run;
is status('made',  $before{made}),  401, 'A26 a restart ends sessions without a keys file';
is status('given', $before{given}), 401, 'A26 a restart without state ends sessions with a keys file too';
is status('made', $ended_token),    401, 'A26 what had ended has not come back';
is $client{given}->get('/hello.txt', Cookie => undef, Authorization => $bearer)->status, 200,
    'an API token lives on';
for my $realm (sort keys %client) {
    $client{$realm}->forget_cookies;
    $client{$realm}->sign_in('alice');
    is $client{$realm}->get('/hello.txt')->status, 200, "alice signs in again ($realm)";
}
isnt AuthGate::Token::read($client{made}->cookie('authgate'))->{id}, AuthGate::Token::read($before{made})->{id},
    'another key has been made';

done_testing;
