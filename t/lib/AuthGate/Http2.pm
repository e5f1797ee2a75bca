package AuthGate::Http2;

# One request over plain-text HTTP/2 (RFC 9113), every header field as it is given, none compressed.
#
#     my $response = AuthGate::Http2::get($port, '/', cookie => 'a=1', cookie => 'b=2');
#     $response->{status}, $response->{body}

use v5.36;

use AuthGate;
use AuthGate::Upstream;
use IO::Socket::INET;

# The statuses of HPACK's static table (RFC 7541, appendix A).
my %STATUS = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304, 0x8c => 400, 0x8d => 404, 0x8e => 500);

sub frame ($type, $flags, $stream, $payload) {
    return substr(pack('N', length $payload), 1) . pack('C C N', $type, $flags, $stream) . $payload;
}

# A literal that is not indexed, without Huffman coding (RFC 7541, section 6.2.2).
sub field ($name, $value) { return "\0" . text($name) . text($value) }

sub text ($text) {
    my $length = length $text;
    return pack('C', $length) . $text if $length < 127;
    my $prefix = "\x7f";
    $length -= 127;
    while ($length >= 128) {
        $prefix .= pack 'C', $length % 128 + 128;
        $length >>= 7;
    }
    return $prefix . pack('C', $length) . $text;
}

sub get ($port, $path, @fields) {
    my $block = join '', map { field(@$_) } [':method', 'GET'], [':scheme', 'http'],
        [':path', $path], [':authority', "127.0.0.1:$port"];
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= field($name, $value);
    }
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    local $SIG{ALRM} = sub { die "no answer over HTTP/2\n" };
    alarm 60;
    $socket->autoflush(1);
    print $socket "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''), headers($block);
    my $response = answer($socket);
    alarm 0;
    return $response;
}

# HEADERS with END_STREAM, and CONTINUATION where it is long.
sub headers ($block) {
    my ($first, @more) = unpack '(a16384)*', $block;
    my $frames = frame(1, @more ? 1 : 5, 1, $first);
    while (defined(my $part = shift @more)) {
        $frames .= frame(9, @more ? 0 : 4, 1, $part);
    }
    return $frames;
}

sub answer ($socket) {
    my $response = { status => 0, body => '' };
    while (1) {
        my ($high, $low, $type, $flags) = unpack 'C n C C', AuthGate::Upstream::exactly($socket, 9);
        my $payload = AuthGate::Upstream::exactly($socket, $high * 65536 + $low);
        $response->{status} = status($payload) if $type == 1;
        $response->{body} .= $payload if $type == 0;
        return $response if $type == 3 || $type == 7;                   # reset, or going away
        return $response if $flags & 1 && ($type == 0 || $type == 1);
    }
}

# nginx writes the status first: indexed, or its three digits.
sub status ($block) {
    my $block_without_size = $block =~ s/\A[\x20-\x3f]//r;    # dynamic table size update
    return $STATUS{ ord $block_without_size } // substr $block_without_size, 2, 3;
}

1;
