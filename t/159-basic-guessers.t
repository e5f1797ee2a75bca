# J120, J121, J136, J137: the Basic cache is no way round the limiter. A place is a network and a name for which a
# credential held; everywhere else right and wrong are answered alike.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Pending;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP', workers => 2);
    authgate_realm ops {
        users %%USERS%%;
        accept cookie bearer basic;
        limit retries=3 find=1h ban=1h user_retries=12;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        authgate ops;
        location = /status { authgate off; authgate_status ops; }
    }
EOF_HTTP
my $network = 0;
sub fresh { return $server->client(from => '127.0.4.' . ++$network, headers => []) }
sub status ($client, @credential) { return $client->get('/hello.txt', @credential)->status }
sub guess ($client, $user = 'alice') { return status($client, basic($user, wrong_password())) }
sub lines ($what) { return scalar(() = $server->error_log =~ /authgate: \Q$what\E/g) }
sub checks { return lines('login failed') + lines('login ok') }

# J120: the scraper of alice.
my $scraper = fresh();
is status($scraper, right('alice')), 200, 'the scraper is let in';

# From a network that is banned.
{
    my $guesser = fresh();
    is_deeply [map { guess($guesser) } 1 .. 3], [(401) x 3], 'J120 three guesses';
    my $before = checks();
    is_deeply [map { (guess($guesser), status($guesser, right('alice'))) } 1 .. 20], [(429) x 40],
        'J120 then right and wrong are answered alike, though the right one is in use elsewhere';
    is checks(), $before, 'J120 and unchecked';
    is status($scraper, right('alice')), 200, 'J120 the scraper goes on';
    is lines('login limited, user "alice", reason "network"'), 1, 'J136 one line of a network';
}

# From the scraper's own address: a ban of the network does not stop it, guesses at its very name do.
{
    my $place = fresh();
    is status($place, right('bob')), 200, 'a scraper of bob is let in';
    is_deeply [map { guess($place, 'carol') } 1 .. 3], [(401) x 3], 'J120 somebody fails behind its address';
    is guess($place, 'carol'), 429, 'J120 the network is banned';
    is status($place, right('bob')), 200, 'J120 the scraper goes on';
    is status($place, right('carol')), 429, 'J120 nobody else does';
    my $before = checks();
    is_deeply [map { status($place, basic('bob', 'canary-stale')) } 1 .. 10], [(429) x 10], 'J120 a guess at bob';
    is status($place, right('bob')), 200, 'J120 has counted once';
    is guess($place, 'bob'), 429, 'J120 a second';
    is status($place, right('bob')), 200, 'J120 leaves it one';
    is guess($place, 'bob'), 429, 'J120 a third';
    is status($place, right('bob')), 429, 'J120 and what is right is refused as well';
    is checks(), $before, 'J120 nothing of that was checked';
    is status(fresh(), right('bob')), 200, 'J120 from elsewhere bob is let in';

    my $local = $server->client(headers => []);
    like $local->get('/status')->body, qr/"network":"127\.0\.4\.\d+","seconds":3[56]\d\d,"user":"bob"/,
        'J120 the status shows the place';
    is $local->request('DELETE', '/status?user=bob', undef)->status, 200, 'J120 it is lifted';
    is status($place, right('bob')), 200, 'J120 and the scraper is let in again';
}

# J121: a few wrong credentials over and over.
{
    my $wrong = fresh();
    my @credentials = map { [basic('alice', wrong_password())], [basic("nobody$_", wrong_password())] } 1;
    is_deeply [map { status($wrong, @$_) } @credentials], [401, 401], 'two wrong credentials, one of nobody';
    my $before = checks();
    is_deeply [map { status($wrong, @$_) } (@credentials) x 50], [(401) x 100], 'J121 over and over';
    is checks(), $before, 'J121 none is checked again';
    is status($wrong, right('carol')), 200, 'J121 and none counts again';
}

# J120: three double clicks with one wrong password.
{
    my $browser = fresh();
    my $password = wrong_password();
    my @twice = map { AuthGate::Pending->login($browser, 'carol', $password) } 1 .. 6;
    is_deeply [map { $_->answer->status } @twice], [(403) x 6], 'J120 the same wrong password six times by the form';
    is $browser->login('carol', $PASSWORD{carol})->status, 303, 'J120 is one failure';
}

# J137: a name that is banned by networks all around.
{
    my $from = sub ($prefix) { return 'X-Real-IP' => "2001:db8:0:$prefix\::1" };
    my $client = $server->client(headers => []);
    my $status = sub ($prefix, @credential) { return $client->get('/hello.txt', @credential, $from->($prefix))->status };
    is $status->('ff', right('carol')), 200, 'the scraper of carol, in a /64';
    for my $prefix (1 .. 6) {
        $status->($prefix, basic('carol', wrong_password())) for 1 .. 2;
    }
    is $status->('fe', right('carol')), 429, 'J137 two guesses from each of its neighbours ban the name';
    is $status->('ff', right('carol')), 200, 'J137 the scraper goes on';
}

done_testing;
