# I113: a bad edit of the groups file costs nobody anything: the last good set of users and groups
# holds, one line says so, and so does another for each edit that has to wait. A22: a new worker knows
# what the others know, or lets nobody in.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Workers;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<"EOF_HTTP", workers => 4);
    authgate_realm ops { users %%USERS%%; groups %%DIR%%/groups; limit off; }
    server { $AuthGate::Workers::SERVER authgate ops; }
EOF_HTTP
my ($users, $groups) = map { $server->path($_) } qw(users groups);
AuthGate::write_file($groups, "edit-0: alice\n");
$server->run;
my $workers = AuthGate::Workers->connect($server);
my ($alice, $bob, $carol) = split /^/, $AuthGate::USERS =~ s/:groups=\S+//gr;
AuthGate::write_file($users, $alice . $bob . $carol);
my %token;
for my $user (qw(alice bob)) {
    my $client = $server->client;
    $client->sign_in($user);
    $token{$user} = $client->cookie('authgate');
}

sub of ($user) {
    return sub ($pid) {
        my $response = $workers->get($pid, '/hello.txt', cookie($token{$user}));
        return join ' ', $response->status, $response->header('X-Groups') // '';
    };
}

sub lines () { return grep { /authgate: \w+ file of realm "ops" not taken/ } split /^/, $server->error_log }

sub exchange ($file, $content) {
    AuthGate::write_file("$file.new", $content);
    rename "$file.new", $file or die $!;
}

my $edit = 0;

sub repair ($name) {
    $edit++;
    exchange($groups, "edit-$edit: alice\n");
    my $delay = $workers->settle(of('alice'), "200 edit-$edit");
    is_within $delay, 1, "I113 $name: the next good edit is taken by every worker";
}

# All workers have looked at a file that has been still for so long, whatever they make of it.
my $ENOUGH = 0.8;

# One more line, of all workers, and nothing changes.
sub is_told ($name, $file, $complaint, $damage) {
    my $before = lines();
    $damage->();
    AuthGate::Server::wait_until { lines() > $before } 5, "a line about: $name";
    ok $workers->hold(of('alice'), "200 edit-$edit", $ENOUGH), "I113 $name: the last good set holds";
    my @lines = lines();
    is @lines, $before + 1, "I113 $name: one line, of four workers" or diag @lines;
    like $lines[-1], qr/\[error\] \d+#\d+: authgate: $file file of realm "ops" not taken, the last good one holds: $complaint/,
        "I113 $name: and it says what is wrong";
}

repair('at first');
my %damage = (
    'a syntax error' => [sub { AuthGate::append_file($groups, "alice bob\n") }, qr/"\Q$groups\E:2": no ":" after the group name/],
    'binary'       => [sub { AuthGate::write_file($groups, "\x7fELF\0\1\2:\n") }, qr/"\Q$groups\E:1": invalid group name/],
    'renamed away' => [sub { rename $groups, "$groups.away" or die $! }, qr/stat\(\) "\Q$groups\E" failed \(2: /],
    'unreadable'   => [sub { chmod 0, $groups or die $! }, qr/open\(\) "\Q$groups\E" failed \(13: /],
);
delete $damage{unreadable} if $> != 0;
for my $name (sort keys %damage) {
    my ($damage, $complaint) = $damage{$name}->@*;
    is_told($name, 'groups', $complaint, $damage);
    repair($name);
}

# A good edit of the users file waits as long as the groups file is broken, and that is said.
is_told('broken', 'groups', qr/"\Q$groups\E:1": no ":"/, sub { exchange($groups, "alice bob\n") });
is_told('bob deleted meanwhile', 'groups', qr/"\Q$groups\E:1": no ":"/, sub { exchange($users, $alice . $carol) });
ok $workers->hold(of('bob'), '200 ', $ENOUGH), 'I113 bob deleted meanwhile: he is still there';
repair('bob deleted meanwhile');
ok defined $workers->settle(of('bob'), '401 ', 1), 'A22 with the groups repaired bob is gone';

# And the other way round.
is_told('users broken', 'users', qr/"\Q$users\E:3": no ":"/, sub { exchange($users, $alice . $carol . "bob\n") });
is_told('good groups meanwhile', 'users', qr/"\Q$users\E:3": no ":"/, sub { exchange($groups, "day: alice\n") });
exchange($users, $alice . $carol);
ok defined $workers->settle(of('alice'), '200 day'), 'I113 users repaired: the groups of meanwhile are taken';
is_deeply [$workers->pids], [sort { $a <=> $b } $server->workers], 'I113 all by the same workers';

# A reload with a broken groups file is refused.
{
    my $conf = qr/\[emerg\] .*"\Q$groups\E:1": no ":" after the group name in \S+nginx\.conf:\d+/;
    $server->expect_alert($conf);
    exchange($groups, "alice bob\n");
    ok !$server->reload, 'I101 a reload with a broken groups file is refused';
    like $server->error_log, $conf, 'I101 with file and line';
    is of('alice')->(($workers->pids)[0]), '200 day', 'I101 and the running configuration goes on';
}
exchange($groups, "night: alice\n");
ok defined $workers->settle(of('alice'), '200 night'), 'the groups file is good again';

# ---- a worker in the place of one that died ------------------------------------------------------

$server->expect_alert(qr/exited on signal 9/);

# What alice gets from new workers, from their first moment on.
sub new_workers_say () {
    my %old = map { $_ => 1 } $server->workers;
    kill KILL => keys %old;
    AuthGate::Server::wait_until { 4 == grep { !$old{$_} } $server->workers } 5, 'other workers';
    my %seen;
    my $until = Time::HiRes::time() + 1.5;
    while (Time::HiRes::time() < $until) {
        my $client   = $server->client(headers => []);
        my $response = $client->get('/hello.txt', Cookie => "authgate=$token{alice}");
        $seen{ join ' ', $response->status, $response->header('X-Groups') // '' }++;
    }
    return [sort keys %seen];
}

is_deeply new_workers_say(), ['200 night'], 'A22 a new worker knows the groups of now, not those of the reload';
my $before = lines();
exchange($groups, "alice bob\n");
AuthGate::Server::wait_until { lines() > $before } 5, 'a line about the broken file';
is_deeply new_workers_say(), ['500 '], 'A22 the groups file is broken: a new worker lets nobody in';
exchange($groups, "day: alice\n");
AuthGate::Server::wait_until {
    my %seen;
    $seen{ $server->client(headers => [])->get('/hello.txt', Cookie => "authgate=$token{alice}")->header('X-Groups') // '' }++
        for 1 .. 20;
    join(',', keys %seen) eq 'day';
} 5, 'the repaired file to be taken';
is_deeply new_workers_say(), ['200 day'], 'A22 repaired: new workers know it at once';

done_testing;
