# J135: valgrind finds no error in a worker whose requests wait for the journal's lock, and end, leave or are redirected
# meanwhile. For the module that fails on request.

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Memcheck;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Token;
use AuthGate::Upstream;
use Fcntl qw(LOCK_EX LOCK_UN);
use Test::More;

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; state %%DIR%%/state; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        location = /status   { stub_status; access_log off; }
        location = /mirror   { mirror /authgate/logout; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /then     { post_action /authgate/logout; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /           { authgate ops; post_action /after; }
        location = /after    { return 204; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

open my $lock, '<', $server->path('state/ops.lock') or die $!;
sub hold () { flock $lock, LOCK_EX or die $!; return }
sub free () { flock $lock, LOCK_UN or die $!; return }

sub session () {
    my $client = $server->client;
    $client->sign_in('bob');
    return $client->cookie('authgate');
}

sub is_in ($cookie) { return $server->client(headers => [])->get('/hello.txt', Cookie => "authgate=$cookie")->status == 200 }

sub post ($path, $cookie, %more) {
    my @lines = ("POST $path HTTP/1.1", 'Host: x', 'Sec-Fetch-Site: same-origin', "Cookie: authgate=$cookie");
    push @lines, 'Connection: ' . ($more{next} ? 'keep-alive' : 'close'), 'Content-Length: ' . ($more{length} // 0);
    push @lines, "X-Authgate-Fault: $more{fault}" if $more{fault};
    return AuthGate::Pending->send($server->client, join "\r\n", @lines, '', $more{next} // $more{body} // '');
}

sub sign_in_again ($cookie, %more) {
    return AuthGate::Pending->login($server->client, 'bob', $PASSWORD{bob},
        headers => { Cookie => "authgate=$cookie", %more });
}

my %send = (
    'a sign-out' => sub ($cookie) { post('/authgate/logout', $cookie) },
    'with a body that has not come' => sub ($cookie) { post('/authgate/logout', $cookie, length => 9, body => 'a=b') },
    'with a body' => sub ($cookie) { post('/authgate/logout', $cookie, length => 3, body => 'a=b') },
    'with another request behind it' => sub ($cookie) {
        post('/authgate/logout', $cookie, next => "GET /authgate/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    },
    'a sign-in' => \&sign_in_again,
);

# In a subrequest and after the answer: whether they sign anybody out is not the question here.
my %aside = map { my $path = $_; ("POST $path" => sub ($cookie) { post($path, $cookie) }) } '/mirror', '/then';

sub ended_while_locked ($cookie, $send) {
    hold();
    my $pending = $send->($cookie);
    AuthGate::Server::wait_until { !is_in($cookie) } 30, 'the session to end';
    return $pending;
}

for my $name (sort keys %send) {
    for my $way (qw(close reset)) {
        my $pending = ended_while_locked(session(), $send{$name});
        $pending->$way;
        $server->client->get('/status');
        free();
        $server->nothing_is_left("J135 $name, $way");
    }
    my $pending = ended_while_locked(session(), $send{$name});
    free();
    is $pending->answer->status, 303, "J135 $name: is answered";
    $server->nothing_is_left("J135 $name, answered");
}

for my $name (sort keys %aside) {
    for my $way (qw(close reset answer)) {
        my $cookie = session();
        hold();
        my $pending = $aside{$name}->($cookie);
        $server->client->get('/status') for 1 .. 3;
        $pending->$way if $way ne 'answer';
        $server->client->get('/status');
        free();
        is $pending->answer->status, 200, "J135 $name: is answered" if $way eq 'answer';
        $server->nothing_is_left("J135 $name, $way");
    }
}

# Streams that are reset, and their connection.
for my $way (qw(reset abort)) {
    my @cookies = map { session() } 1 .. 3;
    hold();
    my $h2 = AuthGate::Streams->connect($server->port('h2'));
    my @streams
        = map { $h2->request(POST => '/authgate/logout', [cookie => "authgate=$_", 'sec-fetch-site' => 'same-origin']) }
        @cookies;
    AuthGate::Server::wait_until { !grep { is_in($_) } @cookies } 30, 'the sessions to end';
    if ($way eq 'reset') {
        $h2->reset($_) for @streams[0, 1];
        $h2->ping;
        free();
        is $h2->status($streams[2], 60), 303, 'J135 HTTP/2: who stays is answered';
        $h2->close;
    }
    else {
        $h2->abort;
        $server->client->get('/status');
        free();
    }
    $server->nothing_is_left("J135 HTTP/2, $way");
}

# Longer than anyone waits.
{
    my ($one, $other) = (session(), session());
    my $pending = ended_while_locked($one, $send{'a sign-out'});
    my $gone    = sign_in_again($other);
    $gone->close;
    is $pending->answer->status, 500, 'J135 for long: 500';
    free();
    $server->nothing_is_left('J135 for long');
}

{
    my $pending = ended_while_locked(session(), sub ($cookie) { post('/authgate/logout', $cookie, fault => 'resume') });
    free();
    is $pending->answer->status, 500, 'J135 a sign-out that fails when it is resumed: 500';
    $server->nothing_is_left('J135 a sign-out that fails');
    $server->expect_alert(qr/authgate: panic at \S+:\d+$/);
}

# The process ends while some still wait.
my @cookies = map { session() } 1 .. 2;
hold();
my @waiting = map { post('/authgate/logout', $_) } @cookies;
AuthGate::Server::wait_until { !grep { is_in($_) } @cookies } 30, 'the sessions to end';
$server->is_clean;
ok !sysread($_->{socket}, my $byte, 1), 'J135 the process ends: nothing is answered any more' for @waiting;

done_testing;
