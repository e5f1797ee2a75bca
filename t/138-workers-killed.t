# I105: workers are killed at random under logins and logouts: nothing hangs, and no logout is lost.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Load;
use AuthGate::Process;
use AuthGate::Response;
use IO::Select;
use Test::More;
use Time::HiRes ();

my $KILLS   = 100;
my $SECONDS = 28;    # over which they are spread
my $CLIENTS = 3;
my $LONGEST = $AuthGate::EXACT ? 5 : 60;    # seconds that any answer may take
my $USERS   = 60;

my $http = <<'EOF_HTTP';
    authgate_realm open {
        users %%USERS%%; keys %%KEYS%%; zone 4m; state %%DIR%%/state;
        limit off;
    }
    authgate_realm limited {
        users %%USERS%%; keys %%KEYS%%; zone 4m; state %%DIR%%/state;
        limit retries=5 find=1m ban=5s user_retries=50;
    }
    keepalive_requests 1000000;
    add_header X-Worker $pid always;
    root %%DIR%%/html;
    access_log off;
    server { listen 127.0.0.1:%%PORT_open%%;    authgate open; }
    server { listen 127.0.0.1:%%PORT_limited%%; authgate limited; }
    # All that has ended is replayed here, to each worker.
    server { listen 127.0.0.1:%%PORT_open_each%%    reuseport; authgate open;    error_log %%DIR%%/logs/error.log notice; }
    server { listen 127.0.0.1:%%PORT_limited_each%% reuseport; authgate limited; error_log %%DIR%%/logs/error.log notice; }
EOF_HTTP
my $server = AuthGate::Daemon->prepare($http, workers => 4);
my $hash = AuthGate::bcrypt($PASSWORD{alice});
AuthGate::write_file($server->path('users'), join '', map { "user$_:$hash\n" } 1 .. $USERS);
# A worker that dies with a zone locked is named by nginx, which unlocks it.
$server->expect_alert(qr/exited on signal 9|shared memory zone "[^"]*" was locked by \d+/);
$server->run;
my @realms = qw(open limited);

# Networks of a client: from the first one only right passwords come, from the other only wrong ones.
sub connection ($load, $realm, $right) {
    my $from = sprintf '127.%d.%d.%d', $right ? 1 : 2, $$ % 250, 1 + rand 3;
    return $load->connection(port => $server->port($realm), from => $from, timeout => $LONGEST);
}

my (%live, @ended);

sub step ($load) {
    my $realm = $realms[ rand @realms ];
    my $dice  = rand 10;
    return wrong($load, $realm)   if $dice < 1;
    return sign_in($load, $realm) if ($live{$realm} // [])->@* < 5 || $dice < 2.5;
    return sign_out($load, $realm) if $dice < 4;
    ask($load, $realm);
}

sub login ($connection, $user, $password) {
    return $connection->ask('POST', '/authgate/login', form => [username => $user, password => $password]);
}

# One user's wrong passwords are limited by name too; nobody else's are.
sub wrong ($load, $realm) {
    my @statuses = $realm eq 'open' ? 403 : (403, 429);
    $load->expect("wrong password, $realm", login(connection($load, $realm, 0), 'user1', wrong_password()), @statuses);
}

sub sign_in ($load, $realm) {
    my $user = 'user' . int 2 + rand $USERS - 1;
    my $answer = login(connection($load, $realm, 1), $user, $PASSWORD{alice});
    $load->expect("login, $realm", $answer, 303) or return;
    $load->count("logins, $realm");
    my ($token) = map { /^authgate=(v1[^;]+)/ } $answer->headers('Set-Cookie');
    push $live{$realm}->@*, $token;
}

# Without an answer nobody knows whether it has ended.
sub sign_out ($load, $realm) {
    my $token = shift $live{$realm}->@*;
    my $answer = connection($load, $realm, 1)->ask('POST', '/authgate/logout', cookie => $token);
    $load->expect("logout, $realm", $answer, 303) or return;
    $load->count("logouts, $realm");
    $load->keep(ended => "$realm $token");
    push @ended, [$realm, $token];
}

sub ask ($load, $realm) {
    my $tokens = $live{$realm};
    my $client = connection($load, $realm, 1);
    $load->expect("a live cookie, $realm", $client->ask('GET', '/hello.txt', cookie => $tokens->[ rand @$tokens ]), 200);
    my ($where, $token) = @ended ? $ended[ rand @ended ]->@* : return;
    my $other = connection($load, $where, 1);
    $load->expect("an ended cookie, $where", $other->ask('GET', '/hello.txt', cookie => $token), 401);
}

sub kill_one () {
    my @workers;
    eval {
        AuthGate::Server::wait_until { (@workers = $server->workers) == 4 } 10, 'four workers';
    } or die "workers @workers, master ", is_alive($server->pid) ? 'there' : 'gone', "\n", substr $server->error_log, -2000;
    my $victim  = $workers[ rand @workers ];
    kill KILL => $victim;
    $server->wait_until_gone($victim);
    AuthGate::Server::wait_until { $server->workers == 4 } 10, 'another worker';
}

# Some sessions that live from the beginning to the end.
my %lasting = map {
    my $client = $server->client(port => $server->port($_), headers => []);
    $client->login('user1', $PASSWORD{alice});
    ($_ => $client->cookie('authgate'));
} @realms;

my $from  = Time::HiRes::time();
my @loads = map { AuthGate::Load->start(\&step) } 1 .. $CLIENTS;
for my $killed (1 .. $KILLS) {
    kill_one();
    my $early = $from + $SECONDS * ($killed + rand) / $KILLS - Time::HiRes::time();
    Time::HiRes::sleep($early) if $early > 0;
}
my $tally = AuthGate::Load->stop(@loads);
note sprintf '%.0f s: %s', Time::HiRes::time() - $from,
    join ', ', map { ref $tally->{$_} ? () : "$_ $tally->{$_}" } sort keys %$tally;
note "$_ locks were left by the dead" for scalar(() = $server->error_log =~ /was locked by/g);

is $tally->{hung}, 0, "I105 no request waits longer than $LONGEST s"
    or diag join "\n", grep { /hung/ } $tally->{losses}->@*;
is_deeply $tally->{wrong}, [], 'I105 no wrong answer';
cmp_ok $tally->{"logouts, $_"}, '>', 100, "I105 (there were many logouts, $_)" for @realms;
cmp_ok $tally->{lost} + $tally->{closed} + $tally->{retried}, '>=', $KILLS / 4, 'I105 (many requests were hit)';
my $deaths = () = $server->error_log =~ /exited on signal 9/g;
is $deaths, $KILLS, "I105 $KILLS workers were killed, and none died otherwise";

# What each worker says to all cookies that have ended.
my @cookies = map { [split ' '] } $tally->{ended}->@*;

sub replay ($when) {
    for my $pid ($server->workers) {
        my %worker = map { $_ => $server->worker($pid, port => "${_}_each") } @realms;
        my %status;
        $status{ $worker{ $_->[0] }->verdict($_->[1]) }++ for @cookies;
        is_deeply \%status, { 401 => scalar @cookies }, "I105 $when: no logout is lost";
        is $worker{$_}->verdict($lasting{$_}), 200, "I105 $when: who never signed out is in, $_" for @realms;
    }
}
replay('at the end');

# The limiter is not stuck either: five wrong ones from a network, and no more.
{
    my $client = $server->client(port => $server->port('limited'), from => '127.9.9.9', timeout => $LONGEST);
    is_deeply [map { $client->login('user2', wrong_password())->status } 1 .. 6], [(403) x 5, 429], 'I105 the limiter limits';
}

# None of them may have died in the instants in which it had a zone locked. So this one is made to: a lock
# is the pid of its holder, in the first word of the zone.
sub lock_zones_for ($pid) {
    open my $memory, '+<:raw', "/proc/$pid/mem" or return 0;
    my @shared = AuthGate::read_file("/proc/$pid/maps") =~ m{^([0-9a-f]+-[0-9a-f]+) rw-s .*/dev/zero}mg;
    my @zones  = grep { $_->[1] - $_->[0] == 4 << 20 } map { [map { no warnings "portable"; hex } split /-/] } @shared;
    for my $at (map { $_->[0] } @zones) {
        AuthGate::Server::wait_until {
            sysseek $memory, $at, 0 or die $!;
            sysread $memory, my $holder, 8 or die $!;
            $holder eq "\0" x 8;
        }
        5, 'the zone not to be locked';
        sysseek $memory, $at, 0 or die $!;
        syswrite $memory, pack 'Q', $pid or die $!;
    }
    return scalar @zones;
}

my @locked_by;
SKIP: for my $realm (@realms) {
    my ($victim, $other) = $server->workers;
    my $client = $server->client(port => $server->port($realm), headers => []);
    $client->login('user3', $PASSWORD{alice});
    my $cookie  = $client->cookie('authgate');
    my $logout  = $server->worker($other, port => "${realm}_each")->begin('POST', '/authgate/logout', $cookie);
    my $zones   = lock_zones_for($victim) or skip 'no way into the memory of a worker', 1;
    push @locked_by, $victim;
    is $zones, 2, 'I105 (two zones are locked by one worker)';
    syswrite $logout->{socket}, "\r\n";
    ok !IO::Select->new($logout->{socket})->can_read(1), "I105 locked, $realm: another waits for the lock";
    kill KILL => $victim;
    my $answer = eval { AuthGate::Response->read($logout->{socket}, 'POST', $LONGEST) };
    is $answer && $answer->status, 303, "I105 locked, $realm: it is killed, and the other goes on";
    AuthGate::Server::wait_until { $server->workers == 4 } 10, 'another worker';
    push @cookies, [$realm, $cookie];
}
is 0 + (() = $server->error_log =~ /shared memory zone "[^"]*" was locked by $locked_by[-1]\b/g), 2, 'I105 nginx has freed the locks'
    if @locked_by;

# From the files alone, as well: another size makes the zones anew.
$http =~ s/zone 4m/zone 5m/g;
ok $server->reload($http) && $server->wait_for_old_workers, 'a reload with other zones';
replay('in new zones');
$server->stop;

done_testing;
