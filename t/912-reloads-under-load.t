# I104: reloads under mixed load: no wrong verdict, and no failure that nginx without the module lacks.

use v5.36;

use AuthGate;
use AuthGate::Load;
use AuthGate::Server;
use Test::More;
use Time::HiRes ();

my $RELOADS = 60;
my $SECONDS = 22;    # at the least; the reloads are spread over them
my $CLIENTS = 3;

# Renewals come in between, too.
my $gated = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        limit off;
        session idle=2m max=1h;
        zone 4m;
        state %%DIR%%/state;
    }
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        access_log off;
        root %%DIR%%/html;
        authgate ops;
        location = /open.txt { authgate off; }
    }
EOF_HTTP
my $plain = <<'EOF_HTTP';
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        access_log off;
        root %%DIR%%/html;
        location /authgate/ { return 204; }
    }
EOF_HTTP

# What a client asks, and how often.
my @MIX = ((\&gated) x 8, (\&static) x 3, (\&refused) x 4, (\&sign_in) x 2, \&sign_out, \&a_wrong_password);
my ($server, @shared, @live, @ended);

sub step ($load) { $MIX[ rand @MIX ]->($load, $load->connection(port => $server->port)) }

sub token_of ($answer) {
    my ($token) = ($answer->header('Set-Cookie') // '') =~ /^authgate=(v1[^;]+)/;
    return $token;
}

# A session is the tokens it has had, the newest last.
sub gated ($load, $connection) {
    my ($session, $name) = @live && rand > 0.5 ? ($live[ rand @live ], 'a live cookie') : ($shared[ rand @shared ], 'a shared cookie');
    my $token  = $session->[ rand > 0.2 ? -1 : rand @$session ];
    my $answer = $connection->ask('GET', '/hello.txt', cookie => $token);
    $load->expect($name, $answer, 200) or return;
    $load->keep(wrong => "$name: another body") if $answer->body !~ /behind the gate/;
    $load->count('let in');
    my $renewed = token_of($answer) or return;
    $load->count('renewed');
    push @$session, $renewed;
}

sub static ($load, $connection) {
    $load->expect('static', $connection->ask('GET', '/open.txt'), 200) && $load->count('static');
}

sub refused ($load, $connection) {
    my $altered = $shared[0][0] =~ s/(.{9})\z/reverse $1/er;
    my @bad = ([cookie => 'garbage'], [cookie => $altered], [], map { [cookie => $_] } @ended ? $ended[ rand @ended ]->@* : ());
    my $answer = $connection->ask('GET', '/hello.txt', $bad[ rand @bad ]->@*);
    $load->expect('to be refused', $answer, 401) or return;
    $load->keep(wrong => 'refused, with the body') if $answer->body =~ /behind the gate/;
    $load->count('refused');
}

sub login ($connection, $user, $password) {
    return $connection->ask('POST', '/authgate/login', form => [username => $user, password => $password]);
}

sub sign_in ($load, $connection) {
    my $user = (qw(alice bob carol))[ rand 3 ];
    my $answer = login($connection, $user, $PASSWORD{$user});
    $load->expect('login', $answer, 303) or return;
    $load->count('sign-ins');
    push @live, [token_of($answer)];
}

sub a_wrong_password ($load, $connection) {
    $load->expect('wrong password', login($connection, 'alice', wrong_password()), 403) && $load->count('wrong passwords');
}

# All its tokens have ended then. Without an answer nobody knows.
sub sign_out ($load, $connection) {
    my $session = shift @live or return;
    my $answer = $connection->ask('POST', '/authgate/logout', cookie => $session->[-1]);
    $load->expect('logout', $answer, 303) or return;
    $load->count('logouts');
    push @ended, $session;
    $load->expect('an ended cookie', $connection->ask('GET', '/hello.txt', cookie => $_), 401) for @$session;
}

# Reloads while the clients ask.
sub run_under_load ($seconds) {
    my $from  = Time::HiRes::time();
    my @loads = map { AuthGate::Load->start(\&step) } 1 .. $CLIENTS;
    my $done  = 0;
    while ($done < $RELOADS) {
        $server->reload or last;
        $done++;
        my $early = $from + $seconds * $done / $RELOADS - Time::HiRes::time();
        Time::HiRes::sleep($early) if $early > 0;
    }
    my $tally = AuthGate::Load->stop(@loads);
    my %counts = map { $_ => $tally->{$_} } grep { !ref $tally->{$_} } keys %$tally;
    note sprintf '%d reloads in %.0f s: %s', $done, Time::HiRes::time() - $from,
        join ', ', map { "$_ $counts{$_}" } sort keys %counts;
    return ($done, $tally);
}

# The same without the module. It lets in who is to be refused, and is found out; what it loses is shown.
{
    $server = AuthGate::Server->start($plain, workers => 4, module => '');
    AuthGate::write_file($server->path('html/open.txt'), "open\n");
    @shared = (['none-of-the-gate']);
    my (undef, $tally) = run_under_load(0);
    note "without the module: $tally->{lost} lost, $tally->{hung} hung, $tally->{closed} posts and $tally->{retried} "
        . "others on connections that were closed: @{ $tally->{losses} }";
    my $let_in = grep { /to be refused: 200/ } $tally->{wrong}->@*;
    cmp_ok $let_in, '>', 100, 'I104 (without the module, wrong verdicts are seen)';
    $server->stop;
}

$server = AuthGate::Server->start($gated, workers => 4);
AuthGate::write_file($server->path('html/open.txt'), "open\n");
@shared = map {
    my $client = $server->client;
    $client->sign_in($_);
    [$client->cookie('authgate')];
} qw(alice bob carol);

my ($done, $tally) = run_under_load($SECONDS);
is $done, $RELOADS, "I104 $RELOADS reloads";
is_deeply $tally->{wrong}, [], 'I104 no wrong verdict';
is_deeply $tally->{losses}, [], 'I104 no request is lost, but on connections that nginx had closed before';
is $tally->{hung}, 0, 'I104 none hangs';
for my $what ('let in', 'static', 'refused', 'sign-ins', 'logouts', 'wrong passwords', 'renewed') {
    cmp_ok $tally->{$what} // 0, '>', $what eq 'renewed' ? 2 : 100, "I104 (there were many: $what)";
}
$server->wait_for_old_workers;
is $server->client->get('/hello.txt', Cookie => "authgate=$_->[0]")->status, 200, 'I104 who was in at first is in' for @shared;

# Whatever the workers' ends brought about, none was by a mistake.
unlike $server->error_log, qr/\[(?:crit|alert|emerg)\]|panic/, 'I104 nothing to complain of in the log';

done_testing;
