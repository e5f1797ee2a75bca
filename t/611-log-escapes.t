# What a visitor typed is one escaped piece of one line of the log, at most 64 bytes of it (I116).

use v5.36;

use AuthGate;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
my $odd  = q{o"d\\d <é>};
my $long = 'l' x 100;
my $hash = AuthGate::bcrypt($PASSWORD{alice});
AuthGate::write_file($server->path('users'),
    JSON::PP->new->encode({ alice => $hash, $odd => $hash, $long => $hash }));
$server->run;

my @typed = (
    'a newline'           => "bob\nauthgate: login ok"   => 'bob\x0Aauthgate: login ok',
    'CR and LF'           => "bob\r\n"                   => 'bob\x0D\x0A',
    'an escape sequence'  => "\e[31mbob\e[0m\e]0;x\a"    => '\x1B[31mbob\x1B[0m\x1B]0;x\x07',
    'double quotes'       => 'bob", realm "x'            => 'bob\x22, realm \x22x',
    'single quotes'       => q{b'ob}                     => q{b'ob},
    'a backslash'         => 'bob\\x0A'                  => 'bob\x5Cx0A',
    'a tab'               => "bob\t"                     => 'bob\x09',
    'DEL'                 => "bob\x7f"                   => 'bob\x7F',
    'C1 control'          => "bob\xc2\x9b31m"            => 'bob\xC2\x9B31m',
    'U+2028'              => "bob\xe2\x80\xa8"           => 'bob\xE2\x80\xA8',
    'right to left'       => "\xe2\x80\xaebob"           => '\xE2\x80\xAEbob',
    'another script'      => "b\xc3\xb6b"                => 'b\xC3\xB6b',
    'percent signs'       => 'bob%s%n%p%V'               => 'bob%s%n%p%V',
    '64 bytes'            => 'a' x 64                    => 'a' x 64,
    '65 bytes'            => 'a' x 65                    => 'a' x 64 . '...',
    'many bytes'          => 'a' x 7000                  => 'a' x 64 . '...',
    'many newlines'       => "\n" x 2000                 => '\x0A' x 64 . '...',
    'cut in a character'  => 'a' x 63 . "\xc3\xb6"       => 'a' x 63 . '...',
);
my $client = $server->client;
while (my ($what, $typed, $logged) = splice @typed, 0, 3) {
    my @lines = $server->lines_of(sub { $client->login($typed, 'wrong') });
    is @lines, 1, "I116 $what: one line";
    my ($user) = $lines[0] =~ /authgate: login failed, user "(.*)", reason "unknown_user", realm "ops", client: 127/;
    is $user, $logged, "I116 $what: escaped";
    unlike $lines[0], qr/[^ -~\n]/, "I116 $what: plain";
}

# Of users that there are, in every line.
for my $case ([ $odd, 'o\x22d\x5Cd <\xC3\xA9>' ], [ $long, 'l' x 64 . '...' ]) {
    my ($user, $logged) = @$case;
    my $name = substr $logged, 0, 10;
    my ($in) = $server->lines_of(sub { $client->login($user, $PASSWORD{alice}) });
    like $in, qr/\[info\] .*authgate: login ok, user "\Q$logged\E", realm "ops", client: /,
        "I116 $name…: login ok";
    is $client->get('/hello.txt')->status, 200, "I116 $name…: signed in";
    my ($out) = $server->lines_of(sub { $client->sign_out });
    like $out, qr/\[info\] .*authgate: logout, user "\Q$logged\E", realm "ops", client: /,
        "I116 $name…: logout";
    my ($failed) = $server->lines_of(sub { $client->login($user, 'wrong') });
    like $failed, qr/\[error\] .*login failed, user "\Q$logged\E", reason "bad_password"/,
        "I116 $name…: login failed";
}

# Nothing else that a client sends becomes part of the gate's own words.
my ($refused) = $server->lines_of(
    sub { $client->get('/hello.txt', Cookie => 'authgate=v1.a"b.c', 'User-Agent' => "x\e[0m") });
like $refused, qr/authgate: token refused, reason "\w+", realm "ops", client: /,
    'I116 a cookie is not repeated';
unlike $refused, qr/a"b|\e/, 'I116 not a byte of it';

done_testing;
