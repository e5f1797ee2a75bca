# A session ends when it is unused for idle, and max after sign-in whatever happens.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;
use Time::HiRes ();

my $http = <<'EOF_HTTP';
    authgate_realm idle { users %%USERS%%; keys %%KEYS%%; session idle=3s max=1h; }
    authgate_realm max  { users %%USERS%%; keys %%KEYS%%; session idle=3s max=6s; }
    authgate_realm late { users %%USERS%%; keys %%KEYS%%; session idle=4s max=4s; }
    server { listen 127.0.0.1:%%PORT_idle%%; root %%DIR%%/html; authgate idle; }
    server { listen 127.0.0.1:%%PORT_max%%;  root %%DIR%%/html; authgate max; }
    server { listen 127.0.0.1:%%PORT_late%%; root %%DIR%%/html; authgate late; }
EOF_HTTP
my ($server, %client, %first, %claim, %taken, %refused, @tokens);

sub sign_in () {
    $server->stop if $server;
    $server = AuthGate::Server->start($http);
    (%taken, %refused, @tokens) = ();
    my $from = Time::HiRes::time();
    for my $realm (qw(idle max late)) {
        $client{$realm} = $server->client(headers => [], port => $server->port($realm));
        $client{$realm}->sign_in('alice');
    }
    %first = map { $_ => $client{$_}->cookie('authgate') } keys %client;
    %claim = map { $_ => AuthGate::Token::read($first{$_}) } keys %client;
    return $from;
}

sub ask ($name, $realm, @header) {
    return if $refused{$name};
    my $asked  = AuthGate::Token::now();
    my $answer = $client{$realm}->get('/hello.txt', @header);
    if ($answer->status == 200) { $taken{$name} = $asked }
    else                        { $refused{$name} = AuthGate::Token::now() }
}

# Each is asked again and again: one browser keeps what renews its session, one tab only has the first cookie. Returns
# the longest time without a question: the first second of refusal may be the one in which a request was sent, never one
# before.
sub watch ($since) {
    my $longest = 0;
    AuthGate::Server::wait_until {
        ask('left', 'idle', Cookie => "authgate=$first{idle}");
        ask($_, $_) for qw(idle max late);
        push @tokens, $client{max}->cookie('authgate') // ();
        my $now = Time::HiRes::time();
        ($longest, $since) = ($now - $since > $longest ? $now - $since : $longest, $now);
        $refused{left} && $refused{max} && $refused{late};
    }
    12, 'the sessions to end';
    return $longest;
}

# A session that is not used for as long as this process is held up ends, so that it is tried again.
for my $try (1 .. 10) {
    my $from = sign_in();
    ok $server->reload($http =~ s/idle=4s max=4s/idle=1h max=1h/r),
        'A12 max is raised';
    last if watch($from) < 1.9;
    note "held up, try $try";
}

is $claim{idle}{expires_at}, $claim{idle}{issued_at} + 3, 'A11 a session token lasts for idle';
is $claim{max}{ends_at},     $claim{max}{issued_at} + 6,  'A12 the session lasts for max';
is $claim{late}{expires_at}, $claim{late}{ends_at},       'A12 a token lasts no longer than its session';

cmp_ok $taken{left},   '<',  $claim{idle}{expires_at}, 'A11 a token is taken up to the second before its end';
cmp_ok $refused{left}, '>=', $claim{idle}{expires_at}, 'A11 and refused from its end on';
ok !$refused{idle}, 'A13 a session that is used outlives idle';

cmp_ok $taken{max}, '>=', $claim{max}{expires_at}, 'A13 a session is renewed beyond idle';
cmp_ok $taken{max}, '<',  $claim{max}{ends_at},    'A13 but not beyond its absolute end';
cmp_ok $refused{max}, '>=', $claim{max}{ends_at},  'A13 which is not moved forward either';
my %ends = map { AuthGate::Token::read($_)->{ends_at} => 1 } @tokens;
is join(' ', keys %ends), $claim{max}{ends_at}, 'A13 the absolute end never moves';
my %session = map { AuthGate::Token::read($_)->{session} => 1 } @tokens;
is join(' ', keys %session), $claim{max}{session}, 'A13 a renewed token names the same session';
my @beyond = grep { AuthGate::Token::read($_)->{expires_at} > $claim{max}{ends_at} } @tokens;
is scalar @beyond, 0, 'A13 no renewed token expires after the absolute end';
cmp_ok scalar(keys %{ { map { $_ => 1 } @tokens } }), '>', 1, 'A13 (there were renewed tokens)';

cmp_ok $taken{late},   '<',  $claim{late}{ends_at}, 'A12 raising max later extends no session';
cmp_ok $refused{late}, '>=', $claim{late}{ends_at}, 'A12 it ends when it was to end';
is $client{max}->get('/hello.txt', Cookie => "authgate=$tokens[-1]")->status, 401,
    'A13 the newest token is refused after the absolute end';
like $server->error_log, qr/token refused, reason "expired", realm "max"/, 'the log says why';
is $client{idle}->get('/hello.txt')->status, 200, 'A13 the session that is used goes on';

done_testing;
