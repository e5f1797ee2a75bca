# G79: a credential that held dies with any change of the user, within a second, in every worker.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Users;
use AuthGate::Workers;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<"EOF_HTTP", workers => 4);
    authgate_realm ops {
        users %%USERS%%;
        accept cookie bearer basic;
        basic_cache 1h;
        limit off;
    }
    server {
        $AuthGate::Workers::SERVER
        authgate ops;
        location = /sre { authgate_require group=sre; try_files /hello.txt =404; }
    }
EOF_HTTP
my $workers = AuthGate::Workers->connect($server);
my @alice = right('alice');

sub status_of ($path, @headers) {
    return sub ($pid) { $workers->get($pid, $path, @headers)->header('X-Status') };
}

sub logins ($kind = 'login ok') { return scalar(() = $server->error_log =~ /authgate: $kind/g) }

# All workers know it after one check.
is logins(), 0, 'no login yet';
is_deeply $workers->each_says(status_of('/hello.txt', @alice)), { map { $_ => 'ok' } $workers->pids },
    'G79 every worker lets alice in';
is logins(), 1, 'G79 after one check by one of them';

sub changes ($name, $to, $status, @headers) {
    my $before = $workers->each_says(status_of('/hello.txt', @headers));
    AuthGate::write_file($server->path('users.new'), $to);
    rename $server->path('users.new'), $server->path('users');
    my $seconds = $workers->settle(status_of('/hello.txt', @headers), $status);
    is_within $seconds, 1.5, "G79 $name: $status in every worker within a second"
        or diag $seconds // 'never';
    ok $workers->hold(status_of('/hello.txt', @headers), $status, 0.5), "G79 $name: and it stays so";
}

my $other = $AuthGate::USERS =~ s/^alice:[^:]*/'alice:' . bcrypt('canary-other', 4)/mer;
changes('password changed', $other, 'bad_password', @alice);
is_deeply $workers->each_says(status_of('/hello.txt', basic('alice', 'canary-other'))),
    { map { $_ => 'ok' } $workers->pids }, 'G79 the new one is taken';
changes('password changed back', $AuthGate::USERS, 'ok', @alice);
changes('the new one is dead', $AuthGate::USERS, 'bad_password', basic('alice', 'canary-other'));

# The same password, hashed anew, is another hash. Alice is let in before and after: that bob is gone tells that a worker
# has the new file.
is_deeply $workers->each_says(status_of('/hello.txt', right('bob'))), { map { $_ => 'ok' } $workers->pids },
    'bob is there';
my $seen = logins();
changes('the same password hashed anew, and bob gone',
    $AuthGate::USERS =~ s/^alice:[^:]*/'alice:' . bcrypt($PASSWORD{alice}, 4)/mer =~ s/^bob:.*\n//mr,
    'unknown_user', right('bob'));
is logins(), $seen, 'G79 nobody has asked for alice';
is_deeply $workers->each_says(status_of('/hello.txt', @alice)), { map { $_ => 'ok' } $workers->pids },
    'G79 the same password hashed anew: every worker lets alice in';
is logins(), $seen + 1, 'G79 the same password hashed anew: checked again, once';

changes('deleted', $AuthGate::USERS =~ s/^alice:.*\n//mr, 'unknown_user', @alice);
changes('there again', $AuthGate::USERS, 'ok', @alice);
changes('disabled',
    sprintf('{"alice": {"password": "%s", "disabled": true}, "bob": "%s"}',
        map { $AuthGate::USERS =~ /^$_:([^:\n]*)/m } qw(alice bob)),
    'unknown_user', @alice);
changes('enabled again', $AuthGate::USERS, 'ok', @alice);

# A group is looked up, and needs no check.
is_deeply $workers->each_says(status_of('/sre', @alice)), { map { $_ => 'ok' } $workers->pids },
    'alice is in the group';
$seen = logins();
AuthGate::write_file($server->path('users'), $AuthGate::USERS =~ s/groups=ops,sre/groups=ops/r);
my $seconds = $workers->settle(status_of('/sre', @alice), 'forbidden');
is_within $seconds, 1.5, 'G79 out of the group: 403 in every worker within a second';
is_deeply $workers->each_says(status_of('/hello.txt', @alice)), { map { $_ => 'ok' } $workers->pids },
    'G79 out of the group: still alice';
is logins(), $seen, 'G79 out of the group: without another check';

# A reload keeps what has been checked.
$server->reload;
$server->wait_for_old_workers;
$workers = AuthGate::Workers->connect($server);
is_deeply $workers->each_says(status_of('/hello.txt', @alice)), { map { $_ => 'ok' } $workers->pids },
    'G79 after a reload';
is logins(), $seen, 'G79 after a reload: without another check';

# A shorter time holds at once.
$server->reload($server->{http} =~ s/basic_cache 1h/basic_cache 1s/r);
$server->wait_for_old_workers;
$workers = AuthGate::Workers->connect($server);
my $before = logins();
my ($pid) = $workers->pids;
$workers->get($pid, '/hello.txt', @alice);
is logins(), $before + 1, 'G79 a shorter time after a reload: checked again';
AuthGate::Server::wait_until { $workers->get($pid, '/hello.txt', @alice); logins() > $before + 1 } 5,
    'the time to pass';
pass 'G79 and again after a second';

done_testing;
