# What a token says of times and of its user, signed as it should be.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /who {
            add_header X-User    $authgate_user;
            add_header X-Expires $authgate_expires;
            try_files /hello.txt =404;
        }
    }
EOF_HTTP

my $client = $server->client(headers => []);
my @names  = ('a' x 128, "Zo\xc3\xab", 'a b', '"&<>\'', 'a@b.example');
my ($hash) = $AuthGate::USERS =~ /^alice:([^:]+)/;
AuthGate::append_file($server->path('users'), join '', map { "$_:$hash\n" } @names);
ok $server->reload && $server->wait_for_old_workers, 'reload with more users';

sub ask (%claims) {
    my $token = AuthGate::Token::api(user => 'alice', %claims);
    return $client->get('/who', Authorization => "Bearer $token");
}

# Claims relative to the second in which the request is answered: asked again when it passed.
sub now_with ($claims) {
    while (1) {
        my $now    = AuthGate::Token::now();
        my $answer = ask($claims->($now));
        return $answer->status if AuthGate::Token::now() == $now;
    }
}

is now_with(sub ($now) { (issued_at => $now - 9, expires_at => $now + 1) }), 200, 'A11 now = exp-1 is taken';
is now_with(sub ($now) { (issued_at => $now - 9, expires_at => $now) }),     401, 'A11 now = exp is refused';
is now_with(sub ($now) { (issued_at => $now - 9, expires_at => $now - 1) }), 401, 'A11 now = exp+1 is refused';
my $lasting = AuthGate::Token::api(user => 'alice', expires_at => AuthGate::Token::now() + 2);
my $until   = AuthGate::Token::read($lasting =~ s/^agt_//r)->{expires_at};
my ($last_taken, $first_refused);
AuthGate::Server::wait_until {
    my $asked = AuthGate::Token::now();
    my $taken = $client->get('/who', Authorization => "Bearer $lasting")->status == 200;
    $last_taken = $asked if $taken;
    $first_refused = AuthGate::Token::now() if !$taken;
    $first_refused;
}
10, 'a token to end';
cmp_ok $last_taken,    '<',  $until, 'A11 a token is taken up to the second before its expiry';
cmp_ok $first_refused, '>=', $until, 'A11 and refused from that second on, not before';

is ask(expires_at => 0)->status, 401, 'A12 expiry 0 is refused';
is ask(expires_at => 1)->status, 401, 'A12 expiry 1 is refused';
is ask(issued_at => 0, expires_at => 0, ends_at => 0)->status, 401, 'A12 all times 0 is refused';
for my $power (31, 32) {
    is ask(expires_at => 2**$power)->status, 401, "A12 J124 expiry 2^$power is longer than a token may hold";
}
for my $expiry ('9223372036854775807', '9223372036854775808', '18446744073709551615') {
    my $answer = ask(expires_at => 0 + $expiry);
    my $seen   = $answer->status == 200 ? $answer->header('X-Expires') : $answer->status;
    like $seen, qr/\A(?:$expiry|401)\z/, "A12 expiry $expiry, also negative, does not wrap";
}
my $now = AuthGate::Token::now();
my $life = 400 * 86400;
is ask(issued_at => $now - 9, expires_at => $now - 9 + $life)->header('X-Expires'), $now - 9 + $life,
    'J124 400 days after it was made is the last second';
is ask(issued_at => $now - 9, expires_at => $now - 8 + $life)->status, 401, 'J124 and one more is too long';
is ask(ends_at => $now - 1, expires_at => $now + 60)->status, 401, 'A12 past its absolute end: refused';
is ask(ends_at => $now + 60, expires_at => $now + 61)->status, 401,
    'A12 an expiry beyond the absolute end is refused';
is ask(ends_at => 0, expires_at => $now + 60)->status, 401, 'A12 an absolute end of 0 is refused';
is ask(issued_at => 18446744073709551615)->status, 401, 'A12 issued at 2^64-1 is refused';

sub issued ($ahead) {
    return now_with(sub ($now) { (issued_at => $now + $ahead, expires_at => $now + 600) });
}
is issued(60), 200, 'A14 issued 60 s in the future is taken';
is issued(61), 401, 'A14 issued 61 s in the future is refused';

is ask()->header('X-User'), 'alice', 'A25 a plain name is taken';
is ask(user => $_)->header('X-User'), $_, 'A25 and so is ' . substr $_, 0, 4 for @names;
my %name = (
    'CR'          => "alice\r",
    'LF'          => "alice\nSet-Cookie: a=b",
    'CR LF'       => "alice\r\nX-Injected: yes",
    'NUL'         => "alice\0",
    'ESC'         => "alice\e[31m",
    'DEL'         => "alice\x7f",
    'U+0085'      => "alice\xc2\x85",
    'bad UTF-8'   => "alice\xff",
    'no name'     => '',
    '129 bytes'   => 'a' x 129,
    'a blank'     => 'alice ',
    'other case'  => 'Alice',
    'a stranger'  => 'mallory',
);
for my $what (sort keys %name) {
    my $answer = ask(user => $name{$what});
    is $answer->status, 401, "A25 a user name with $what is refused, though the MAC holds";
    unlike $answer->head, qr/injected|Set-Cookie/i, "A25 and writes no header ($what)";
}
is ask(user_length => 4)->status, 401, 'A25 a name longer than its length is refused';
is ask(user_length => 6)->status, 401, 'A25 a name shorter than its length is refused';
is ask(payload => '')->status,    401, 'A25 an empty payload is refused';
is ask(payload => "\0" x 52)->status,  401, 'A25 a payload cut before the name is refused';
is ask(payload => "\0" x 400)->status, 401, 'A25 a payload over 512 bytes of token is refused';

done_testing;
