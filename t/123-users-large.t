# I117: large and odd users files are read in bounded time, and never on the event loop.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Workers;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<"EOF_HTTP", workers => 2);
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server { $AuthGate::Workers::SERVER authgate ops; }
EOF_HTTP
my $workers = AuthGate::Workers->connect($server);
my $file    = $server->path('users');
# A session would not come back with her line (J123).
my @token = (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice'));

my ($alice) = split /^/, $AuthGate::USERS;
my $hash    = (split /:/, $alice)[1];
my $LINES   = 100_000;
my $LONG    = 2**20;

# What each worker makes of alice's API token: it holds while her line is in the file.
my $alice_is = sub ($pid) { $workers->get($pid, '/hello.txt', @token)->status };

# nginx -t: whether it passed, what it said, and how long it took.
sub check ($content) {
    AuthGate::write_file($server->path('users.checked'), $content);
    my $conf = AuthGate::read_file($server->path('nginx.conf'));
    AuthGate::write_file($server->path('nginx.conf'), $conf =~ s/users \K\Q$file\E/$file.checked/r);
    my $from = Time::HiRes::time();
    my @said = $server->check;
    my $took = Time::HiRes::time() - $from;
    AuthGate::write_file($server->path('nginx.conf'), $conf);
    return (@said, $took);
}

# At once, so that nobody reads one half.
sub exchange ($content) {
    AuthGate::write_file("$file.new", $content);
    rename "$file.new", $file or die $!;
}

# Exchanges the file and asks both workers all the time. Returns how long it took until they all had it,
# and the longest that any request had to wait meanwhile.
sub ask_meanwhile ($content, $wanted) {
    exchange($content);
    my ($from, $worst) = (Time::HiRes::time(), 0);
    my %waiting = map { $_ => 1 } $workers->pids;
    while (%waiting && Time::HiRes::time() < $from + 20) {
        for my $pid ($workers->pids) {
            my $asked = Time::HiRes::time();
            delete $waiting{$pid} if $alice_is->($pid) == $wanted;
            my $waited = Time::HiRes::time() - $asked;
            $worst = $waited if $waited > $worst;
        }
        Time::HiRes::sleep(0.002);
    }
    return if %waiting;
    return (Time::HiRes::time() - $from, $worst);
}

sub complaints () { return grep { /users file of realm "ops" not taken/ } split /^/, $server->error_log }

my %large = (
    'htpasswd' => join('', map { "user$_:$hash\n" } 1 .. $LINES),
    'JSON'     => "{\n" . join(",\n", map { qq("user$_": "$hash") } 1 .. $LINES) . "\n}\n",
    'web configuration' => "basic_auth_users:\n" . join('', map { "  user$_: $hash\n" } 1 .. $LINES),
);

for my $format (sort keys %large) {
    my ($passed, $said, $took) = check($large{$format});
    ok $passed, "I117 $LINES users, $format: nginx -t passes" or diag $said;
    is_within $took, 5 * $AuthGate::SLOWER, "I117 $LINES users, $format: in bounded time";

    # Three rounds, for others use this machine too. Where it was read on the event loop, all would be slow.
    my @worst;
    for my $round (1 .. 3) {
        my ($delay, $worst) = ask_meanwhile($large{$format} . ' ' x $round, 401);
        is_within $delay, 3 * $AuthGate::SLOWER, "I117 $LINES users, $format, round $round: taken by every worker";
        my ($back, $worst_back) = ask_meanwhile($AuthGate::USERS, 200);
        is_within $back, 1 * $AuthGate::SLOWER, "I117 few users again, round $round: taken by every worker";
        push @worst, $worst > $worst_back ? $worst : $worst_back;
        note sprintf '%s: nginx -t %.0f ms, taken after %.0f ms, longest wait %.0f ms', $format,
            1000 * $took, 1000 * ($delay // 99), 1000 * $worst[-1];
    }
    is_within((sort { $a <=> $b } @worst)[1], 0.05 * $AuthGate::SLOWER, "I117 $LINES users, $format: requests do not wait meanwhile");
}

# Files that are taken: a BOM, Windows' ends of lines, a line of 1 MiB.
my %odd = (
    'a BOM'            => "\xef\xbb\xbf$AuthGate::USERS",
    'CRLF'             => $AuthGate::USERS =~ s/\n/\r\n/gr,
    'a BOM and CRLF'   => "\xef\xbb\xbf" . $AuthGate::USERS =~ s/\n/\r\n/gr,
    'a BOM before JSON' => qq(\xef\xbb\xbf{ "alice": { "password": "$hash",\r\n "groups": ["ops", "sre"] }}\r\n),
    'no last newline'  => $AuthGate::USERS =~ s/\n\z//r,
    'a comment of 1 MiB' => '#' . 'x' x $LONG . "\n$AuthGate::USERS",
    'blanks of 1 MiB'  => $AuthGate::USERS . ' ' x $LONG . "\n",
);
for my $name (sort keys %odd) {
    my ($passed, $said, $took) = check($odd{$name});
    ok $passed, "I117 $name: nginx -t passes" or diag $said;
    is_within $took, 2 * $AuthGate::SLOWER, "I117 $name: in bounded time";
    ask_meanwhile($alice =~ s/^alice/dave/r, 401);
    my ($delay) = ask_meanwhile($odd{$name}, 200);
    is_within $delay, 1 * $AuthGate::SLOWER, "I117 $name: taken by every worker";
    my ($pid) = $workers->pids;
    is $workers->get($pid, '/hello.txt', @token)->header('X-Groups'), 'ops,sre',
        "I117 $name: the groups as they are";
}

# Files that are not.
my %mistake = (
    'a duplicate user' => [$AuthGate::USERS . $alice, 4, 'user "alice" is duplicate'],
    'a duplicate in JSON' => [qq({ "bob": "$hash",\n"alice": "$hash",\n"alice": "$hash" }), 3, 'user "alice" is duplicate'],
    'a duplicate after 10^5' => ["$large{htpasswd}user5:$hash\n", $LINES + 1, 'user "user5" is duplicate'],
    'a name of 1 MiB' => ['x' x $LONG . ":$hash\n", 1, 'invalid user name'],
    'a hash of 1 MiB' => ['alice:$2y$04$' . 'x' x $LONG . "\n", 1, 'hash is too long'],
    'a line of 1 MiB without a colon' => [$AuthGate::USERS . 'x' x $LONG, 4, ''],
);
for my $name (sort keys %mistake) {
    my ($content, $line, $reason) = $mistake{$name}->@*;
    my ($passed, $said, $took) = check($content);
    ok !$passed, "I117 $name: nginx -t fails";
    like $said, qr{\[emerg\] .*"\Q$file\E\.checked:$line": \Q$reason\E.* in \S+nginx\.conf:\d+},
        "I117 $name: with file and line";
    cmp_ok length $said, '<', 2048, "I117 $name: in few words";
    is_within $took, 2 * $AuthGate::SLOWER, "I117 $name: in bounded time";

    my $before = complaints();
    exchange($content);
    AuthGate::Server::wait_until { complaints() > $before } 5, 'a line in the log';
    ok $workers->hold($alice_is, 200, 0.8), "I117 $name, live: the last good set holds";
    my @lines = complaints();
    is @lines, $before + 1, "I117 $name, live: one line";
    like $lines[-1], qr{"\Q$file\E:$line": \Q$reason\E}, "I117 $name, live: with file and line";
    exchange($AuthGate::USERS);
}
$server->expect_alert(qr/\[emerg\] .*users\.checked:/);

done_testing;
