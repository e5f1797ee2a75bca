# I113: two edits of the users file that leave the same marks are both seen.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Workers;
use Test::More;
use Time::HiRes ();

require 'syscall.ph';

my $server = AuthGate::Server->start(<<"EOF_HTTP", workers => 4);
    authgate_realm ops { users %%USERS%%; }
    server { $AuthGate::Workers::SERVER authgate ops; }
EOF_HTTP
my $workers = AuthGate::Workers->connect($server);
my $file    = $server->path('users');
my $client  = $server->client;
$client->sign_in('alice');
my $token = $client->cookie('authgate');

my $groups = sub ($pid) { $workers->get($pid, '/hello.txt', cookie($token))->header('X-Groups') // '' };

# All of the same length.
sub content ($group) { return $AuthGate::USERS =~ s/groups=\Kops,sre/$group/r }

sub is_seen ($name, $group) {
    my $delay = $workers->settle($groups, $group);
    is_within $delay, 1, "I113 $name: every worker has it within a second"
        or diag explain $delay // $workers->each_says($groups);
}

# Device, inode, size and the two times, of the system's whole precision.
sub marks () { return join ' ', (Time::HiRes::stat($file))[0, 1, 7, 9, 10] }

# Over the bytes that are there: the same inode, no moment at which the file is empty.
sub overwrite ($group) {
    open my $out, '+<:raw', $file or die $!;
    print $out content($group) or die $!;
    close $out or die $!;
}

sub exchange ($group) {
    AuthGate::write_file("$file.new", content($group));
    utime 1_700_000_000, 1_700_000_000, "$file.new" or die $!;
    rename "$file.new", $file or die $!;
}

overwrite('group-0');
is_seen('at first', 'group-0');

# One right after the other: whatever the clock's tick, the last holds.
for my $round (1 .. 5) {
    overwrite("one-t-$round");
    overwrite("two-t-$round");
    is_seen("two edits at once, round $round", "two-t-$round");
}

# The same size and modification time, as `cp -p` or rsync leave them.
for my $round (1 .. 3) {
    overwrite("mtime-$round");
    utime 1_700_000_000, 1_700_000_000, $file or die $!;
    is_seen("the same mtime and inode, round $round", "mtime-$round");
}
for my $round (1 .. 3) {
    exchange("inode-$round");
    is_seen("the same mtime, another inode, round $round", "inode-$round");
}

# The second right after the first was read: no mark differs where the file system's clock ticks
# slowly. A mapped page is such a clock: from the first write on, the next ones leave no mark.
open my $map, '+<:raw', $file or die $!;
my $read_and_write = 3;
my $shared         = 1;
my $address        = syscall SYS_mmap(), 0, -s $file, $read_and_write, $shared, fileno $map, 0;
die "mmap: $!" if $address == -1;

sub store ($group) {
    pipe my $from, my $to or die $!;
    syswrite $to, content($group) or die $!;
    my $length = length content($group);
    syscall(SYS_read(), fileno $from, $address, $length) == $length or die "read: $!";
}

# A round in which the system wrote the page to the disk meanwhile does not count.
my $same = 0;
for my $round (1 .. 9) {
    overwrite("first-$round");
    store("first-$round");
    is_seen("a mapped file, first edit, round $round", "first-$round");
    my $marks = marks();
    store("other-$round");
    is_seen("a mapped file, second edit, round $round", "other-$round");
    $same++ if marks() eq $marks;
    last if $same == 3;
}
is $same, 3, 'I113 a mapped file: in three rounds the two edits left the same marks';

done_testing;
