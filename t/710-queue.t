# E60, E62: so many checks run, so many wait, and networks are served in turn.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks running=1 waiting=4;
    }
    authgate_realm crowd {
        limit  off;
        users %%USERS%%;
        path /crowd/;
        cookie crowd;
        checks running=1 waiting=64;
    }
    authgate_realm none {
        limit  off;
        users %%USERS%%;
        path /none/;
        cookie none;
        checks running=1 waiting=0;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location /      { authgate ops; }
        location /both  { authgate crowd; }
        location /third { authgate none; }
        location = /open { try_files /hello.txt =404; }
    }
EOF_HTTP

# A check of slow's password takes a quarter of a second or more, one of alice's a millisecond.
AuthGate::write_file(
    $server->path('users'),
    join '',
    'slow:' . bcrypt('canary-slow', 12) . "\n",
    'mid:' . bcrypt('canary-mid', 9) . "\n",
    'alice:' . bcrypt($PASSWORD{alice}, 4) . "\n"
);
$server->run;

my $client = $server->client;
my $other = $server->client(from => '127.0.0.2');

# A round trip on another connection: the worker has taken what came before.
sub taken () { is $server->client->get('/open')->status, 200, 'other requests are answered' }

sub slow_and_waiting ($waiting, $path = '/authgate/login') {
    my @pending = (AuthGate::Pending->login($client, 'slow', 'canary-slow', path => $path));
    taken();
    push @pending,
        map { AuthGate::Pending->login($client, 'alice', $PASSWORD{alice}, path => $path) } 1 .. $waiting;
    taken();
    return @pending;
}

# E60
{
    my @pending = slow_and_waiting(4);
    my $busy = AuthGate::Pending->login($client, 'alice', $PASSWORD{alice})->answer;
    ok !$pending[0]->is_answered, 'E60 a full queue answers at once, while the first check runs';
    is $busy->status, 503, 'E60 a full queue answers 503';
    like $busy->header('Retry-After') // '', qr/\A[1-9]\d*\z/, 'E60 503 with Retry-After';
    like $busy->header('Cache-Control') // '', qr/no-store/, 'E60 503 is not cached';
    like $busy->header('Content-Type') // '', qr{\Atext/html\b}, 'E60 503 is the page';
    like $busy->body, qr/<form\b/, 'E60 503 shows the form again';
    is $busy->header('Set-Cookie'), undef, 'E60 503 sets no cookie';
    is_deeply [map { $_->answer->status } @pending], [(303) x 5], 'E60 those who wait are answered';
    like $server->error_log,
        qr/\[warn\].*authgate: login busy, user "alice", realm "ops", client: 127\.0\.0\.1/,
        'E60 the log says busy';
    is $client->login('alice', $PASSWORD{alice})->status, 303, 'E60 then there is room again';
}
{
    my @pending = slow_and_waiting(4);
    my $busy = AuthGate::Pending->login($client, 'alice', $PASSWORD{alice},
        headers => { Accept => 'application/json' })->answer;
    ok !$pending[0]->is_answered, 'E60 JSON: at once';
    is $busy->status, 503, 'E60 JSON: 503';
    like $busy->body, qr/\A\{"error":"busy"\}\s*\z/, 'E60 JSON: busy';
    like $busy->header('Content-Type'), qr{\Aapplication/json\b}, 'E60 JSON: its type';
    like $busy->header('Retry-After') // '', qr/\A[1-9]\d*\z/, 'E60 JSON: Retry-After';
    is_deeply [map { $_->answer->status } @pending], [(303) x 5], 'E60 JSON: those who wait are answered';
}
{
    my @pending = slow_and_waiting(0, '/none/login');
    my $busy = AuthGate::Pending->login($client, 'alice', $PASSWORD{alice}, path => '/none/login')->answer;
    ok !$pending[0]->is_answered, 'E60 waiting=0: at once';
    is $busy->status, 503, 'E60 waiting=0: nobody waits';
    is $pending[0]->answer->status, 303, 'E60 waiting=0: the one that runs is answered';
}

# The limiter does not count what was not checked: more than its 5 retries.
{
    my @pending = slow_and_waiting(4);
    my @busy = map { AuthGate::Pending->login($client, 'alice', wrong_password()) } 1 .. 12;
    is_deeply [map { $_->answer->status } @busy], [(503) x 12], 'E60 12 wrong passwords find a full queue';
    is_deeply [map { $_->answer->status } @pending], [(303) x 5], 'E60 those who wait are answered';
    is $client->login('alice', $PASSWORD{alice})->status, 303,
        'E60 what was not checked does not count as failed';
}

# E62: how many of the flood are served before the other.
{
    my @flood =
        map { AuthGate::Pending->login($client, 'mid', 'canary-mid', path => '/crowd/login') } 1 .. 40;
    taken();
    my $one = AuthGate::Pending->login($other, 'alice', $PASSWORD{alice}, path => '/crowd/login');
    my $before = grep { $_->is_answered } @flood;
    is $one->answer->status, 303, 'E62 another network signs in during a flood';
    my $after = grep { $_->is_answered } @flood;
    cmp_ok $after - $before, '<=', 4, 'E62 it waits for a few checks of the flood at most';
    cmp_ok $after, '<', 40, 'E62 the flood was still under way';
    is_deeply [map { $_->answer->status } @flood], [(303) x 40], 'E62 the flood is answered too';
}

# A full queue makes room: the newest of the flood goes, not the other.
{
    my @pending = slow_and_waiting(4);
    my $one = AuthGate::Pending->login($other, 'alice', $PASSWORD{alice});
    taken();
    is $pending[4]->answer->status, 503, 'E62 in a full queue the newest of the flood makes room';
    ok !$pending[0]->is_answered, 'E62 at once';
    is $one->answer->status, 303, 'E62 another network gets into a full queue';
    is_deeply [map { $_->answer->status } @pending[0 .. 3]], [(303) x 4],
        'E62 the others keep their places';
}

# Twin: the flood's own next does not get in.
{
    my @pending = slow_and_waiting(4);
    is $client->login('alice', $PASSWORD{alice})->status, 503, 'E62 the same network does not get into it';
    is_deeply [map { $_->answer->status } @pending], [(303) x 5], 'E62 its first ones are answered';
}

done_testing;
