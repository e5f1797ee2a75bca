# I113a: a journal that is damaged, cut, removed or cannot be written.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use Test::More;

my $RECORD = 48;
my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; limit off; state %%DIR%%/state; }
    add_header X-Worker $pid always;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
EOF_HTTP

my $server = AuthGate::Daemon->prepare($http, workers => 2);
my $folder = $server->path('state');
my $journal = "$folder/ops.ended";
$server->run;

sub sign_in ($user) {
    my $client = $server->client(headers => [], port => $server->port('all'));
    $client->sign_in($user);
    return $client;
}

# Signs in and out: a cookie that has ended.
sub ended ($status = 303) {
    my $client = sign_in('bob');
    my $cookie = $client->cookie('authgate');
    is $client->sign_out->status, $status, "bob signs out: $status";
    return $cookie;
}

my $alice = sign_in('alice')->cookie('authgate');

sub holds ($name, @ended) {
    my %verdict = map { $_ => 1 } map { $server->verdicts($_) } @ended;
    is join(' ', sort keys %verdict), '401', "I113a $name: what has ended stays so";
    is $server->verdicts($alice), '200', "I113a $name: alice goes on";
}

sub log_of ($action) { return join '', $server->lines_of($action) }
sub wait_for_records ($count, $name) {
    ok eval {
        AuthGate::Server::wait_until { (-s $journal // 0) >= $count * $RECORD } 8, 'records';
    }, "I113a $name: the journal is written anew" or diag -s $journal // 'no journal';
}

# A write that was killed half way.
my @ended = map { ended() } 1 .. 3;
is -s $journal, 3 * $RECORD, 'a record for each logout';
{
    $server->stop;
    AuthGate::append_file($journal, 'torn' x 5);
    unlike log_of(sub { $server->run }), qr/\[crit\]/, 'I113a torn tail: nothing to complain of';
    holds('torn tail', @ended);
    push @ended, ended();
    is -s $journal, 4 * $RECORD, 'I113a torn tail: the next record comes in its place';
    holds('torn tail and a logout', @ended);
    $server->kill_all;
    $server->run;
    holds('torn tail, a logout and a restart', @ended);
}

# The same while others read.
{
    AuthGate::append_file($journal, "\xff" x 47);
    push @ended, ended();
    is -s $journal, 5 * $RECORD, 'I113a torn while it runs: the next record comes in its place';
    $server->restart;
    holds('torn while it runs', @ended);
}

# Bits flipped while nginx was down: what a record said is lost, and nothing else is.
{
    $server->stop;
    my $content = AuthGate::read_file($journal);
    substr($content, 2 * $RECORD + 10, 1) ^.= "\x04";
    AuthGate::write_file($journal, $content);
    my $lost = splice @ended, 2, 1;
    like log_of(sub { $server->run }), qr/\[crit\].*1 damaged records? skipped/, 'I113a bit flipped: crit';
    holds('bit flipped', @ended);
    wait_for_records(4, 'bit flipped');
    AuthGate::Server::wait_until { AuthGate::read_file($journal) ne $content } 8, 'another journal';
    unlike log_of(sub { $server->restart }), qr/\[crit\]/, 'I113a bit flipped: mended, nothing more is said';
    holds('bit flipped and mended', @ended);
}

# Bits flipped while nginx runs, in what it has read: it knows better.
{
    my $content = AuthGate::read_file($journal);
    substr($content, $RECORD + 20, 1) ^.= "\x80";
    open my $file, '+<:raw', $journal or die $!;
    print $file $content;
    close $file;
    holds('bit flipped behind its back', @ended);
}

# Removed while nginx runs.
for my $name ('removed', 'removed with its lock') {
    unlink $journal;
    unlink "$folder/ops.lock" if $name =~ /lock/;
    wait_for_records(scalar @ended, $name);
    holds($name, @ended);
    push @ended, ended();
    $server->kill_all;
    $server->run;
    holds("$name, and a restart", @ended);
}

# Removed, and signed out before anyone has looked.
{
    unlink $journal;
    my $client = sign_in('bob');
    push @ended, $client->cookie('authgate');
    like $client->sign_out->status, qr/\A(?:303|500)\z/, 'I113a removed, signed out at once';
    holds('removed, signed out at once', @ended);
    wait_for_records(scalar @ended, 'removed, signed out at once');
    $server->restart;
    holds('removed, signed out at once, and a restart', @ended);
}

# Cut while nginx runs, to nothing and to a part.
for my $keep (0, 2.5) {
    truncate $journal, $keep * $RECORD or die $!;
    wait_for_records(scalar @ended, "cut to $keep records");
    holds("cut to $keep records", @ended);
    push @ended, ended();
    $server->kill_all;
    $server->run;
    holds("cut to $keep records, and a restart", @ended);
}

# The folder is away for a while: nothing can be written down. What ended has ended all the same.
{
    rename $folder, "$folder.away" or die $!;
    my $client = sign_in('bob');
    push @ended, my $cookie = $client->cookie('authgate');
    my @lines = $server->lines_of(sub { is $client->sign_out->status, 500, 'I113a folder away: 500' });
    ok((grep { /\[crit\]/ } @lines), 'I113a folder away: crit') or diag @lines;
    # The second of two ends as well, though the first could not be written down.
    my @two = map { sign_in('carol')->cookie('authgate') } 1, 2;
    push @ended, @two;
    my $both = join '; ', map { "authgate=$_" } @two;
    my $browser = $server->client(headers => [], port => $server->port('all'));
    my $answer  = $browser->post('/authgate/logout', [], Cookie => $both);
    is $answer->status, 500, 'I113a folder away, two sessions: 500';
    holds('folder away', @ended);
    is sign_in('carol')->get('/hello.txt')->status, 200, 'I113a folder away: signing in works';
    rename "$folder.away", $folder or die $!;
    wait_for_records(scalar @ended, 'folder back');
    push @ended, ended();
    $server->kill_all;
    $server->run;
    holds('folder back, and a restart', @ended);
}

# Twin: the same without anything written anew in between, killed at once.
{
    my $size = -s $journal;
    my @more = map { ended() } 1 .. 5;
    $server->kill_all;
    is -s $journal, $size + 5 * $RECORD, 'I113a killed at once: a record for each answered logout';
    $server->run;
    holds('killed at once', @ended, @more);
}
$server->stop;

# A full disk.
SKIP: {
    skip 'only root can mount', 8 if $> != 0;
    $server = AuthGate::Daemon->prepare($http, workers => 2);
    $folder = $server->path('state');
    $journal = "$folder/ops.ended";
    mkdir $folder;
    my $options = sprintf 'size=64k,mode=700,uid=%d,gid=%d', scalar getpwnam('nobody'), scalar getgrnam('nogroup');
    skip 'no tmpfs can be mounted', 8 if system 'mount', '-t', 'tmpfs', '-o', $options, 'tmpfs', $folder;
    eval { full_disk(); 1 } or fail "full disk: $@";
    $server->stop;
    system 'umount', $folder;
}

sub full_disk () {
    $server->run;
    $alice = sign_in('alice')->cookie('authgate');
    @ended = (ended());
    system "head -c 65536 /dev/zero >\Q$folder\E/filler 2>/dev/null";
    # There is room in the block that the journal has begun.
    my ($status, $tries, @lines) = (303, 0);
    until ($status != 303 || $tries++ > 100) {
        my $client = sign_in('bob');
        push @ended, $client->cookie('authgate');
        @lines = $server->lines_of(sub { $status = $client->sign_out->status });
    }
    is $status, 500, 'I113a full disk: 500';
    ok((grep { /\[crit\]/ } @lines), 'I113a full disk: crit') or diag @lines;
    holds('full disk', @ended);
    is -s $journal, 85 * $RECORD, 'I113a full disk: whole records are there';
    unlink "$folder/filler";
    wait_for_records(scalar @ended, 'space again');
    $server->kill_all;
    $server->run;
    holds('space again, and a restart', @ended);
}

done_testing;
