# H99, E57: a hundred streams of HTTP/3 on one connection, half of them reset, and nothing is left of them.

use v5.36;

use AuthGate;
use AuthGate::Http3;
use AuthGate::Hundred;
use Test::More;

AuthGate::Http3::skip_without_it();

my $hundred = AuthGate::Hundred->start(
    'HTTP/3',
    # Of a client that goes without a word nginx learns when this time is over.
    'listen 127.0.0.1:%%PORT_many%% quic; keepalive_timeout 2s;',
    sub ($port) { AuthGate::Http3->connect($port) }
);
$hundred->reset_half(9);
$hundred->leave(6, sub ($connection) { $connection->close },  'are closed');
$hundred->leave(18, sub ($connection) { $connection->vanish }, 'go without a word');
$hundred->quit;

done_testing;
