# `authgate session revoke --user` while sessions are renewed all the time: no renewal slips through.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Load;
use AuthGate::Token;
use Test::More;
use Time::HiRes ();

my $COMMAND = $AuthGate::COMMAND;
die "no $COMMAND: run scripts/build first\n" if !-x $COMMAND;

my $SECOND = 1.3;    # and a little for a busy machine
# Tokens count in whole seconds: all that is due is renewed when a new one begins. So the command ends
# just before that, and the workers renew before they have read of it. Whether they do in a round is chance:
# they read four times a second. So there are more rounds where none has.
my @JUST_BEFORE = (0.90, 0.94, 0.96, 0.98, 0.99);
my $MOST_ROUNDS = 20;
my $takes       = 0.01;    # seconds, as long as the command took the last time

# Renewal is due every second.
my $server = AuthGate::Daemon->start(<<'EOF_HTTP', workers => 4);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; session idle=10s max=1h; state %%DIR%%/state; }
    add_header X-Worker $pid always;
    keepalive_requests 1000000;
    root %%DIR%%/html;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; authgate ops; }
EOF_HTTP

sub sign_in ($user) {
    my $client = $server->client(headers => [], port => $server->port('all'));
    $client->sign_in($user);
    return { user => $user, tokens => [$client->cookie('authgate')] };
}

# Asks with one of the newest tokens of a session, over several workers, and takes what renews it. Several
# requests with one token may each be given another.
sub asking (@sessions) {
    return sub ($load) {
        Time::HiRes::sleep(0.002);
        my $session = $sessions[ rand @sessions ];
        my $newest  = $session->{tokens};
        my $token   = $newest->[ -1 - rand(@$newest > 4 ? 4 : @$newest) ];
        my $connection = $load->connection(port => $server->port('all'), from => '127.0.0.' . (1 + int rand 4));
        my $sent    = Time::HiRes::time();
        my $answer  = $connection->ask('GET', '/hello.txt', cookie => $token) or return;
        $load->expect($session->{user}, $answer, $session->{user} eq 'alice' ? (200, 401) : 200);
        $load->keep(last => [$session->{user}, $sent]) if $answer->status == 200;
        my ($renewed) = ($answer->header('Set-Cookie') // '') =~ /^authgate=(v1[^;]+)/ or return;
        push @$newest, $renewed;
        $load->keep(renewed => [$session->{user}, $renewed, Time::HiRes::time()]);
        $load->say(join ' ', $session->{user}, Time::HiRes::time());
    };
}

sub of ($user, @kept) { return grep { $_->[0] eq $user } @kept }

sub revoke_user ($user) {
    my @command = ($COMMAND, qw(session revoke --state), $server->path('state'), qw(--realm ops --user), $user);
    my $began   = Time::HiRes::time();
    my $said    = qx(@{[ join ' ', map { quotemeta } @command ]} 2>&1);
    my $ended   = Time::HiRes::time();
    is $? >> 8, 0, "authgate session revoke --user $user" or diag $said;
    $takes = $ended - $began;
    return $ended;
}

# What all workers say to these tokens.
sub verdicts (@tokens) {
    my %status;
    for my $pid ($server->workers) {
        my $worker = $server->worker($pid);
        $status{ $worker->verdict($_) }++ for @tokens;
    }
    return \%status;
}

sub is_out (@tokens) { return join(' ', keys %{ verdicts(@tokens) }) eq '401' }

# Until so many tokens of a user have been renewed after this time.
sub wait_for_renewals ($count, $user, $after, @loads) {
    my $later = sub ($line) { my ($whose, $when) = split / /, $line; return $whose eq $user && $when > $after };
    AuthGate::Server::wait_until { $count <= grep { $later->($_) } AuthGate::Load::said(@loads) } 60,
        "$count renewals of $user";
}

my $late = 0;
for my $round (1 .. $MOST_ROUNDS) {
    last if $round > @JUST_BEFORE && $late;
    my @alice = map { sign_in('alice') } 1 .. 6;
    my @bob   = map { sign_in('bob') } 1 .. 2;
    my @loads = map { AuthGate::Load->start(asking(@alice, @bob)) } 1 .. 2;
    wait_for_renewals(12, 'alice', 0, @loads);
    my $moment = $JUST_BEFORE[ $round % @JUST_BEFORE ] - $takes;
    Time::HiRes::sleep(0.001) until Time::HiRes::time() - AuthGate::Token::now() > $moment;
    my $revoked = revoke_user('alice');
    # Of what was renewed up to then, and of what will be in a second more, nothing is taken.
    AuthGate::Server::wait_until { is_out(map { $_->{tokens}[0] } @alice) } $SECOND, 'alice to be out';
    pass "round $round: alice is out";
    is_within Time::HiRes::time() - $revoked, 2 * $SECOND, "round $round: and soon";
    wait_for_renewals(1, 'bob', $revoked + 1, @loads);
    my $tally = AuthGate::Load->stop(@loads);

    my @renewed = of('alice', $tally->{renewed}->@*);
    my ($last) = sort { $b <=> $a } map { $_->[1] } of('alice', $tally->{last}->@*);
    my $in_the_gap = grep { $_->[2] > $revoked } @renewed;
    $late += $in_the_gap;
    note sprintf 'round %d: %d requests, %d renewals of alice, %d of them after the command had ended; last let in after %.3f s',
        $round, $tally->{requests}, scalar @renewed, $in_the_gap, $last - $revoked;
    is_deeply $tally->{wrong}, [], "round $round: bob is let in all the time";
    is_within $last - $revoked, $SECOND, "round $round: no token of alice is accepted a second later";
    is_deeply verdicts(map { $_->[1] } @renewed), { 401 => 4 * @renewed }, "round $round: no renewed one, by any worker";

    # Twin: bob's are renewed still, in that time too.
    my @bobs = of('bob', $tally->{renewed}->@*);
    pass "round $round: bob's are renewed later too";
    is_deeply verdicts($bobs[-1][1]), { 200 => 4 }, "round $round: and good in all workers";
}
cmp_ok $late, '>', 0, '(some were renewed after the command had ended)';
is $server->verdicts(sign_in('alice')->{tokens}[0]), '200', 'alice signs in again';
$server->stop;

done_testing;
