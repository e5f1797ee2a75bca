# A21: a mistake in the keys file is told with file and line, and without a byte of any key.

use v5.36;

use AuthGate;
use AuthGate::Server;
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;    # MARK
    }
    server { listen 127.0.0.1:%%PORT%%; root %%DIR%%/html; authgate ops; }
EOF_HTTP
my $server = AuthGate::Server->start($http);
my ($file, $conf) = map { $server->path($_) } qw(keys nginx.conf);
my ($marked) = do {
    my @lines = split /\n/, AuthGate::read_file($conf);
    grep { $lines[ $_ - 1 ] =~ /# MARK$/ } 1 .. @lines;
};
$server->expect_alert(qr/\Q$file\E:\d+"/);    # nginx -t writes into the log too
my $alice = $server->client;
$alice->sign_in('alice');

my ($first, $second) = split /\n/, $AuthGate::KEYS;
my ($nameless) = $second =~ /(\S+)$/;
my $short  = encode_base64('canary-key-of-but-thirty-1-bytes', '') =~ s/.{4}\z//r;
my $random = encode_base64(join('', map { chr 33 + $_ * 7 % 223 } 1 .. 32), '');

# The lines of the file, the line that is wrong, and what is said.
my %mistake = (
    'an empty file'              => [[], 1, 'no keys'],
    'comments and blanks alone'  => [['# none', '', '   '], 1, 'no keys'],
    'a short key'                => [[$first, "short $short"], 2, 'key is shorter than 32 bytes'],
    'a short key without a name' => [[$short], 1, 'key is shorter than 32 bytes'],
    'a key of 31 bytes'          => [[encode_base64('c' x 31, '')], 1, 'key is shorter than 32 bytes'],
    'a duplicate name'           => [[$first, '', $second, $nameless =~ s/^/first /r], 4, 'key name is duplicate'],
    'the same line twice'        => [[$first, $first], 2, 'key name is duplicate'],
    'the same key twice without a name' => [[$nameless, $nameless], 2, 'key name is duplicate'],
    'what is no base64'          => [[$first, "third $random!"], 2, 'invalid base64 in key'],
    'base64 that is cut'         => [[$first =~ s/...\z//r], 1, 'invalid base64 in key'],
    'base64url'                  => [['url ' . encode_base64url("\xff\xfe" x 18)], 1, 'invalid base64 in key'],
    'a name of 17 bytes'         => [['k' x 17 . " $random"], 1, 'invalid key name'],
    'a name with a dot'          => [[$second, "../x $random"], 2, 'invalid key name'],
    'three words'                => [["third $random canary"], 1, 'unexpected text after key'],
    'a name and no key'          => [[$first, 'four'], 2, 'key is shorter than 32 bytes'],
);

# Everything in these lines that is a key or a part of one, as text and as bytes.
sub parts_of (@lines) {
    my @texts = grep { length >= 8 } map { split ' ' } grep { !/^#/ } @lines;
    return map { ($_, substr($_, 0, 8), substr($_, -8), substr(decode_base64($_), 0, 8)) } @texts;
}

sub shows_nothing ($name, $said, @lines) {
    my @shown = grep { length && index($said, $_) >= 0 } parts_of(@lines);
    is_deeply \@shown, [], "A21 $name: no byte of a key is shown";
}

for my $name (sort keys %mistake) {
    my ($lines, $number, $message) = $mistake{$name}->@*;
    AuthGate::write_file($file, join '', map { "$_\n" } @$lines);
    my ($passed, $said) = $server->check;
    ok !$passed, "A21 $name: nginx -t fails";
    my ($told) = $said =~ /^nginx: \[emerg\] (.*)$/m;
    like $told // $said, qr/\A"\Q$file\E:$number": (?:$message) in \Q$conf\E:$marked\z/, "A21 $name: file and line";
    # A name is no secret; one that is too long to be one may be a key.
    shows_nothing($name, $said, @$lines);
}

# A reload with one of them is refused, in the log too without a byte of it.
{
    my @lines = ($first, "third $random!");
    AuthGate::write_file($file, join '', map { "$_\n" } @lines);
    my @said = $server->lines_of(sub { ok !$server->reload, 'A21 a reload with such a file is refused' });
    like join('', @said), qr/\[emerg\].*"\Q$file\E:2": invalid base64 in key/, 'A21 the log tells file and line';
    shows_nothing('the log', join('', @said), @lines);
    is $alice->get('/hello.txt')->status, 200, 'A21 and what runs goes on';
}

# Twin: the same file, mended.
AuthGate::write_file($file, "$first\nthird $random\n$nameless\n");
my ($passed, $said) = $server->check;
ok $passed, 'A21 a right file passes' or diag $said;
shows_nothing('a right file', $said, $first, $random, $nameless);

done_testing;
