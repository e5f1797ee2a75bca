# Failed logins are counted, over all workers; a network that fails too often has to wait.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Users;
use JSON::PP ();
use Test::More;
use Time::HiRes ();

my $BAN = 8;

my $server = AuthGate::Server->prepare(<<"EOF_HTTP", workers => 4);
    log_format gate '\$http_x_mark \$authgate_status \$status';
    access_log %%DIR%%/logs/gate.log gate;
    authgate_realm ops   { users %%USERS%%; limit retries=3 find=1m ban=${BAN}s; }
    authgate_realm many  { users %%USERS%%; path /many/;  cookie many;  limit retries=12; }
    authgate_realm brief { users %%USERS%%; path /brief/; cookie brief; limit retries=3 find=1s; }
    authgate_realm open  { users %%USERS%%; path /open/;  cookie open;  limit off; }
    authgate_realm full  { users %%USERS%%; path /full/;  cookie full;  limit off; checks running=1 waiting=0; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location /a { authgate many; }
        location /b { authgate brief; }
        location /c { authgate open; }
        location /d { authgate full; }
        location = /pid { return 200 \$pid; }
    }
EOF_HTTP
AuthGate::append_file($server->path('users'), 'slow:' . bcrypt('canary-slow', 12) . "\n");
$server->run;

my @JSON = (Accept => 'application/json', 'Sec-Fetch-Site' => 'same-origin');
my $next = 0;

# A client of a network of its own.
sub stranger (%option) { return $server->client(from => '127.0.1.' . ++$next, %option) }

sub wrong ($client, $user = 'alice', %more) { return $client->login($user, wrong_password(), %more) }

sub wrongs ($client, $count) {
    return [ map { wrong($client)->status } 1 .. $count ];
}

# Which may have passed, where this process was held up.
sub sleep_until ($when) {
    my $left = $when - Time::HiRes::time();
    Time::HiRes::sleep($left) if $left > 0;
}

# What the access log says of the `$count` requests that bear the mark.
sub logged ($mark, $count) {
    my @lines;
    AuthGate::Server::wait_until {
        @lines = AuthGate::read_file($server->path('logs/gate.log')) =~ /^$mark (.*)$/mg;
        @lines >= $count;
    }
    5, 'the access log';
    return \@lines;
}

# The answer, the log, and how long it lasts.
{
    my $client = stranger();
    is_deeply wrongs($client, 3), [ (403) x 3 ], 'so many may fail';
    my $banned = Time::HiRes::time();    # at the latest
    my $limited;
    my @lines  = $server->gate_lines_of(sub { $limited = wrong($client, 'alice', rd => '/x') });
    my $told   = Time::HiRes::time();
    my $page   = AuthGate::Page->parse($limited->body);
    my $after  = $limited->header('Retry-After');
    is $limited->status, 429, 'then: 429';
    like $after, qr/\A[1-$BAN]\z/, 'with Retry-After';
    is_within $BAN - $after, 1, 'which is the whole ban';
    is $limited->header('Cache-Control'), 'no-store', 'not to be stored';
    is $limited->headers('Set-Cookie'), 0, 'no cookie';
    is $page->alert, "Too many failed attempts. Please try again in $after seconds.", 'the page says so';
    is $page->field('username'), 'alice', 'the page keeps the user name';
    is $page->field('rd'), '/x', 'and rd';
    is $page->field('password'), undef, 'not the password';
    is @lines, 1, 'one line in the log';
    like $lines[0],
        qr/ \[error\] .* authgate: login limited, user "alice", reason "network", realm "ops", client: 127\.0\.1\.1, /,
        'with what a person needs';

    is $client->login('alice', $PASSWORD{alice})->status, 429, 'the right password has to wait too';
    is $client->login('bob',   $PASSWORD{bob})->status,   429, 'and other users';
    is $client->get('/authgate/login')->status, 200, 'the form can be had';
    my $json = $client->login('alice', $PASSWORD{alice}, headers => \@JSON);
    is $json->status, 429, 'JSON: 429';
    is_deeply JSON::PP::decode_json($json->body), { error => 'limited' }, 'JSON: limited';
    like $json->header('Retry-After'), qr/\A[1-$BAN]\z/, 'JSON: Retry-After';
    is stranger()->sign_in('alice')->status, 303, 'another network signs in';

    sleep_until($banned + $BAN - 0.4);
    SKIP: {
        my $last = $client->login('alice', $PASSWORD{alice});
        skip 'this process was held up', 3 if Time::HiRes::time() > $banned + $BAN - 0.05 && $last->status != 429;
        is $last->status, 429, 'shortly before the end it is banned still';
        is $last->header('Retry-After'), 1, 'for a second';
        is AuthGate::Page->parse($last->body)->alert, 'Too many failed attempts. Please try again in a second.',
            'the page says so';
    }
    sleep_until($told + $after + 0.05);
    is wrong($client)->status, 403, 'Retry-After is true, though it was asked meanwhile';
    is $client->login('alice', $PASSWORD{alice})->status, 303, 'the right password works then';
    is_deeply wrongs($client, 2), [ 403, 403 ], 'it counts from nought again';
    is wrong($client)->status, 429, 'and bans again';
}

# A session that was there before is not touched by a ban.
{
    my $client = stranger();
    $client->sign_in('alice');
    is_deeply wrongs($client, 4), [ 403, 403, 403, 429 ], 'a network is banned';
    is $client->get('/hello.txt')->status, 200, 'who is signed in stays so';
}

# A success in between takes nothing back.
{
    my $client = stranger();
    is_deeply wrongs($client, 2), [ 403, 403 ], 'two fail';
    is $client->login('bob', $PASSWORD{bob})->status, 303, 'one succeeds';
    is wrong($client)->status, 403, 'the third fails';
    is wrong($client)->status, 429, 'a success does not reset the count';
}

# What is older than find does not count. Where this process is held up for longer than find, once more.
{
    my ($client, @first, @later, @within, $took);
    for my $try (1 .. 10) {
        $client = stranger(path => '/brief/');
        @first  = wrongs($client, 2)->@*;
        Time::HiRes::sleep(1.05);
        @later = (wrongs($client, 2)->@*, $client->login('alice', $PASSWORD{alice})->status);
        Time::HiRes::sleep(1.05);
        my $from = Time::HiRes::time();
        @within = wrongs($client, 4)->@*;
        $took   = Time::HiRes::time() - $from;
        last if $took < 0.9;
    }
    is_deeply \@first,  [ 403, 403 ],           'two fail';
    is_deeply \@later,  [ 403, 403, 303 ],      'two fail later than find: that is no ban';
    is_deeply \@within, [ 403, 403, 403, 429 ], 'three within find are one' or diag "in $took s";
}

# Every worker knows.
{
    my @at = map { $server->client(from => '127.0.2.1', path => '/many/', worker => $_) } $server->workers;
    is @at, 4, 'four workers';
    is_deeply [ map { wrong($_)->status } (@at) x 3 ], [ (403) x 12 ], 'F69 12 fail, 3 at each worker';
    is_deeply [ map { wrong($_)->status } @at ], [ (429) x 4 ], 'F69 that is one count over all workers';
    is_deeply [ map { $_->login('alice', $PASSWORD{alice})->status } @at ], [ (429) x 4 ],
        'the right password waits at every worker';
    is stranger(path => '/open/')->sign_in('alice')->status, 303, 'another realm';
}
{
    my $client = stranger();
    is_deeply wrongs($client, 4), [ 403, 403, 403, 429 ], 'banned in one realm';
    local $client->{path} = '/many/';
    is $client->login('alice', $PASSWORD{alice})->status, 303, 'is not banned in another';
    $client->{path} = '/open/';
    is_deeply wrongs($client, 30), [ (403) x 30 ], 'limit off: any number fails';
    is $client->login('alice', $PASSWORD{alice})->status, 303, 'limit off: and the right one works';
}

# $authgate_status in the access log. A worker writes a line after the answer is sent: one worker writes in order.
{
    my $client = stranger(worker => ($server->workers)[0]);
    my @mark   = (headers => [ 'X-Mark' => 'five' ]);
    wrong($client, 'alice',  @mark);
    wrong($client, 'nobody', @mark);
    $client->login('bob', $PASSWORD{bob}, @mark);
    wrong($client, 'alice', @mark);
    $client->login('bob', $PASSWORD{bob}, @mark);
    is_deeply logged('five', 5),
        [ 'bad_password 403', 'unknown_user 403', 'ok 303', 'bad_password 403', 'limited 429' ],
        '$authgate_status of logins';

    my ($worker) = $server->workers;
    my $at   = $server->client(path => '/full/', worker => $worker);
    my $slow = AuthGate::Pending->login($at, 'slow', 'canary-slow');
    $server->client(worker => $worker)->get('/pid');    # the worker has taken what came before
    wrong($at, 'alice', headers => [ 'X-Mark' => 'full' ]);
    is_deeply logged('full', 1), ['busy 503'], '$authgate_status of a login that finds no room';
    is $slow->answer->status, 303, 'the one that ran is answered';
}

# F75: nobody guesses an API token of 256 bits, and a misconfigured scraper bans nobody.
{
    my $client = stranger(headers => []);
    my %seen;
    for my $i (1 .. 500) {
        my $token = AuthGate::Token::api(user => 'alice', mac_key => "canary-$i");
        $seen{ $client->get('/hello.txt', Authorization => "Bearer $token")->status }++;
        $seen{ $client->get('/hello.txt', Authorization => "Bearer agt_$i")->status }++;
    }
    is_deeply \%seen, { 401 => 1000 }, 'F75 1,000 bad tokens are refused';
    is $client->sign_in('alice')->status, 303, 'F75 and ban nobody';
    is wrong($client)->status, 403, 'F75 nor do they count';
}

# Mistakes.
for my $case (
    [ 'retries=0',            'invalid parameter' ],
    [ 'retries=100001',       'invalid parameter' ],
    [ 'retries=-1',           'invalid parameter' ],
    [ 'retries=+5',           'invalid parameter' ],
    [ 'retries=',             'invalid parameter' ],
    [ 'retries',              'invalid parameter' ],
    [ 'user_retries=0',       'invalid parameter' ],
    [ 'find=0',               'invalid parameter' ],
    [ 'ban=0',                'invalid parameter' ],
    [ 'ban=soon',             'invalid parameter' ],
    [ 'find=1x',              'invalid parameter' ],
    [ 'retries=5 retries=5',  'invalid parameter' ],
    [ 'on',                   'invalid parameter' ],
    [ 'off retries=5',        'invalid parameter' ],
    [ 'tries=5',              'invalid parameter' ],
    [ '',                     'invalid number of arguments' ],
    [ "off;\nlimit off",      'is duplicate' ],
    )
{
    my ($arguments, $message) = @$case;
    my $broken = AuthGate::Server->prepare(<<"EOF_HTTP");
authgate_realm ops {
    users %%USERS%%;
    limit $arguments;
}
EOF_HTTP
    my @text = split /\n/, AuthGate::read_file($broken->path('nginx.conf'));
    my ($line) = reverse grep { $text[ $_ - 1 ] =~ /^\s*limit\b/ } 1 .. @text;
    my ($passed, $said) = $broken->check;
    my $name = $arguments =~ s/\s+/ /gr;
    ok !$passed, "limit $name: refused";
    like $said, qr/\[emerg\] .*$message.* in \Q@{[ $broken->path('nginx.conf') ]}\E:$line$/m,
        "limit $name: with file and line";
}
for my $arguments ('off', 'retries=1 find=1s ban=1s user_retries=1', 'user_retries=100000', 'ban=1d find=1h30m') {
    my $right = AuthGate::Server->prepare("authgate_realm ops { users %%USERS%%; limit $arguments; }");
    my ($passed, $said) = $right->check;
    ok $passed, "limit $arguments: taken" or diag $said;
}

done_testing;
