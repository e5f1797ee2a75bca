# H99, E57: a hundred streams of HTTP/2 on one connection, half of them reset, and nothing is left of them.

use v5.36;

use AuthGate;
use AuthGate::Hundred;
use AuthGate::Streams;
use Test::More;

my $hundred = AuthGate::Hundred->start(
    'HTTP/2',
    'listen 127.0.0.1:%%PORT_many%% http2;',
    sub ($port) { AuthGate::Streams->connect($port) }
);
$hundred->reset_half(9);
$hundred->leave(6, sub ($connection) { $connection->close }, 'are closed');
$hundred->leave(6, sub ($connection) { $connection->abort }, 'are reset');
$hundred->quit;

done_testing;
