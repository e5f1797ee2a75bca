# Tokens written by hand (t/lib/AuthGate/Token.pm) are those of docs/TOKEN.md: its test vectors.

use v5.36;

use AuthGate;
use AuthGate::Token;
use Test::More;

my $VECTOR_KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
my $NODE_KEY   = 'node-2026 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5P';

my $api = AuthGate::Token::sign(
    key        => $VECTOR_KEY,
    session    => pack('H*', '202122232425262728292a2b2c2d2e2f'),
    user       => 'prometheus',
    issued_at  => 1_800_000_000,
    expires_at => 1_831_536_000,
);
is $api,
    'v1.hUg8SCHe.mzAiJSAhIiMkJSYnKCkqKywtLi8AAAAAa0nSAAAAAABtKwWAAAAAAG0rBYAAAAAAAAAAAApwcm9tZXRoZXVz'
    . '.KNnxw5nf99Q3-YI_qvbuOkL5XtDoK7mH86EkkgxD9jo', 'an API token';

my $session = AuthGate::Token::sign(
    purpose    => 'session',
    key        => $NODE_KEY,
    salt       => pack('H*', 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    session    => pack('H*', '101112131415161718191a1b1c1d1e1f'),
    user       => "Zo\xc3\xab",
    issued_at  => 1_800_000_000,
    expires_at => 1_800_043_200,
    epoch      => unpack('Q>', pack 'H*', '4b5e2306d904d90e'),
);
is $session,
    'v1.node-2026.Cz4EmhAREhMUFRYXGBkaGxwdHh8AAAAAa0nSAAAAAABrSnrAAAAAAGtKesBLXiMG2QTZDgRab8Or'
    . '.anyhj6rI1k6rYgcxt6Rtt1VXsShbjvBfxxKwNMy_wN8', 'a session token with its salt';

my $claims = AuthGate::Token::read($session);
is $claims->{id},         'node-2026',                        'the name of the key is read';
is $claims->{session},    '101112131415161718191a1b1c1d1e1f', 'the session is read';
is $claims->{user},       "Zo\xc3\xab",                       'the user is read';
is $claims->{expires_at}, 1_800_043_200,                      'the expiry is read';

my $limited = AuthGate::Token::sign(
    key        => $NODE_KEY,
    session    => pack('H*', '404142434445464748494a4b4c4d4e4f'),
    user       => 'prometheus',
    issued_at  => 1_800_000_000,
    expires_at => 1_807_776_000,
    methods    => ['GET', 'HEAD'],
    paths      => ['/metrics', "/\xc3\xbcbersicht/"],
);
is $limited,
    'v1.node-2026.Cz4EmkBBQkNERUZHSElKS0xNTk8AAAAAa0nSAAAAAABrwHkAAAAAAGvAeQAAAAAAAAAAAApwcm9tZXRoZXVzAQNHRV'
    . 'QBBEhFQUQCCC9tZXRyaWNzAgwvw7xiZXJzaWNodC8'
    . '.fa7lN5s8s2R0IMtlwHdWCFTazJZcrAC3bSpRZav2AIk', 'an API token with limits';

$claims = AuthGate::Token::read($limited);
is_deeply $claims->{methods}, ['GET', 'HEAD'],                    'the methods are read';
is_deeply $claims->{paths},   ['/metrics', "/\xc3\xbcbersicht/"], 'the paths are read';

done_testing;
