# A22: an edit of the groups file takes effect in every worker within a second, without a reload, and
# signs nobody out. Users and groups are one set: both files are taken, or neither.

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
my %file = map { $_ => $server->path($_) } qw(users groups);
AuthGate::write_file($file{groups}, "# none yet\n");
$server->run;
my $workers = AuthGate::Workers->connect($server);
my @pids    = $workers->pids;
is @pids, 4, 'all four workers are asked';
my ($alice, $bob, $carol) = split /^/, $AuthGate::USERS;

my %token;
for my $user (qw(alice bob carol)) {
    my $client = $server->client;
    $client->sign_in($user);
    $token{$user} = $client->cookie('authgate');
}

# A user as one worker knows it: the verdict and the groups.
sub user ($name) {
    return sub ($pid) {
        my $response = $workers->get($pid, '/hello.txt', cookie($token{$name}));
        return join ' ', $response->header('X-Status') // '', $response->header('X-Groups') // '';
    };
}

# Writes a file in its place, as an editor without a temporary file does.
sub edit ($name, $content) { AuthGate::write_file($file{$name}, $content) }

# As an editor with one does.
sub exchange ($name, $content) {
    AuthGate::write_file("$file{$name}.new", $content);
    rename "$file{$name}.new", $file{$name} or die $!;
}

my ($longest, $edits) = (0, 0);

# Every worker comes to know each user so.
sub is_seen ($name, %wanted) {
    $edits++;
    my $from = Time::HiRes::time();
    for my $user (sort keys %wanted) {
        my $delay = $workers->settle(user($user), $wanted{$user});
        my $since = Time::HiRes::time() - $from;
        is_within $delay && $since, 1, "A22 $name: every worker says \"$wanted{$user}\" of $user within a second"
            or diag explain $workers->each_says(user($user));
        $longest = $since if $since > $longest;
    }
}

sub says ($name, %wanted) {
    for my $user (sort keys %wanted) {
        my $said = $workers->each_says(user($user));
        is_deeply $said, { map { $_ => $wanted{$user} } @pids }, "A22 $name: \"$wanted{$user}\" of $user";
    }
}

says('no groups in the groups file', alice => 'ok ops,sre', bob => 'ok dev', carol => 'ok ');

edit('groups', "night: alice carol\ndev: alice bob\n");
is_seen('written in place', alice => 'ok ops,sre,night,dev', bob => 'ok dev', carol => 'ok night');

exchange('groups', "day: carol\n");
is_seen('exchanged', alice => 'ok ops,sre', carol => 'ok day');

edit('groups', '');
is_seen('emptied', carol => 'ok ');

exchange('groups', "day: carol nobody Alice\r\nops: bob\n");
is_seen('users that are not there say nothing', carol => 'ok day', bob => 'ok dev,ops', alice => 'ok ops,sre');

# Over HTTP, in JSON: the same list.
my ($pid) = @pids;
like $workers->get($pid, '/authgate/session', cookie($token{bob}))->body, qr/"groups":\["dev","ops"\]/,
    'A22 GET session has them too';

# The users file alone: the groups of the other hold on.
exchange('users', $alice . ($bob =~ s/:groups=dev//r) . $carol);
is_seen('the users file alone', bob => 'ok ops', carol => 'ok day', alice => 'ok ops,sre');

my @taken = $server->error_log =~ /notice.*users and groups files of realm "ops" read again, users: (\d+)/g;
is_deeply \@taken, [(3) x $edits], 'A22 each edit is told once, by one worker';

# Both at once are one set: a user is never seen with the groups of one file alone. Whoever is asked
# meanwhile knows the old state or the new one.
{
    my $from = Time::HiRes::time();
    edit('users',  $alice . ($bob =~ s/groups=dev/groups=old/r) . $carol);
    edit('groups', "new: bob\nday: carol\n");
    my $apart = Time::HiRes::time() - $from;
    my %seen;
    AuthGate::Server::wait_until {
        my %now = reverse $workers->each_says(user('bob'))->%*;
        @seen{ keys %now } = ();
        keys %now == 1 && exists $now{'ok old,new'};
    } 5, 'both files to be taken';
    # Where this process was held up between them, they are two edits.
    delete $seen{'ok old,ops'} if $apart > 0.15;
    is_deeply [sort keys %seen], ['ok old,new', 'ok ops'], 'A22 two files edited together are taken together';
}

says('nobody was signed out', alice => 'ok ops,sre', bob => 'ok old,new', carol => 'ok day');
is_deeply [$workers->pids], [sort { $a <=> $b } $server->workers], 'A22 without a reload: the same workers';
unlike $server->error_log, qr/not taken/, 'and there was nothing to complain of';
note sprintf 'the longest delay over %d edits and 4 workers: %.0f ms', $edits, $longest * 1000;

done_testing;
