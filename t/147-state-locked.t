# J135: another process holds the lock of the journal. Who signs out, or signs in anew, waits for the answer until that
# is written down, for 5 s at most; the worker waits for nothing. What has ended has ended at once.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Token;
use Fcntl qw(LOCK_EX LOCK_UN);
use Test::More;
use Time::HiRes ();

my $PATIENCE = 5;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        location = /status { authgate off; stub_status; access_log off; }
    }
EOF_HTTP
my $alice = $server->client;
$alice->sign_in('alice');

open my $lock, '<', $server->path('state/ops.lock') or die $!;
sub hold () { flock $lock, LOCK_EX or die $!; return Time::HiRes::time() }
sub free () { flock $lock, LOCK_UN or die $!; return }

# The cookie of a session that has just begun.
sub session ($user = 'bob') {
    my $client = $server->client;
    $client->sign_in($user);
    return $client->cookie('authgate');
}

sub is_in ($cookie) {
    return $server->client(headers => [])->get('/hello.txt', Cookie => "authgate=$cookie")->status == 200;
}

sub is_written ($cookie) {
    my $id = AuthGate::Token::read($cookie)->{session};
    return index(AuthGate::read_file($server->path('state/ops.ended')), pack 'H*', $id) >= 0;
}

sub will_be_written ($cookie, $case) {
    ok eval { AuthGate::Server::wait_until { is_written($cookie) } 20, 'the end to be written'; 1 }, $case or diag $@;
}

my @same_origin = ('Sec-Fetch-Site' => 'same-origin', 'Content-Type' => 'application/x-www-form-urlencoded');

sub sign_out ($cookie) {
    my @lines = (
        'POST /authgate/logout HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Length: 0',
        'Sec-Fetch-Site: same-origin',    "Cookie: authgate=$cookie"
    );
    return AuthGate::Pending->send($server->client, join "\r\n", @lines, '', '');
}

sub sign_in_again ($cookie) {
    my $client = $server->client;
    return AuthGate::Pending->login($client, 'bob', $PASSWORD{bob},
        headers => { Cookie => "authgate=$cookie", @same_origin });
}

# The lock is held while all of this happens. Answers that the journal has to have are awaited afterwards; where the
# machine took so long for it that they may have been given up, it is done anew.
sub while_locked ($do) {
    for (1 .. 10) {
        my $began = hold();
        my @result = eval { $do->() };
        my $error = $@;
        my $took = Time::HiRes::time() - $began;
        free();
        die $error if $error;
        return @result if $took < $PATIENCE - 1;
    }
    die "the machine is too slow for this\n";
}

# Each way to end a session, and how it is answered.
for my $case (['a sign-out', \&sign_out], ['a sign-in that replaces a session', \&sign_in_again]) {
    my ($name, $send) = @$case;
    my ($cookie, $pending, %seen) = while_locked(sub {
        my $cookie = session();
        my $pending = $send->($cookie);
        AuthGate::Server::wait_until { !is_in($cookie) } 20, 'the session to end';
        my @statuses = map { $alice->get('/hello.txt')->status } 1 .. 20;
        my $login = $server->client->login('carol', $PASSWORD{carol})->status;
        my %seen = (statuses => "@statuses", login => $login, written => is_written($cookie));
        $seen{answered} = $pending->is_answered;
        return ($cookie, $pending, %seen);
    });
    is $seen{statuses}, join(' ', (200) x 20), "J135 $name: others are answered while the lock is held";
    is $seen{login}, 303, "J135 $name: who signs in is in";
    ok !$seen{answered}, "J135 $name: waits for the answer";
    ok !$seen{written}, "J135 $name: (it is not written down)";
    my $answer = $pending->answer;
    is $answer->status, 303, "J135 $name: is answered as ever once the lock is free";
    ok is_written($cookie), "J135 $name: with its end in the journal";
    ok !is_in($cookie), "J135 $name: the session has ended";
    my ($new) = $name =~ /sign-in/ ? $answer->raw =~ /^Set-Cookie: authgate=([^;]+)/mi : ();
    ok is_in($new), "J135 $name: the new one has begun" if $new // $name =~ /sign-in/;
}

# Many at once, over HTTP/2, and those who leave.
{
    my ($h2, $gone, $streams, $cookies, $pending) = while_locked(sub {
        my @cookies = map { session() } 1 .. 8;
        my $h2      = AuthGate::Streams->connect($server->port('h2'));
        my @streams = map { $h2->request(POST => '/authgate/logout', [cookie => "authgate=$_", @same_origin]) }
            @cookies[0 .. 2];
        my @pending = map { sign_out($_) } @cookies[3 .. 5];
        my @gone    = map { sign_out($_) } @cookies[6, 7];
        AuthGate::Server::wait_until { !grep { is_in($_) } @cookies } 20, 'the sessions to end';
        $h2->reset($streams[0]);
        $h2->ping;
        $gone[0]->close;
        $gone[1]->reset;
        AuthGate::Server::wait_until { $server->access_log =~ /( 499 .*){3}/s } 20, 'nginx to notice who has gone';
        return ($h2, \@gone, \@streams, \@cookies, \@pending);
    });
    is_deeply [map { $_->answer->status } @$pending], [(303) x 3], 'J135 three at once: all are answered';
    is_deeply [map { $h2->status($_) } @$streams[1, 2]], [(303) x 2], 'J135 over HTTP/2, too';
    is_deeply [map { is_written($_) } @$cookies[0 .. 7]], [(1) x 8], 'J135 what those have ended who left is written, too';
    is_deeply [map { is_in($_) } @$cookies], [('') x 8], 'J135 and has ended';
    $h2->close;
}
unlike $server->error_log, qr/ended session cannot be written down/, 'J135 and nothing failed';

# For longer than anyone waits.
{
    my ($cookie, $left) = (session(), session());
    my $began   = hold();
    my $pending = sign_out($cookie);
    my $gone    = sign_out($left);
    AuthGate::Server::wait_until { !is_in($cookie) && !is_in($left) } 20, 'the sessions to end';
    $gone->close;
    is $alice->get('/hello.txt')->status, 200, 'J135 held for long: others are answered';
    is $pending->answer->status, 500, 'J135 held for long: who signs out is told that it is not written down';
    cmp_ok Time::HiRes::time() - $began, '>', $PATIENCE - 0.5, 'J135 held for long: after five seconds';
    ok !is_in($cookie), 'J135 held for long: but the session has ended';
    ok !is_written($cookie), 'J135 held for long: (it is not written down)';
    like $server->error_log, qr/\[crit\].* ended session cannot be written down: flock\(\) /,
        'J135 held for long: with a line in the log';
    free();
    will_be_written($_, 'J135 held for long: once the lock is free, it is written down') for $cookie, $left;
    ok !is_in($cookie), 'J135 held for long: the session has ended';
}

# A worker that is told to go answers first, and goes.
{
    my ($cookie, $pending, @old) = while_locked(sub {
        my $cookie  = session();
        my @old     = $server->workers;
        my $pending = sign_out($cookie);
        AuthGate::Server::wait_until { !is_in($cookie) } 20, 'the session to end';
        $server->reload or die "no reload\n";
        return ($cookie, $pending, @old);
    });
    is $pending->answer->status, 303, 'J135 a worker that is told to go: it answers first';
    ok is_written($cookie), 'J135 a worker that is told to go: with the end in the journal';
    ok eval { AuthGate::Server::wait_until { !grep { is_alive($_) } @old } 20, 'the old worker to go' },
        'J135 a worker that is told to go: and goes';
}

# It does not stay for longer than for that, whoever holds the lock.
{
    my $cookie = session();
    my @old    = $server->workers;
    hold();
    my $pending = sign_out($cookie);
    AuthGate::Server::wait_until { !is_in($cookie) } 20, 'the session to end';
    ok $server->reload, 'J135 the lock stays held: reload';
    is $pending->answer->status, 500, 'J135 the lock stays held: who waits is answered';
    ok eval { AuthGate::Server::wait_until { !grep { is_alive($_) } @old } 20, 'the old worker to go' },
        'J135 the lock stays held: the old worker goes';
    free();
    will_be_written($cookie, 'J135 the lock stays held: the new one writes it down');
}

ok eval {
    AuthGate::Server::wait_until { connections($alice)->{active} == 0 } 20, 'connections to end';
}, 'J135 no connection is left';
$alice->sign_out;
done_testing;
