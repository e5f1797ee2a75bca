# J134: what `state` keeps is for the workers alone. Whoever writes there signs sessions.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use Test::More;

plan skip_all => 'workers have another user only where root starts nginx' if $> != 0;

my $server = AuthGate::Daemon->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        state %%DIR%%/above/state;
    }
    server { listen 127.0.0.1:%%PORT%%; root %%DIR%%/html; authgate ops; }
EOF_HTTP
my $above  = $server->path('above');
my $folder = "$above/state";
my $nobody = getpwnam 'nobody';
mkdir $above, 0755 or die $!;
$server->run;

my $place = do {
    my $conf   = $server->path('nginx.conf');
    my @before = split /\n/, (split /^\s*state /m, AuthGate::read_file($conf))[0];
    "in $conf:" . (@before + 1);
};

sub mode ($mode, $path) { chmod oct $mode, $path or die "$path: $!" }
sub warnings ($said) { return scalar(() = $said =~ /\[(?:warn|emerg)\]/g) }

sub passes ($name) {
    my ($passed, $said) = $server->check;
    ok $passed, "J134 $name: nginx -t passes" or diag $said;
    is warnings($said), 0, "J134 $name: and says nothing of it" or diag $said;
}

sub warns ($name, $text) {
    my ($passed, $said) = $server->check;
    ok $passed, "J134 $name: nginx -t passes" or diag $said;
    like $said, qr/\[warn\] \Q$text $place\E$/m, "J134 $name: with a warning that names file and line";
    is warnings($said), 1, "J134 $name: once" or diag $said;
}

sub refuses ($name, $text) {
    my ($passed, $said) = $server->check;
    ok !$passed, "J134 $name: nginx -t fails";
    like $said, qr/\[emerg\] \Q$text $place\E$/m, "J134 $name: with file and line";
    ok !$server->reload, "J134 $name: a reload is refused";
    $server->expect_alert(qr/\[emerg\] .*\Q$text\E/);
}

passes('as nginx makes it');
my @files = map { "$folder/$_" } qw(key key.lock ops.ended ops.lock ops.users ops.users.lock);
is_deeply [sort glob "$folder/*"], \@files, 'J134 what is there';

# The directory and each file: others read, or the group writes.
for my $path ($folder, @files) {
    my ($right, $mend) = -d $path ? ('0700', 'chmod 700') : ('0600', 'chmod 600');
    my ($own) = $right =~ /(\d)00$/;
    for my $case (["0${own}40", 'read'], ["0${own}04", 'read'], ["0${own}20", 'written'], ["0${own}60", 'read and written']) {
        my ($mode, $how) = @$case;
        mode($mode, $path);
        my $octal = $mode =~ s/^0//r;
        warns("$path $mode", qq("$path" may be $how by others than its owner (mode $octal): $mend));
    }
    for my $mode ("0${own}02", "0${own}66", '0777', '1777') {
        mode($mode, $path);
        my $octal = sprintf '%o', oct($mode) & 0777;
        refuses("$path $mode", qq("$path" may be written by anyone (mode $octal): $mend));
    }
    # By its group the workers may write to a directory, so that nothing else is wrong with it.
    mode(-d $path ? '0770' : $right, $path);
    chown 1234, -1, $path or die $!;
    refuses("$path of another user", qq("$path" belongs to another user (1234): chown nobody));
    chown 0, -1, $path or die $!;
    passes("$path of root") if !-d $path;
    chown $nobody, -1, $path or die $!;
    mode($right, $path);
}
passes('as it was');

# Who may rename the directory puts another one there.
mode('0777', $above);
refuses('a directory above that anyone may write',
    qq("$folder" may be replaced by anyone, "$above" being writable for all (mode 777): chmod o-w "$above"));
mode('1777', $above);
passes('the same with the sticky bit');
mode('0755', $above);
chown 1234, -1, $above or die $!;
warns('a directory above of another user',
    qq("$folder" may be replaced by the owner of "$above" (user 1234): chown root "$above"));
chown 0, -1, $above or die $!;

# A start says it, too.
mode('0750', $folder);
my $warning = qr/\[warn\] .*"\Q$folder\E" may be read by others than its owner \(mode 750\): chmod 700 \Q$place\E/;
unlike $server->error_log, $warning, 'J134 no word yet in the log';
ok $server->reload, 'J134 0750: a reload is taken';
like $server->error_log, $warning, 'J134 0750: with the warning in the log';
mode('0702', $folder);
$server->stop;
like $server->try, qr/\[emerg\] .*"\Q$folder\E" may be written by anyone/, 'J134 0702: nginx does not start';
$server->expect_alert(qr/\[emerg\] .*may be written by anyone/);
$server->check_logs;

done_testing;
