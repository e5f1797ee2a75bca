# `authgate session revoke` acts within a second in all workers, and holds.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Token;
use Test::More;
use Time::HiRes ();

my $COMMAND = $AuthGate::COMMAND;
die "no $COMMAND: run scripts/build first\n" if !-x $COMMAND;

my $SECOND = 1.3;    # and a little for a busy machine
my $server = AuthGate::Daemon->start(<<'EOF_HTTP', workers => 4);
    authgate_realm ops   { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    authgate_realm other { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    add_header X-Worker $pid always;
    root %%DIR%%/html;
    server { listen 127.0.0.1:%%PORT_all%%   reuseport; authgate ops; }
    server { listen 127.0.0.1:%%PORT_other%% reuseport; authgate other; }
EOF_HTTP
my $folder = $server->path('state');

sub revoke (@what) {
    my @command = ($COMMAND, qw(session revoke --state), $folder, '--realm', 'ops', @what);
    my $said = qx(@{[ join ' ', map { quotemeta } @command ]} 2>&1);
    is $? >> 8, 0, "authgate session revoke @what" or diag $said;
}

sub sign_in ($user, $port = 'all') {
    my $client = $server->client(headers => [], port => $server->port($port));
    $client->sign_in($user);
    return $client->cookie('authgate');
}

sub id ($cookie) { return AuthGate::Token::read($cookie)->{session} }

sub within_a_second ($cookie, $name) {
    my $after = $server->refused_after($cookie, 3);
    ok defined $after && $after < $SECOND, "$name: refused by all workers within a second" or diag $after // 'never';
}

# One session.
my ($first, $second, $bob) = (sign_in('alice'), sign_in('alice'), sign_in('bob'));
my $elsewhere = sign_in('alice', 'other');
is $server->verdicts($_), '200', 'at first all workers take it' for $first, $second, $bob;
revoke(id($first));
within_a_second($first, 'by id');
is $server->verdicts($second), '200', 'by id: another session of the same user goes on';
is $server->verdicts($bob), '200', 'by id: another user goes on';
ok $server->error_log =~ /token refused.* reason "revoked"/, 'by id: the log says so';

# An API token: its id says nothing of when it ends.
{
    my $token = AuthGate::Token::api(user => 'alice');
    my $client = $server->client(headers => [], port => $server->port('all'));
    my $ask = sub { $client->get('/hello.txt', Authorization => "Bearer $token")->status };
    is $ask->(), 200, 'an API token is taken';
    revoke(id($token =~ s/agt_//r));
    ok eval {
        AuthGate::Server::wait_until { $ask->() == 401 } $SECOND, 'refusal';
    }, 'API token by id: refused within a second';
    is $server->verdicts($second), '200', 'API token by id: the user goes on';
}

# All of a user.
my $third = sign_in('alice');
revoke('--user', 'alice');
within_a_second($_, 'by user') for $second, $third;
my $fresh = sign_in('alice');
is $server->verdicts($fresh), '200', 'by user: who signs in after that is in';
is $server->verdicts($bob), '200', 'by user: another user goes on';
is $server->verdicts($elsewhere, port => 'other'), '200', 'by user: another realm is another matter';

# It stays so while what the command has written is read everywhere, and afterwards.
my $refused = 0;
my $until = Time::HiRes::time() + 3.5;
while (Time::HiRes::time() < $until) {
    $refused++ if $server->verdicts($fresh) ne '200';
}
is $refused, 0, 'by user: the new session is never refused';
is $server->verdicts($second), '401', 'by user: the old one stays refused';

revoke('--user', 'bob');
within_a_second($bob, 'by user, bob');

for my $how ('a restart', 'kill -9') {
    if ($how eq 'kill -9') { $server->kill_all; $server->run }
    else                   { $server->restart }
    is $server->verdicts($_), '401', "$how: what was revoked stays so" for $first, $second, $third, $bob;
    is $server->verdicts($fresh), '200', "$how: what was not goes on";
}

# While nginx is down.
$server->stop('QUIT');
revoke(id($fresh));
$server->run;
is $server->verdicts($fresh), '401', 'revoked while nginx was down';
is $server->verdicts($elsewhere, port => 'other'), '200', 'and nothing else';
$server->stop;

done_testing;
