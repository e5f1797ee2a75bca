# J123: with state, a change of the users counts that comes while nginx is down. What the users were is
# kept in a file; where it says nothing, the sessions of before end.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Token;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Daemon->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    add_header X-Worker $pid always;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
EOF_HTTP
my %hash = map { $_ => AuthGate::bcrypt("canary-$_") } qw(old other);
my $file = $server->path('state/ops.users');

sub write_users (%user) {
    AuthGate::write_file($server->path('users'),
        JSON::PP->new->canonical->encode({ keep => $hash{old}, %user }));
}

sub sign_in ($user, $password = 'canary-old') {
    my $client = $server->client(headers => [], port => $server->port('all'));
    $client->login($user, $password);
    return $client->cookie('authgate') // die "$user cannot sign in";
}

# The file is written within a second after the start; waits until it is another one than before.
my $former = '';

sub wait_for_file () {
    AuthGate::Server::wait_until {
        -s $file && AuthGate::read_file($file) ne $former;
    }
    10, 'what the users are to be written down';
    $former = AuthGate::read_file($file);
}

# Stops nginx, changes something and starts it again.
sub while_down ($change) {
    $server->stop;
    $change->();
    $server->run;
}

write_users(bob => $hash{old});
$server->run;
ok -s $file, 'J123 the file is there before the first request: a restart at once ends nothing';
wait_for_file();
is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'J123 the file is the workers\' alone';
unlike AuthGate::read_file($file), qr/bob|canary|\$2y/, 'J123 and shows no name and no hash';
my $keep = sign_in('keep');

for my $case (
    ['removed',          sub { write_users() }],
    ['disabled',         sub { write_users(bob => { password => $hash{old}, disabled => JSON::PP::true }) }],
    ['another password', sub { write_users(bob => $hash{other}) }],
    )
{
    my ($what, $away) = @$case;
    my $bob = sign_in('bob');
    is $server->verdicts($bob), '200', "$what: bob is in";
    while_down($away);
    is $server->verdicts($bob), '401', "$what while nginx was down: bob is out";
    wait_for_file();
    while_down(sub { write_users(bob => $hash{old}) });
    is $server->verdicts($bob), '401', "J123 $what while nginx was down, and back: the session stays ended";
    wait_for_file();
    $bob = sign_in('bob');
    $server->restart;
    is $server->verdicts($bob),  '200', "J123 $what: a new session goes on over a restart";
    is $server->verdicts($keep), '200', "J123 $what: another user goes on";
}

# A kill at any moment is as good as a stop.
my $bob = sign_in('bob');
$server->kill_all;
write_users(bob => $hash{other});
$server->run;
wait_for_file();
while_down(sub { write_users(bob => $hash{old}) });
is $server->verdicts($bob), '401', 'J123 after kill -9: the session stays ended';
wait_for_file();

# What is nothing new.
$bob = sign_in('bob');
while_down(sub { write_users(bob => { password => $hash{old}, groups => ['sre'] }, aaron => $hash{other}) });
is $server->verdicts($_), '200', 'J123 groups, order, other users while nginx was down: nobody is out' for $bob, $keep;
wait_for_file();

# The key.
my $keys = AuthGate::read_file($server->path('keys'));
sub write_keys ($text) { AuthGate::write_file($server->path('keys'), $text); chmod 0600, $server->path('keys') }
while_down(sub { write_keys("new ZDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n$keys") });
is $server->verdicts($_), '200', 'J123 a rotated key: nobody is out' for $bob, $keep;
wait_for_file();
like $former, qr/\Aauthgusrnew\0/, 'J123 the file is written anew with the new key';

# nginx -t leaves it as it is.
my @before = (lstat $file)[1, 7, 9, 10];
my ($passed) = $server->check;
ok $passed, 'nginx -t passes';
is_deeply [(lstat $file)[1, 7, 9, 10]], \@before, 'J123 nginx -t writes nothing';

# What says nothing ends the sessions of before, and no API token.
my $token = AuthGate::Token::api(user => 'keep');
for my $case (
    ['missing', sub { unlink $file or die $! }],
    ['damaged', sub { substr($former, 50, 1) ^.= "\1"; AuthGate::write_file($file, $former) }],
    ['empty',   sub { AuthGate::write_file($file, '') }],
    )
{
    my ($what, $change) = @$case;
    my $before = sign_in('bob');
    while_down($change);
    is $server->verdicts($before), '401', "J123 the file is $what: sessions of before end";
    like $server->error_log . AuthGate::read_file($server->path('logs/output.log')),
        qr/it is not known what the users of realm "ops" were: their sessions end/, "J123 $what: with a line";
    my $client = $server->client(headers => [], port => $server->port('all'));
    is $client->get('/hello.txt', Authorization => "Bearer $token")->status, 200, "J123 $what: API tokens stay";
    wait_for_file();
    my $after = sign_in('bob');
    is $server->verdicts($after), '200', "J123 $what: a new session holds at once";
    $server->restart;
    is $server->verdicts($after), '200', "J123 $what: and over a restart";
}
$server->stop;

done_testing;
