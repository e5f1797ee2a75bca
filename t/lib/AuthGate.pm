package AuthGate;

# What the tests share: the module under test, fixed users and keys, where logs go.
#
# A test is written with AuthGate::Server.
#
# Every secret below contains "canary", and scripts/test looks for it in every log (I115).

use v5.36;

use Cwd ();
use Exporter 'import';
use Fcntl qw(LOCK_EX LOCK_NB);
use File::Basename ();
use File::Glob ();
use File::Path ();
use File::Spec ();
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Test::Builder ();

our @EXPORT = qw(%PASSWORD wrong_password free_port is_within);

our %PASSWORD = (
    alice => 'canary-password-of-alice',
    bob   => 'canary-password-of-bob',
    carol => 'canary-password-of-carol',
);

# One that nobody has and that was not sent before: one that failed from the same network is not checked again.
my $wrong = 0;
sub wrong_password { return 'canary-wrong-' . ++$wrong }

# bcrypt at its lowest cost, made by `htpasswd -nbBC 4`.
our $USERS = <<'EOF_USERS';
alice:$2y$04$VaamhVi31m4.W425pmuBMuEfoHh7Wv4wIZPnpeVHZekCsFCnLXs8q:groups=ops,sre
bob:$2y$04$EDeoDwkovie/08V6.9SIHu6jWpwD2ICHmvI4a3qm.YHLJy8mK9ZMu:groups=dev
carol:$2y$04$Cq2ADKb4lhgDiawhPGukOOpp4XaUF8FYkDPYYhmZzawzflK6kfSuu
EOF_USERS

# base64 of 32 bytes that begin with "canary-key".
our $KEYS = <<'EOF_KEYS';
first Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=
second Y2FuYXJ5LWtleS1vZi10aGUtc2Vjb25kLXNpZ25pbmc=
EOF_KEYS

our $ROOT   = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
our $TARGET = File::Spec->rel2abs($ENV{CARGO_TARGET_DIR} || 'target', $ROOT);
our $NGINX  = $ENV{TEST_NGINX_BINARY}  // 'nginx';
our $MODULE = $ENV{AUTHGATE_MODULE}    // "$TARGET/nginx/ngx_http_authgate_module.so";    # '': it is in $NGINX
our $COMMAND = $ENV{AUTHGATE_COMMAND} // "$TARGET/release/authgate";
our $LOGS   = $ENV{AUTHGATE_TEST_LOGS} // "$TARGET/t-logs";
our $REPORTS = "$TARGET/reports";    # with nginx 1.28-sanitized alone
our $SLOWER  = -d $REPORTS ? 5 : 1;     # how much longer things may take with them
our $TEST   = File::Basename::basename($0, '.t');

# A directory that the workers, which run as nobody, can read.
our $DIRECTORY = File::Temp->newdir('authgate-XXXXXX', TMPDIR => 1);
chmod 0755, $DIRECTORY;

sub write_file ($path, $content) {
    open my $file, '>:raw', $path or die "$path: $!";
    print $file $content or die "$path: $!";
    close $file or die "$path: $!";
    return $path;
}

sub append_file ($path, $content) {
    open my $file, '>>:raw', $path or die "$path: $!";
    print $file $content or die "$path: $!";
    close $file or die "$path: $!";
}

sub read_file ($path) {
    open my $file, '<:raw', $path or return '';
    local $/;
    return <$file> // '';
}

# What is promised about time, in whatever unit. A busy machine spoils it, so it is held to where nothing else runs
# (scripts/test --step times); elsewhere it is enough that it came to pass.
our $EXACT = $ENV{AUTHGATE_EXACT_TIMES};

sub is_within ($took, $most, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $builder = Test::Builder->new;
    my $says    = defined $took ? sprintf '%.3f of %.3f', $took, $most : 'never';
    $builder->note("$name: $says");
    return $builder->ok(defined $took && (!$EXACT || $took < $most), $name) || $builder->diag($says);
}

# bcrypt of a password, as `htpasswd -nbBC COST` would make it.
sub bcrypt ($password, $cost = 4) {
    my @alphabet = ('.', '/', 'A' .. 'Z', 'a' .. 'z', 0 .. 9);
    my $salt     = join '', map { $alphabet[ rand @alphabet ] } 1 .. 21;
    return crypt $password, sprintf '$2y$%02d$%su', $cost, $salt;
}

# As nginx counts: 1026003 is 1.26.3.
sub nginx_version () {
    my ($x, $y, $z) = `\Q$NGINX\E -v 2>&1` =~ m{nginx/(\d+)\.(\d+)\.(\d+)} or die "no version of $NGINX";
    return $x * 1_000_000 + $y * 1_000 + $z;
}

# Below the range that the system takes the ports of outgoing connections from. It is this test's until that ends,
# whether anything listens there or not: a lock on a file says so to other tests, which may run beside this one.
sub free_port () {
    state @held;
    my $ports = File::Spec->tmpdir . "/authgate-ports-$>";
    File::Path::make_path($ports);
    die "$ports belongs to another user" if !-O $ports;
    for (1 .. 1000) {
        my $port = 20_000 + int rand 12_000;
        open my $lock, '>', "$ports/$port" or die "$ports/$port: $!";
        next if !flock $lock, LOCK_EX | LOCK_NB;
        # Others than these tests hold nothing.
        my $socket = IO::Socket::INET->new(
            Listen    => 1,
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            ReuseAddr => 1
        ) or next;
        push @held, $lock;
        return $port;
    }
    die 'no free port';
}

die "no $MODULE: scripts/test builds it, and runs this file: scripts/test $0\n" if $MODULE && !-e $MODULE;
File::Path::make_path($LOGS);
unlink File::Glob::bsd_glob("$LOGS/$TEST.*");

# What sanitizers see ends the process, and fails the test file whatever that makes of it.
sub take_reports () {
    my @reports = grep { -s } File::Glob::bsd_glob("$REPORTS/report.*");
    my $text = join "\n", map { read_file($_) } @reports;
    unlink @reports;
    return $text;
}

my $PID = $$;

# Ctrl-C and the like: what this file has started is stopped by the END of whoever started it. A child ends at once.
$SIG{$_} = sub { $$ == $PID ? exit 130 : POSIX::_exit(130) } for qw(HUP INT TERM);

END {
    end() if $$ == $PID;
}

sub end () {
    if (my $reports = take_reports()) {
        write_file("$REPORTS/$TEST", $reports);
        print STDERR "$reports\nin $REPORTS/$TEST\n";
        $? = 1;
    }
    write_file("$LOGS/$TEST.failed", failures()) if $0 =~ /\.t\z/ && ($? || !Test::Builder->new->is_passing);
}

# What failed, for scripts/test to say once more at the end: the assertions, or else how the file ended.
sub failures () {
    my @failed = grep { !$_->{ok} } Test::Builder->new->details;
    return join '', map { "$_->{name}\n" } @failed if @failed;
    return "exited with $? after " . Test::Builder->new->current_test . " assertions\n";
}

sub make_certificate ($certificate, $key) {
    my @names   = (-subj => '/CN=localhost', -addext => 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    my @command = (
        qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2),
        @names, -keyout => $key, -out => $certificate
    );
    system(join(' ', map { quotemeta } @command) . ' 2>/dev/null') == 0 or die "openssl failed";
}

1;
