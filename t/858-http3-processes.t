# Over HTTP/3: a reload during checks (E58), and clients that are slow with the form (C48).

use v5.36;

use AuthGate;
use AuthGate::Http3;
use AuthGate::Metrics;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

AuthGate::Http3::skip_without_it();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; checks running=1 waiting=60; }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    client_body_timeout 1s;
    # Packets of a client may go to the new worker. The old one waits this long for what it hears no more: that its
    # last answers have come, or may go out.
    keepalive_timeout   5s;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h3%% quic;
        root %%DIR%%/html;
        authgate ops;
        location = /status  { authgate off; stub_status; access_log off; }
        location = /metrics { authgate off; authgate_metrics; }
    }
EOF_HTTP
$server->make_certificate;

# A check takes some 50 ms, one of slow two seconds or so.
my %hash = (alice => bcrypt($PASSWORD{alice}, 9), slow => bcrypt('canary-slow', 14));
AuthGate::write_file($server->path('users'), join '', map { "$_:$hash{$_}\n" } sort keys %hash);
$server->run;
my $client = $server->client;

sub connect () { return AuthGate::Http3->connect($server->port('h3')) }

{
    my $connection = &connect;
    my $began = Time::HiRes::time();
    my @slow = map {
        my $stream = $connection->request(POST => '/authgate/login',
            ['content-type' => 'application/x-www-form-urlencoded'], undef);
        $connection->data($stream, 'username=alice&pass');
        $stream;
    } 1 .. 20;
    is_deeply [map { $connection->status($_) } @slow], [(0) x 20], 'C48 forms that do not go on: the streams are reset';
    cmp_ok Time::HiRes::time() - $began, '>', 0.9, 'C48 at client_body_timeout';
    ok eval { AuthGate::Server::wait_until { connections($client)->{writing} == 0 } 10, 'requests to end' },
        'C48 no request is left';
    is $connection->status($connection->login('alice', $PASSWORD{alice})), 303, 'C48 the connection goes on';
    $connection->close;
}

sub waiting () {
    return AuthGate::Metrics->read($client)->value('authgate_password_checks_waiting{realm="ops"}');
}

# Who wants no answer any more holds no place among those who wait.
my %leave = (
    'STOP_SENDING' => sub ($connection, @streams) { $connection->reset($_, 'reading') for @streams },
    'the connection closed' => sub ($connection, @streams) { $connection->close },
);
for my $what (sort keys %leave) {
    my ($slow, $gone) = map { &connect } 1 .. 2;
    my $running = $slow->login('slow', 'canary-slow');
    $slow->ping;
    my @waiting = map { $gone->login('alice', $PASSWORD{alice}) } 1 .. 4;
    AuthGate::Server::wait_until { waiting() == 4 } 10, 'checks to wait';
    $leave{$what}->($gone, @waiting);
    AuthGate::Server::wait_until { waiting() == 0 } 20, 'places to be free';
    ok !$slow->is_answered($running), "E57 $what: the places are free while the check of another runs";
    is $slow->status($running), 303, "E57 $what: the check that ran goes on";
    $slow->close;
}

{
    my ($old) = $server->workers;
    my $connection = &connect;
    my $seen = length $server->error_log;
    my @logins = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 8;
    $connection->ping;
    ok $server->reload, 'E58 a reload during checks';
    my @wrong = grep { !/\A(?:0|303)\z/ } map { $connection->status($_) } @logins;
    is "@wrong", '', 'E58 who is answered is signed in';
    ok eval { AuthGate::Server::wait_until { !is_alive($old) } 20, 'the old worker to go' },
        'E58 then the old worker goes';
    my @ok = substr($server->error_log, $seen) =~ /authgate: (login ok)/g;
    is scalar @ok, 8, 'E58 having answered them all';
    $connection->close;
    $connection = &connect;
    is $connection->status($connection->login('alice', $PASSWORD{alice})), 303, 'E58 a new connection';
    $connection->close;
}

done_testing;
