# F75: form and Basic share one budget; the same failing credential counts once; bearer failures do not.

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
        limit retries=3 find=1h ban=1h user_retries=20;
    }
    add_header X-Status $authgate_status always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location = /optional { authgate ops optional; try_files /hello.txt =404; }
        location = /verify { authgate_verify ops; }
    }
EOF_HTTP
my $network = 0;
sub fresh (%more) { return $server->client(from => '127.0.3.' . ++$network, headers => [], %more) }
sub is_limited ($name, $answer) {
    is $answer->status, 429, "F75 $name: 429";
    like $answer->header('Retry-After'), qr/\A(?:3600|35\d\d)\z/, "F75 $name: Retry-After";
    is $answer->header('WWW-Authenticate'), undef, "F75 $name: no challenge";
    is $answer->header('Cache-Control'), 'no-store', "F75 $name: not cached";
    unlike $answer->raw, qr/hello from behind/, "G86 $name: nothing gets out";
}

# Basic alone.
{
    my $client = fresh();
    is $client->get('/hello.txt', basic('alice', "canary-wrong-$_"))->status, 401, "wrong $_" for 1 .. 3;
    is_limited('the fourth', $client->get('/hello.txt', basic('alice', 'canary-wrong-4')));
    is_limited('the right one', $client->get('/hello.txt', right('alice')));
    is_limited('one that failed before', $client->get('/hello.txt', basic('alice', 'canary-wrong-1')));
    is $client->get('/hello.txt', right('alice'))->header('X-Status'), 'limited', 'F75 the variable says so';
    is $client->login('alice', $PASSWORD{alice})->status, 429, 'F75 the form as well';
    is $client->get('/hello.txt')->status, 401, 'F75 without a credential: 401';
    is $client->get('/optional', right('alice'))->status, 200, 'F75 optional: let pass';
    is $client->get('/optional', right('alice'))->header('X-Status'), 'limited', 'F75 optional: as limited';
    is_limited('verify', $client->get('/verify', right('alice')));
    my %body = (
        'application/json' => qr/\A\{"error":"limited"\}\n\z/,
        'text/html' => qr/\A<!DOCTYPE html>.*Too many failed attempts/si,
        '*/*' => qr/\AToo many failed attempts\. Please try again in \d+ minutes\.\n\z/,
    );
    for my $accept (sort keys %body) {
        my $answer = $client->get('/hello.txt', right('alice'), Accept => $accept);
        is_limited($accept, $answer);
        like $answer->body, $body{$accept}, "F75 $accept: the body";
    }
    is_limited('a navigation', $client->get('/hello.txt', right('alice'), 'Sec-Fetch-Mode' => 'navigate'));
    is_limited('a post', $client->post('/hello.txt', [a => 'b' x 5000], right('alice')));
    is fresh()->get('/hello.txt', right('alice'))->status, 200, 'F75 another network is let in';
    is_limited('J120 what held elsewhere', $client->get('/hello.txt', right('alice')));
}

# One budget.
{
    my $client = fresh();
    is $client->login('bob', 'canary-wrong')->status, 403, 'a failure of the form';
    is $client->get('/hello.txt', basic('bob', 'canary-wrong-1'))->status, 401, 'one of Basic';
    is $client->login('bob', 'canary-wrong')->status, 403, 'J120 the first again: it has counted';
    is $client->get('/hello.txt', basic('bob', 'canary-wrong'))->status, 401, 'J120 by Basic, too';
    is $client->login('bob', 'canary-wrong-2')->status, 403, 'another of the form';
    is_limited('one budget', $client->get('/hello.txt', right('bob')));
}

# A scraper that does not know better.
{
    my $client = fresh();
    my @stale = basic('carol', 'canary-stale');
    is_deeply [map { $client->get('/hello.txt', @stale)->status } 1 .. 30], [(401) x 30],
        'F75 the same credential fails thirty times';
    is $client->login('carol', $PASSWORD{carol})->status, 303, 'F75 and nobody is banned';
    my @pending = map { pending($client, '/hello.txt', @stale) } 1 .. 30;
    is_deeply [map { $_->answer->status } @pending], [(401) x 30], 'F75 thirty times at once';
    is $client->login('carol', $PASSWORD{carol})->status, 303, 'F75 and nobody is banned';
    is $client->get('/hello.txt', basic('carol', 'canary-wrong'))->status, 401, 'another counts';
    is $client->get('/hello.txt', @stale)->status, 401, 'the former does not';
    is $client->get('/hello.txt', basic('carol', 'canary-other'))->status, 401, 'a third counts';
    is_limited('three of them', $client->get('/hello.txt', @stale));
}

# Malformed ones and bearers.
{
    my $client = fresh();
    for my $value ('Basic %%%', 'Basic YWxpY2U=', 'Bearer agt_x', 'Bearer agt_' . 'x' x 300) {
        is $client->get('/hello.txt', Authorization => $value)->status, 401, $value for 1 .. 5;
    }
    is $client->get('/hello.txt', basic('alice', 'x' x 1025))->status, 401, 'over 1024 bytes' for 1 .. 5;
    is $client->login('carol', 'canary-wrong')->status, 403, 'F75 none of them counts';
}

# Many wrong ones at once: no more checks than may fail.
{
    my $client = fresh();
    my $failed = () = $server->error_log =~ /login failed/g;
    my @pending = map { pending($client, '/hello.txt', basic("user$_", 'canary-wrong')) } 1 .. 60;
    my %answers;
    $answers{ $_->answer->status }++ for @pending;
    is_deeply \%answers, { 401 => 3, 429 => 57 }, 'F69 sixty at once: three are checked';
    my $checked = () = $server->error_log =~ /login failed/g;
    is $checked - $failed, 3, 'F69 and three lines say so';
}

# A right one among wrong ones waits for them and is not sent away for their sake.
{
    my $client = fresh();
    my @pending = map { pending($client, '/hello.txt', basic('bob', "canary-wrong-$_")) } 1 .. 2;
    push @pending, map { pending($client, '/hello.txt', right('bob')) } 1 .. 10;
    is_deeply [map { $_->answer->status } @pending], [(401) x 2, (200) x 10], 'F69 right among wrong';
}

# A name from many networks.
{
    for (1 .. 20) { fresh()->get('/hello.txt', basic('dave', "canary-wrong-$_")) }
    is_limited('the name', fresh()->get('/hello.txt', basic('dave', 'canary-wrong')));
    is fresh()->get('/hello.txt', right('bob'))->status, 200, 'F72 no other name';
    like $server->error_log, qr/authgate: login limited, user "dave", reason "user", realm "ops"/, 'F72 said';
}

done_testing;
