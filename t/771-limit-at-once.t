# F69, E60: many logins at once. Who has to wait for what is under way, and what counts in the end.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Users;
use Test::More;

my $HTTP = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        limit retries=RETRIES;
        checks CHECKS;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /pid { return 200 $pid; }
    }
EOF_HTTP

# A check of alice's and bob's passwords takes a quarter of a second or more, one of quick's a millisecond.
sub start ($retries, $checks, $workers) {
    my $http   = $HTTP =~ s/RETRIES/$retries/r =~ s/CHECKS/$checks/r;
    my $server = AuthGate::Server->prepare($http, workers => $workers);
    AuthGate::write_file(
        $server->path('users'),
        join '',
        'alice:' . bcrypt($PASSWORD{alice}, 12) . "\n",
        'bob:' . bcrypt($PASSWORD{bob}, 12) . "\n",
        'quick:' . bcrypt('canary-quick', 4) . "\n"
    );
    $server->run;
    return $server;
}

# A round trip with this worker: it has taken what came before.
sub taken ($server, $worker) {
    $server->client(worker => $worker)->get('/pid')->status == 200 or die 'the worker does not answer';
}

sub wrong  ($client, $user = 'alice') { return AuthGate::Pending->login($client, $user, wrong_password()) }
sub right  ($client, $user = 'alice') { return AuthGate::Pending->login($client, $user, $PASSWORD{$user}) }
sub status ($pending) { return $pending->answer->status }

# Over HTTP/2; a hundred answers of a few bytes need no flow control.
sub in_json ($h2, $user, $password) {
    return $h2->request(
        POST => '/authgate/login',
        [ 'content-type' => 'application/x-www-form-urlencoded', accept => 'application/json' ],
        AuthGate::Client::form([ username => $user, password => $password ])
    );
}

sub tally (@statuses) {
    my %tally;
    $tally{$_}++ for @statuses;
    return \%tally;
}

# How many checks had failed when the first login was limited, and how many there are of each.
sub order ($server, @lines) {
    my @what = map { /authgate: login (failed|limited)/ ? $1 : () } @lines;
    my ($first) = grep { $what[$_] eq 'limited' } 0 .. $#what;
    return ($first, tally(@what));
}

# F69: 100 wrong ones.
{
    my $server = start(5, 'running=2 waiting=100', 4);
    my $client = $server->client(from => '127.0.1.1');
    my @each   = map { $server->client(from => '127.0.1.1', worker => $_) } $server->workers;
    is @each, 4, 'F69 four workers, each with one of them at least';
    my @pending;
    my @lines = $server->lines_of(sub {
        @pending = map { wrong($_) } @each, ($client) x 96;
        is_deeply tally(map { status($_) } @pending), { 403 => 5, 429 => 95 },
            'F69 of 100 wrong passwords at once 5 are checked';
    });
    my ($first, $tally) = order($server, @lines);
    is_deeply $tally, { failed => 5, limited => 1 }, 'F69 J136 the log says the same, and of the others once';
    cmp_ok $first, '>=', 3, 'F69 nobody is turned away before those under way are decided';
    is status(right($client)), 429, 'F69 then the network is banned';
    is status(right($server->client(from => '127.0.1.2'))), 303, 'F69 another is not';

    # The same over one connection of HTTP/2.
    my $h2 = AuthGate::Streams->connect($server->port('h2'), LocalAddr => '127.0.1.3');
    my @streams;
    @lines = $server->lines_of(sub {
        @streams = map { in_json($h2, 'alice', wrong_password()) } 1 .. 100;
        is_deeply tally(map { $h2->status($_, 60) } @streams), { 403 => 5, 429 => 95 },
            'F69 HTTP/2: of 100 wrong passwords at once 5 are checked';
    });
    ($first, $tally) = order($server, @lines);
    is_deeply $tally, { failed => 5, limited => 1 }, 'F69 HTTP/2: the log says the same';
    cmp_ok $first, '>=', 3, 'F69 HTTP/2: nobody is turned away before that';

    # And with names that are not there, which have to take as long.
    $client = $server->client(from => '127.0.1.4');
    @pending = map { wrong($client, "nobody-$_") } 1 .. 40;
    is_deeply tally(map { status($_) } @pending), { 403 => 5, 429 => 35 }, 'F69 40 unknown users';
    $server->stop;
}

# F69: a sixth, correct login.
for my $workers (1, 4) {
    my $server = start(5, 'running=1 waiting=64', $workers);
    my @workers = $server->workers;
    my $at = sub ($from, $i) {
        return $server->client(from => "127.0.1.$from", worker => $workers[ $i % @workers ]);
    };
    my $name = "F69 workers=$workers";

    # Four fail and one succeeds: a sixth waits, and succeeds.
    my @wrong = map { wrong($at->(1, $_)) } 0 .. 3;
    my $right = right($at->(1, 0));
    taken($server, $_) for @workers;
    my @more = map { right($at->(1, $_), $_ % 2 ? 'bob' : 'alice') } 0 .. 3;
    taken($server, $_) for @workers;
    ok !$_->is_answered, "$name: a further correct login waits for a decision" for @more;
    ok scalar(grep { !$_->is_answered } @wrong, $right), "$name: while others are under way";
    is_deeply [ map { status($_) } @wrong ], [ (403) x 4 ], "$name: four fail";
    is status($right), 303, "$name: the fifth succeeds";
    is_deeply [ map { status($_) } @more ], [ (303) x 4 ], "$name: and so do those that waited";

    # Five fail: it waits, and is limited.
    @wrong = map { wrong($at->(2, $_)) } 0 .. 4;
    taken($server, $_) for @workers;
    my $late = right($at->(2, 1));
    taken($server, $_) for @workers;
    ok !$late->is_answered, "$name: no 429 before five have failed";
    is_deeply [ map { status($_) } @wrong ], [ (403) x 5 ], "$name: five fail";
    is status($late), 429, "$name: then 429";
    like $late->answer->header('Retry-After'), qr/\A(?:300|29\d)\z/, "$name: with Retry-After";

    # Another network does not wait for them.
    @wrong = map { wrong($at->(3, 0)) } 0 .. 4;
    taken($server, $workers[0]);
    my $other = right($at->(4, -1));
    taken($server, $workers[-1]);
    is status($other), 303, "$name: another network does not wait for a decision about this one";
    is_deeply [ map { status($_) } @wrong ], [ (403) x 5 ], "$name: which comes";
    $server->stop;
}

# E60: what is not checked does not count, whether its try was reserved before the queue or not.
for my $retries (3, 2) {
    my $server   = start($retries, 'running=1 waiting=1', 1);
    my ($worker) = $server->workers;
    my $client   = $server->client(from => '127.0.1.1');
    my @taken    = map { my $right = right($client); taken($server, $worker); $right } 1 .. 2;
    my @lines = $server->gate_lines_of(sub {
        is_deeply tally(map { status(wrong($client, 'quick')) } 1 .. 10), { 503 => 10 },
            "E60 retries=$retries: 10 find a full queue";
    });
    ok !$taken[0]->is_answered, "E60 retries=$retries: at once";
    is scalar(grep { /login busy/ } @lines), 10, "E60 retries=$retries: the log says busy";
    is_deeply [ map { status($_) } @taken ], [ 303, 303 ], "E60 retries=$retries: those in it succeed";
    is_deeply [ map { status(wrong($client, 'quick')) } 1 .. $retries ], [ (403) x $retries ],
        "E60 retries=$retries: what was not checked has not counted";
    is status(wrong($client, 'quick')), 429, "E60 retries=$retries: what was has";
    $server->stop;
}

# Clients that go away: a check that has begun counts, one that waits does not.
{
    my $server   = start(3, 'running=3 waiting=64', 1);
    my ($worker) = $server->workers;
    my $client   = $server->client(from => '127.0.1.1');
    my @gone     = map { wrong($client) } 1 .. 3;
    taken($server, $worker);
    ok !(grep { $_->is_answered } @gone), 'F69 three are being checked';
    $_->reset for @gone;
    taken($server, $worker);
    is status(right($client)), 429, 'F69 who goes away during a check has failed all the same';

    my $h2 = AuthGate::Streams->connect($server->port('h2'), LocalAddr => '127.0.1.2');
    my @streams = map { $h2->login('alice', wrong_password()) } 1 .. 3;
    $h2->ping;
    $h2->reset($_) for @streams;
    $h2->ping;
    is $h2->status($h2->login('alice', $PASSWORD{alice})), 429, 'F69 HTTP/2: the same';
    $server->stop;
}
for my $how (qw(reset close)) {
    my $server   = start(3, 'running=1 waiting=64', 1);
    my ($worker) = $server->workers;
    my $client   = $server->client(from => '127.0.1.1');
    my $first    = right($client);
    taken($server, $worker);
    my @gone = map { wrong($client) } 1 .. 10;    # two in the queue, the others wait for a decision
    taken($server, $worker);
    ok !$first->is_answered, "F69 $how: one is being checked, others wait";
    $_->$how for @gone;
    taken($server, $worker);
    ok !$first->is_answered, "F69 $how: they go before it is decided";
    is status($first), 303, "F69 $how: it succeeds";
    is_deeply [ map { status(wrong($client, 'quick')) } 1 .. 3 ], [ 403, 403, 403 ],
        "F69 $how: who goes away unchecked has not failed";
    is status(wrong($client, 'quick')), 429, "F69 $how: who was checked has";
    unlike $server->error_log, qr/login failed, user "alice"/, "F69 $how: none of them was checked";
    $server->stop;
}

done_testing;
