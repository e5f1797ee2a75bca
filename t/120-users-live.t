# A22: an edit of the users file takes effect in every worker within a second, without a reload.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Workers;
use Test::More;

my $server = AuthGate::Server->start(<<"EOF_HTTP", workers => 4);
    log_format verdict '\$authgate_status user="\$authgate_user"';
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        $AuthGate::Workers::SERVER
        authgate ops;
        access_log %%DIR%%/logs/access.log verdict;
    }
EOF_HTTP
my $workers = AuthGate::Workers->connect($server);
my @pids    = $workers->pids;
is @pids, 4, 'all four workers are asked';

my ($alice, $bob, $carol) = split /^/, $AuthGate::USERS;
my %hash = map { split /:/, $_ =~ s/:groups=.*|\n//rs } $alice, $bob, $carol;
my ($edits, $longest) = (0, 0);

sub session ($user, $password = $PASSWORD{$user}) {
    my $client = $server->client;
    is $client->login($user, $password)->status, 303, "$user signs in";
    return $client->cookie('authgate');
}

# The verdict on a session, as one worker has it.
sub verdict ($token) {
    return sub ($pid) {
        my $response = $workers->get($pid, '/hello.txt', cookie($token));
        return $response->status . ' ' . ($response->header('X-Status') // '');
    };
}

sub groups ($token) {
    return sub ($pid) { $workers->get($pid, '/hello.txt', cookie($token))->header('X-Groups') // '' };
}

sub login ($user, $password) {
    return sub ($pid) { $workers->login($pid, $user, $password)->status };
}

# Writes the file in its place, as an editor without a temporary file does.
sub edit ($content) { AuthGate::write_file($server->path('users'), $content); $edits++ }

# As an editor with one does.
sub exchange ($content) {
    AuthGate::write_file($server->path('users.new'), $content);
    rename $server->path('users.new'), $server->path('users') or die $!;
    $edits++;
}

sub is_seen ($name, $probe, $wanted) {
    my $delay = $workers->settle($probe, $wanted);
    is_within $delay, 1, "A22 $name: every worker says \"$wanted\" within a second"
        or diag explain $delay // $workers->each_says($probe);
    $longest = $delay if defined $delay && $delay > $longest;
}

sub says ($name, $probe, $wanted) {
    is_deeply $workers->each_says($probe), { map { $_ => $wanted } @pids }, "A22 $name: \"$wanted\"";
}

my %token = map { $_ => session($_) } qw(alice bob carol);
says("$_ at first", verdict($token{$_}), '200 ok') for sort keys %token;

edit($alice . $carol);
is_seen('bob is deleted', verdict($token{bob}), '401 unknown_user');
says('alice is not touched', verdict($token{alice}), '200 ok');
says('bob may not sign in again', login('bob', $PASSWORD{bob}), 403);
ok scalar($server->access_log =~ /^unknown_user user="-"$/m), 'A22 bob is deleted: the access log says so';

edit($alice . $carol . "dave:$hash{bob}\n");
is_seen('dave is added', login('dave', $PASSWORD{bob}), 303);
says('dave has not the session of bob, whose hash it is', verdict($token{bob}), '401 unknown_user');
$token{dave} = session('dave', $PASSWORD{bob});

exchange($carol . "dave:$hash{bob}\n" . 'alice:' . AuthGate::bcrypt('canary-of-today') . "\n");
is_seen("alice's password is changed", verdict($token{alice}), '401 password_changed');
says('carol is not touched', verdict($token{carol}), '200 ok');
is $server->client->login('alice', $PASSWORD{alice})->status, 403,
    'A22 the old password is no longer taken';
says('the new password is taken', login('alice', 'canary-of-today'), 303);
ok scalar($server->access_log =~ /^password_changed user="-"$/m), 'A22 the access log says so';
my $today = session('alice', 'canary-of-today');
says('a session of the new password', verdict($today), '200 ok');

# Only a new salt: the same password, stored anew, ends sessions too, for the hash is what is compared.
my %stored = (%hash, alice => AuthGate::bcrypt('canary-of-today'));
exchange("alice:$stored{alice}\ndave:$hash{bob}\n$carol");
is_seen("alice's password is stored anew", verdict($today), '401 password_changed');
$token{alice} = session('alice', 'canary-of-today');

# Comments, order, groups and the format are nobody's end.
edit("# a comment\n\n${carol}dave:$hash{bob}\nalice:$stored{alice}:groups=night,sre\n");
is_seen('groups are live', groups($token{alice}), 'night,sre');
says("$_ with other groups, order and comments", verdict($token{$_}), '200 ok') for qw(alice carol dave);

# JSON with the same hashes.
sub json ($more) {
    return qq({ "alice": { "password": "$stored{alice}", "groups": ["day"] },\n)
        . qq(  "dave": "$hash{bob}",\n)
        . qq(  "carol": { "password": "$hash{carol}"$more } }\n);
}

edit(json(''));
is_seen('now in JSON: groups are live', groups($token{alice}), 'day');
says("$_ in another format", verdict($token{$_}), '200 ok') for qw(alice carol dave);

exchange(json(', "disabled": true'));
is_seen('carol is disabled', verdict($token{carol}), '401 unknown_user');
says("$_ is not touched", verdict($token{$_}), '200 ok') for qw(alice dave);
is $server->client->login('carol', $PASSWORD{carol})->status, 403,
    'A22 carol is disabled: no login';

exchange(json(', "disabled": false'));
is_seen('carol is enabled again', login('carol', $PASSWORD{carol}), 303);
says('and her new session is good', verdict(session('carol')), '200 ok');

is_deeply [$workers->pids], [sort { $a <=> $b } $server->workers], 'A22 without a reload: the same workers';
my @taken = $server->error_log =~ /notice.*users file of realm "ops" read again, users: (\d+)/g;
is_deeply \@taken, [2, 3, 3, 3, 3, 3, 3, 3], 'A22 each edit is told once, by one worker, with the number of users';
is @taken, $edits, 'A22 and none was read by halves';
note sprintf 'the longest delay over %d edits and 4 workers: %.0f ms', $edits, $longest * 1000;

done_testing;
