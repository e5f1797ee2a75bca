# Which cookies of a request are the gate's, and which of several counts.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    large_client_header_buffers 8 80k;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        add_header X-User $authgate_user always;
    }
EOF_HTTP

my ($worker) = $server->workers;
my $client = $server->client(headers => []);

sub token_of ($user) {
    my $browser = $server->client;
    $browser->sign_in($user);
    return $browser->cookie('authgate');
}

# Who the lines of Cookie say it is; the status where nobody.
sub who (@lines) {
    my $answer = $client->get('/hello.txt', map { (Cookie => $_) } @lines);
    return $answer->status == 200 ? $answer->header('X-User') : $answer->status;
}

my ($alice, $bob) = map { token_of($_) } qw(alice bob);
my $other   = token_of('alice');
my $garbage = 'v1.first.AAAA.BBBB';

is who("authgate=$alice"), 'alice', 'B27 one valid cookie is taken';
is who("authgate=$garbage; authgate=$alice"), 'alice', 'B27 [garbage, valid] is taken';
is who("authgate=$alice; authgate=$garbage"), 'alice', 'B27 [valid, garbage] is taken';
is who("authgate=; authgate=$alice"),         'alice', 'B27 [empty, valid] is taken';
is who("authgate=$alice; authgate="),         'alice', 'B27 [valid, empty] is taken';
is who("authgate=$garbage; authgate=$garbage"), 401, 'B27 [garbage, garbage] is refused';
my @garbage = map { "authgate=$garbage$_" } 1 .. 4;
is who(join '; ', @garbage[0 .. 2], "authgate=$alice"), 'alice', 'B27 the fourth candidate is tried';
is who(join '; ', @garbage, "authgate=$alice"), 401, 'B27 the fifth is not';
is who(@garbage[0 .. 2], "authgate=$alice"), 'alice', 'B27 the fourth candidate is tried, in lines of their own';
is who(@garbage, "authgate=$alice"), 401, 'B27 the fifth is not, in lines of their own';
is who("authgate=$alice; authgate=$other"), 'alice', 'B27 two sessions of one user are that user';
my $changed = $bob =~ s/.$/A/r eq $bob ? $bob =~ s/.$/Q/r : $bob =~ s/.$/A/r;
is who("authgate=$alice; authgate=$changed"), 'alice', 'B27 an altered token of another user does not count';

is who("authgate=$alice; authgate=$bob"), 401, 'B28 tokens of two users sign nobody in';
is who("authgate=$bob; authgate=$alice"), 401, 'B28 in either order';
is who("authgate=$alice", "authgate=$bob"), 401, 'B28 nor in two lines';
is who("authgate=$alice; authgate=$garbage; authgate=$bob"), 401, 'B28 nor with garbage between';
is who("authgate=$alice; authgate=$other; authgate=$bob"), 401, 'B28 nor after two of one';
is who("authgate=$bob"), 'bob', 'B28 (each alone is taken)';

is who('a=1', "authgate=$alice"), 'alice', 'B29 two lines, ours second';
is who("authgate=$alice", 'a=1'), 'alice', 'B29 two lines, ours first';
is who("authgate=$garbage", "authgate=$alice"), 'alice', 'B29 [garbage, valid] in two lines';
is who("a=1; authgate=$alice; b=2", 'c=3'), 'alice', 'B29 ours in the middle of one of two lines';
is who("auth", "gate=$alice"), 401, 'B29 lines are not joined';
is who("authgate=" . substr($alice, 0, 40), substr $alice, 40), 401, 'B29 nor are the halves of a value';

my %not_ours = (
    'capital letter'   => "Authgate=$alice",
    'capitals'         => "AUTHGATE=$alice",
    'after a comma'    => "x=1, authgate=$alice",
    'value in quotes'  => qq(authgate="$alice"),
    'pair in quotes'   => qq("authgate=$alice"),
    'name in quotes'   => qq("authgate"=$alice),
    '$authgate'        => "\$authgate=$alice",
    '$Version in front' => "\$Version=1, authgate=$alice",
    '$Version quoted'  => qq(\$Version="1"; authgate="$alice"; \$Path="/"),
    'backslash before' => "\\authgate=$alice",
    'backslash within' => "auth\\gate=$alice",
    'octal escape'     => "\\141uthgate=$alice",
    'U+2000 before'    => "\xe2\x80\x80authgate=$alice",
    'U+00A0 before'    => "\xc2\xa0authgate=$alice",
    'U+FEFF before'    => "\xef\xbb\xbfauthgate=$alice",
    'VT before'        => "\x0bauthgate=$alice",
    'FF before'        => "\x0cauthgate=$alice",
    'VT after'         => "authgate\x0b=$alice",
    'percent encoding' => "%61uthgate=$alice",
    'the TLS name'     => "__Host-authgate=$alice",
    '__Secure-'        => "__Secure-authgate=$alice",
    'a longer name'    => "authgate2=$alice",
    'a name before'    => "xauthgate=$alice",
    'a shorter name'   => "authgat=$alice",
    'the device'       => "authgate-device=$alice",
    'two equals'       => "authgate==$alice",
    'a value before'   => "x=authgate=$alice",
    'no name'          => "=authgate=$alice",
    'a colon'          => "authgate:$alice",
    'an ampersand'     => "x=1&authgate=$alice",
    'value encoded'    => 'authgate=' . $alice =~ s/\./%2E/gr,
    'value with VT'    => "authgate=\x0b$alice",
);
is who($not_ours{$_}), 401, "B30 not our cookie: $_" for sort keys %not_ours;
is who("x=1, y=2; authgate=$alice"), 'alice', 'B30 a comma in another cookie is nothing to us';
is who(qq(x="a; authgate=$alice; y=b")), 'alice', 'B30 quotes do not hide a semicolon (RFC 6265bis)';

my $repeated = join '; ', ("authgate=$garbage") x (32 * 1024 / length "authgate=$garbage; ");
is who("authgate=$alice; $repeated"), 'alice', 'B31 32 KiB of gate cookies, valid first';
is who("$repeated; authgate=$alice"), 401, 'B31 32 KiB of gate cookies, valid last';
is who("$repeated; $repeated"), 401, 'B31 64 KiB of gate cookies';
is who(join '; ', ('authgate=') x 3000), 401, 'B31 3000 empty gate cookies';
is who(join '; ', (map { "c$_=$_" } 1 .. 2000), "authgate=$alice"), 'alice', 'B31 2000 other cookies before ours';

my @odd = (
    '=', ';;=;', '&=', 'authgate', ' ', '', ';', '; ; ;', '==', 'authgate=', 'authgate= ', ' authgate', "\t",
    'authgate;', 'authgate==', '=authgate', 'authgate=;authgate=', "authgate\t=\t", 'authgate=.', 'authgate=...',
    'authgate=....', 'authgate=v1', 'authgate=v1...', "authgate=\xff\xfe", 'authgate=' . '=' x 40, ',', '"',
);
is who($_), 401, 'B32 signs nobody in: "' . ($_ =~ s/([^!-~ ])/sprintf '\x%02x', ord $1/ger) . '"' for @odd;
is who("$_; authgate=$alice"), 'alice', "B32 and does no harm to a valid one: \"$_\""
    for '=', ';;=;', '&=', ' ', '', 'authgate', 'authgate=';
is_deeply [$server->workers], [$worker], 'B32 the worker lives';

is who('authgate=' . 'A' x 1024), 401, 'B33 a value of 1 KiB is refused';
is who('authgate=' . 'A' x 1025), 401, 'B33 a value over 1 KiB is refused';
is who("authgate=$alice" . 'A' x 1024), 401, 'B33 a token and 1 KiB more is refused';
is who('authgate=' . "$alice." x 6), 401, 'B33 several tokens in one value are refused';
is who('authgate=' . 'A' x 1025 . "; authgate=$alice"), 'alice', 'B33 it does no harm to a valid one';
is who('authgate=' . 'A' x 60_000), 401, 'B33 a value of 60 kB is refused';

done_testing;
