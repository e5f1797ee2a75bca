# J129: a configuration that fails after nginx has mapped its shared memory leaves no trace in it: the
# workers that run use that memory.

use v5.36;

use AuthGate;
use AuthGate::Server;
use IO::Socket::INET;
use Test::More;

my $COMMAND = $AuthGate::COMMAND;
die "no $COMMAND: run scripts/build first\n" if !-x $COMMAND;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
my $server = AuthGate::Server->start($http);
my ($alice, $bob, $carol) = split /^/, $AuthGate::USERS;

# Another users file, and another state, in which alice is ended below.
AuthGate::write_file($server->path('other'), $alice);
mkdir $server->path('other-state'), 0700 or die $!;
chown scalar getpwnam('nobody'), scalar getgrnam('nogroup'), $server->path('other-state') if $> == 0;
AuthGate::write_file($server->path('other-state/ops.ended'), '');
chown scalar getpwnam('nobody'), scalar getgrnam('nogroup'), $server->path('other-state/ops.ended') if $> == 0;

my %client = map { $_ => $server->client } qw(alice bob);
$client{$_}->sign_in($_) for keys %client;
system($COMMAND, qw(session revoke --realm ops --user alice --state), $server->path('other-state')) == 0
    or die 'authgate session revoke';
my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $port = $taken->sockport;

sub are_in ($when) {
    is $client{$_}->get('/hello.txt')->status, 200, "J129 $when: $_ is in" for qw(alice bob);
}

sub fails ($what, $text) {
    my @workers = $server->workers;
    my $seen = length $server->error_log;
    $server->configure($text . "    server { listen 127.0.0.1:$port; }\n");
    kill HUP => $server->pid;
    AuthGate::Server::wait_until {
        substr($server->error_log, $seen) =~ /still could not bind/;
    }
    20, 'the reload to fail';
    is_deeply [$server->workers], \@workers, "$what: the reload is refused";
}

are_in('at first');
fails('another state', $http =~ s/state;/other-state;/r);
are_in('a reload with another state has failed');
fails('another users file', $http =~ s/%%USERS%%/%%DIR%%\/other/r);
are_in('a reload with another users file has failed');

# The last good users hold for a new worker as well: nobody has taken any others.
AuthGate::append_file($server->path('users'), "no colon\n");
AuthGate::Server::wait_until { $server->error_log =~ /not taken/ } 10, 'a line about the broken file';
my ($old) = $server->workers;
kill KILL => $old;
AuthGate::Server::wait_until { grep { $_ != $old } $server->workers } 10, 'another worker';
are_in('a worker forked after the failure');
$server->expect_alert(qr/exited on signal 9|bind\(\) to|still could not bind/);

done_testing;
