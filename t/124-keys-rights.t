# I114: the keys file is for its owner alone. Workers need not read it; others may not write to it.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;

plan skip_all => 'workers have another user only where root starts nginx' if $> != 0;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP
my $server = AuthGate::Server->start($http, workers => 2);
my $file   = $server->path('keys');
my $place  = place();
my $alice  = $server->client;
$alice->sign_in('alice');

# The directive's place, as nginx writes it.
sub place () {
    my $conf   = $server->path('nginx.conf');
    my @before = split /\n/, (split /^\s*keys /m, AuthGate::read_file($conf))[0];
    return "in $conf:" . (@before + 1);
}

sub mode ($mode) {
    chmod oct $mode, $file or die $!;
}

# Every secret of the file, as it stands there and as bytes.
my @secrets = map { /(\S+)$/ } split /\n/, $AuthGate::KEYS;

sub shows_no_key ($name, $said) {
    my @shown = grep { index($said, $_) >= 0 } @secrets, map { substr $_, 0, 12 } @secrets;
    is_deeply \@shown, [], "I114 $name: no byte of a key is shown";
    unlike $said, qr/canary/, "I114 $name: nor in the clear";
}

sub gates ($name) {
    is $alice->get('/hello.txt')->status, 200, "I114 $name: alice's session is good";
    is $server->client->login('bob', $PASSWORD{bob})->status, 303, "I114 $name: bob signs in";
}

# 0600 root, workers as nobody.
{
    my ($mode, $owner) = (stat $file)[2, 4];
    is sprintf('%o %d', $mode & 0777, $owner), '600 0', 'I114 the file is for root alone';
    my $nobody = getpwnam 'nobody';
    for my $pid ($server->workers) {
        my ($uid) = AuthGate::read_file("/proc/$pid/status") =~ /^Uid:\s+\d+\s+(\d+)/m;
        is $uid, $nobody, 'I114 0600: a worker is nobody';
    }
    my ($passed, $said) = $server->check;
    ok $passed, 'I114 0600: nginx -t passes';
    unlike $said, qr/\[warn\]|\[emerg\]/, 'I114 0600: and says nothing of it';
    shows_no_key('0600', $said);
    gates('0600');
    ok reload_whole($server), 'I114 0600: a reload is taken';
    gates('0600 after a reload');
    unlike $server->error_log, qr/\[warn\]/, 'I114 0600: no warning in the log';
}

# More than nothing for group or others is warned of: reading, writing, in any mixture.
for my $mode (qw(0640 0644 0604 0620 0660 0664)) {
    mode($mode);
    my $octal = $mode =~ s/^0//r;
    my ($passed, $said) = $server->check;
    ok $passed, "I114 $mode: nginx -t passes";
    like $said, qr/\[warn\] "\Q$file\E" may be .*\(mode $octal\): chmod 600 \Q$place\E$/m,
        "I114 $mode: with a warning that names file and line";
    is scalar(() = $said =~ /\[warn\]/g), 1, "I114 $mode: once";
    shows_no_key($mode, $said);
}
ok reload_whole($server), 'I114 0664: a reload is taken';
like $server->error_log, qr/\[warn\] \d+#\d+: "\Q$file\E" may be .*\(mode 664\): chmod 600 \Q$place\E$/m,
    'I114 0664: with the warning in the log';
gates('0664');

# Written by anyone: whoever writes it signs sessions.
for my $mode (qw(0602 0606 0622 0666 0777)) {
    mode($mode);
    my $octal = $mode =~ s/^0//r;
    my ($passed, $said) = $server->check;
    ok !$passed, "I114 $mode: nginx -t fails";
    like $said, qr/\[emerg\] "\Q$file\E" may be written by anyone \(mode $octal\): chmod 600 \Q$place\E$/m,
        "I114 $mode: with file and line";
    shows_no_key($mode, $said);
    my @workers = sort $server->workers;
    ok !$server->reload, "I114 $mode: a reload is refused";
    is_deeply [sort $server->workers], \@workers, "I114 $mode: the same workers";
    gates($mode);
}
$server->expect_alert(qr/\[emerg\] .*may be written by anyone/);

# What a link points to is what counts.
mode('0666');
rename $file, "$file.there" or die $!;
symlink "$file.there", $file or die $!;
ok !($server->check)[0], 'I114 a link to 0666: nginx -t fails';
chmod 0600, "$file.there" or die $!;
my ($passed, $said) = $server->check;
ok $passed, 'I114 a link to 0600: nginx -t passes';
unlike $said, qr/\[warn\]/, 'I114 a link to 0600: without a warning';

# A mistake in the file shows none of it either.
for my $broken ("$AuthGate::KEYS!!$secrets[0]\n", "third $secrets[0] $secrets[1]\n", $AuthGate::KEYS x 2) {
    AuthGate::write_file("$file.there", $broken);
    my ($passed, $said) = $server->check;
    ok !$passed, 'I114 a mistake: nginx -t fails';
    like $said, qr/\[emerg\] .*"\Q$file\E:\d+": .* \Q$place\E$/m, 'I114 a mistake: with file and line';
    shows_no_key('a mistake', $said);
}
AuthGate::write_file("$file.there", $AuthGate::KEYS);
$server->expect_alert(qr/\[emerg\] .*"\Q$file\E/);

# The right mode again.
ok reload_whole($server), 'I114 0600 again: the reload is taken';
gates('0600 again');
is_deeply [grep { index($server->error_log, $_) >= 0 } @secrets], [], 'I114 no key in the log';

done_testing;
