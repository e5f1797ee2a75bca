package AuthGate::Streams;

# As much of HTTP/2 (RFC 9113) in the clear as it takes to send requests and to reset them:
#
#     my $connection = AuthGate::Streams->connect($server->port);
#     my $stream = $connection->request(POST => '/authgate/login', [name => 'value', …], $body);
#     $connection->reset($stream);
#     $connection->status($stream);          # waits for the answer's status
#
# Header lists are written without compression, and of answers only an indexed or literal :status is
# read, which is how nginx writes it.

use v5.36;

use AuthGate::Pending;
use Carp ();
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes ();

use constant {
    DATA => 0,
    HEADERS => 1,
    RST_STREAM => 3,
    SETTINGS => 4,
    PING => 6,
    GOAWAY => 7,
    WINDOW_UPDATE => 8,
    CONTINUATION => 9
};
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4 };
use constant CANCEL => 8;

# RFC 7541, appendix A.
my %STATUS = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404, 14 => 500);

sub connect ($class, $port, %option) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, %option)
        // Carp::croak("cannot connect to port $port: $!");
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    $socket->autoflush(1);
    my $self = bless { socket => $socket, next => 1, buffer => '', status => {}, body => {}, ended => {} },
        $class;
    $self->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0, ''));
    return $self;
}

sub frame ($type, $flags, $stream, $payload) {
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub write ($self, @bytes) {
    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{socket} } @bytes;
}

# A literal that enters no table (RFC 7541, section 6.2.2).
sub literal ($name, $value) { return "\0" . text($name) . text($value) }

sub text ($text) {
    my $length = length $text;
    return chr($length) . $text if $length < 127;
    $length -= 127;
    my $prefix = chr 127;
    while ($length >= 128) {
        $prefix .= chr($length % 128 + 128);
        $length >>= 7;
    }
    return $prefix . chr($length) . $text;
}

# Sends a request; without a body the stream ends, with undef more data may follow.
sub request ($self, $method, $path, $headers = [], $body = '') {
    my @fields = (
        [':method' => $method],
        [':scheme' => 'http'],
        [':path' => $path],
        [':authority' => '127.0.0.1'],
    );
    my @headers = @$headers;
    while (my ($name, $value) = splice @headers, 0, 2) { push @fields, [lc $name, $value] }
    return $self->fields(\@fields, $body);
}

# The same with these fields and no others.
sub fields ($self, $fields, $body = '') {
    my $stream = $self->{next};
    $self->{next} += 2;
    my $block = join '', map { literal(@$_) } @$fields;
    my $ends  = defined $body && $body eq '';
    my ($first, @more) = unpack '(a16384)*', $block;
    my $flags = ($ends ? END_STREAM : 0) | (@more ? 0 : END_HEADERS);
    my @frames = frame(HEADERS, $flags, $stream, $first // '');
    push @frames, frame(CONTINUATION, 0, $stream, $_) for @more[0 .. $#more - 1];
    push @frames, frame(CONTINUATION, END_HEADERS, $stream, $more[-1]) if @more;
    $self->write(@frames);
    $self->data($stream, $body, 1) if defined $body && !$ends;
    return $stream;
}

sub data ($self, $stream, $data, $last = 0) {
    return $self->write(frame(DATA, $last ? END_STREAM : 0, $stream, $data));
}

sub login ($self, $user, $password, $path = '/authgate/login') {
    my $body = AuthGate::Client::form([username => $user, password => $password, rd => '/']);
    return $self->request(POST => $path, ['content-type' => 'application/x-www-form-urlencoded'], $body);
}

sub reset ($self, $stream) {
    return $self->write(frame(RST_STREAM, 0, $stream, pack 'N', CANCEL));
}

# Reads what comes until the stream has ended or been reset; its status, 0 for a reset.
sub status ($self, $stream, $seconds = 20) {
    my $deadline = Time::HiRes::time() + $seconds;
    $self->read_frame($deadline) until $self->{ended}{$stream};
    return $self->{status}{$stream} // 0;
}

sub body ($self, $stream) { return $self->{body}{$stream} // '' }

# A round trip: what was sent before has been taken.
sub ping ($self) {
    my $pongs = $self->{pongs} // 0;
    $self->write(frame(PING, 0, 0, 'pingpong'));
    my $deadline = Time::HiRes::time() + 20;
    $self->read_frame($deadline) until ($self->{pongs} // 0) > $pongs;
}

sub read_frame ($self, $deadline) {
    $self->fill(9, $deadline);
    my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $self->{buffer};
    my $length = 9 + ($high << 16 | $low);
    $self->fill($length, $deadline);
    my $payload = substr substr($self->{buffer}, 0, $length, ''), 9;
    if ($type == HEADERS) { $self->{status}{$stream} //= status_of($payload) }
    elsif ($type == DATA) { $self->{body}{$stream} .= $payload }
    elsif ($type == SETTINGS && !($flags & ACK)) { $self->write(frame(SETTINGS, ACK, 0, '')) }
    elsif ($type == PING && $flags & ACK) { $self->{pongs}++ }
    $self->{ended}{$stream} = 1
        if $type == RST_STREAM || $type <= HEADERS && $flags & END_STREAM;
}

sub fill ($self, $length, $deadline) {
    while (length $self->{buffer} < $length) {
        my $left = $deadline - Time::HiRes::time();
        IO::Select->new($self->{socket})->can_read($left > 0 ? $left : 0)
            or Carp::croak('no frame of HTTP/2 in time');
        sysread $self->{socket}, $self->{buffer}, 65_536, length $self->{buffer}
            or Carp::croak('HTTP/2 connection closed');
    }
}

# nginx writes :status first: indexed, or as a literal with an indexed name.
sub status_of ($block) {
    my $first = ord $block;
    return $STATUS{ $first & 0x7f } if $first & 0x80;
    my $length = ord substr $block, 1, 1;
    Carp::croak('a compressed :status') if $length != 3;
    return substr $block, 2, 3;
}

# The connection goes without a word.
sub abort ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close delete $self->{socket};
}

sub close ($self) { close delete $self->{socket} }

1;
