# A6, A7, A8: keys are rotated in three steps, with reloads, while requests come.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Token;
use MIME::Base64 ();
use POSIX ();
use Test::More;
use Time::HiRes ();

# Two nodes with the same users and keys. With state, each takes the other's sessions.
my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        state %%DIR%%/state;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_each%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Worker $pid always;
        add_header X-Status $authgate_status always;
    }
EOF_HTTP
my @nodes = map { AuthGate::Server->start($http, workers => 2) } 1, 2;

my ($OLD) = $AuthGate::Token::FIRST;
my $NEW = 'third ' . MIME::Base64::encode_base64('canary-key-of-the-third-signing-', '');

sub keys_are ($node, @lines) {
    AuthGate::write_file($node->path('keys'), join '', map { "$_\n" } @lines);
    return reload_whole($node);
}

sub id_of ($token) { return (split /\./, $token)[1] }

sub signed_in ($node, $user) {
    my $browser = $node->client;
    $browser->sign_in($user);
    return $browser->cookie('authgate');
}

# A process that asks both nodes in turn, with this header, until it is told to stop.
sub load (@header) {
    pipe my $from, my $to or die $!;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my ($stop, $asked, %wrong) = (0, 0);
        local $SIG{TERM} = sub { $stop = 1 };
        my @clients = map { $_->client(headers => []) } @nodes;
        while (!$stop) {
            my $status = eval { $clients[ $asked++ % 2 ]->get('/hello.txt', @header)->status } // 'nothing';
            $wrong{$status}++ if $status != 200;
        }
        syswrite $to, join ' ', $asked, map { "$_:$wrong{$_}" } sort keys %wrong;
        POSIX::_exit(0);
    }
    return { pid => $pid, from => $from };
}

# How many requests it made; all of them were let in.
sub stop ($load, $name) {
    kill TERM => $load->{pid};
    waitpid $load->{pid}, 0;
    sysread $load->{from}, my $said, 1000;
    my ($asked, @wrong) = split ' ', $said;
    is_deeply \@wrong, [], "A8 $name: no request failed";
    cmp_ok $asked, '>', 50, "A8 $name: there were many";
    return $asked;
}

# What a token gets, from each worker of a node.
sub by_all_workers ($node, @header) {
    my ($client, %status, %seen) = $node->client(headers => [], port => $node->port('each'));
    AuthGate::Server::wait_until {
        my $answer = $client->get('/hello.txt', @header);
        $status{ $answer->status . ' ' . $answer->header('X-Status') } = $seen{ $answer->header('X-Worker') } = 1;
        keys %seen == 2;
    }
    20, 'all workers to answer';
    return join ', ', sort keys %status;
}

sub everywhere ($name, $wanted, @header) {
    is_deeply [map { by_all_workers($_, @header) } @nodes], [($wanted) x @nodes], $name;
}

sub cookie ($token) { return (Cookie => "authgate=$token") }
sub bearer ($key) { return (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', key => $key)) }

ok keys_are($_, $OLD), 'a node with one key' for @nodes;
my $old = signed_in($nodes[0], 'alice');
is id_of($old), 'first', 'A6 the first key signs';
everywhere('A6 a session of one node is good on both', '200 ok', cookie($old));
everywhere('A6 a token of the key to come is refused', '401 unknown_key', bearer($NEW));

my @loads = (load(cookie($old)), load(bearer($OLD)));

for my $node (@nodes) {
    ok keys_are($node, $OLD, $NEW), 'A6 the new key is added at the end, one node after the other';
    is id_of(signed_in($node, 'bob')), 'first', 'A6 and the first key still signs';
}
everywhere('A6 a token of the new key is taken before it signs', '200 ok', bearer($NEW));

my @new;
for my $node (@nodes) {
    ok keys_are($node, $NEW, $OLD), 'A6 the new key is moved to the front, one node after the other';
    push @new, signed_in($node, 'bob');
    is id_of($new[-1]), 'third', 'A6 and signs';
    everywhere('A6 what it signs is good on both nodes, also on one that still signs with the old',
        '200 ok', cookie($new[-1]));
}
everywhere('A6 the session of the old key goes on', '200 ok', cookie($old));
my @asked = (stop($loads[0], 'a session of the old key'), stop($loads[1], 'an API token of the old key'));

@loads = map { load(cookie($_)) } @new;
push @loads, load(bearer($NEW));
for my $node (@nodes) {
    ok keys_are($node, $NEW), 'A7 the old key is deleted, one node after the other';
    is by_all_workers($node, cookie($old)), '401 unknown_key', 'A7 its sessions are refused by every new worker';
    is by_all_workers($node, bearer($OLD)), '401 unknown_key', 'A7 its API tokens too';
}
push @asked, stop($loads[0], 'a session of the new key, of one node');
push @asked, stop($loads[1], 'a session of the new key, of the other');
push @asked, stop($loads[2], 'an API token of the new key');
note "requests meanwhile: @asked";
everywhere('A7 what the new key signed goes on', '200 ok', cookie($new[0]));

# Twin: the old key is there again, and what it signed is good again.
ok keys_are($_, $NEW, $OLD), 'A6 the old key is back' for @nodes;
everywhere('A6 and what it signed is good', '200 ok', cookie($old));

done_testing;
