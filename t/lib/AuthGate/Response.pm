package AuthGate::Response;

# One HTTP/1 response as it came over the wire.

use v5.36;

use Time::HiRes ();

# Reads one response; what a pipelined connection holds after it stays in the socket's buffer.
sub read ($class, $socket, $method, $timeout = 60) {
    my $self = bless { head => '', body => '', headers => [], status => 0 }, $class;
    local $SIG{ALRM} = sub { die "no answer within $timeout s\n" };
    alarm $timeout;
    while (defined(my $line = readline $socket)) {
        $self->{head} .= $line;
        last if $line =~ /\A\r?\n\z/;
    }
    if ($self->{head} !~ m{\AHTTP/1}) {    # HTTP/0.9, or nothing at all
        local $/;
        $self->{body} = $self->{head} . (readline($socket) // '');
        $self->{head} = '';
        alarm 0;
        return $self;
    }
    my ($status_line, @lines) = split /\r?\n/, $self->{head};
    ($self->{status}) = $status_line =~ m{\AHTTP/1\.[01] (\d{3})};
    return $class->read($socket, $method, $timeout) if $self->{status} == 100;    # more is to come
    $self->{headers} = [map { [split /:[ \t]*/, $_, 2] } @lines];
    $self->read_body($socket)
        unless $method eq 'HEAD' || $self->{status} =~ /\A(?:1\d\d|204|304)\z/;
    alarm 0;
    return $self;
}

sub read_body ($self, $socket) {
    if (lc($self->header('Transfer-Encoding') // '') eq 'chunked') {
        while (defined(my $size = readline $socket)) {
            my $length = hex $size =~ s/\W.*//sr;
            $self->{body} .= read_exactly($socket, $length);
            readline $socket;
            last if $length == 0;
        }
    }
    elsif (defined(my $length = $self->header('Content-Length'))) {
        $self->{body} = read_exactly($socket, $length);
    }
    else {
        local $/;
        $self->{body} = readline($socket) // '';
    }
}

sub read_exactly ($socket, $length) {
    my $data = '';
    while (length $data < $length) {
        CORE::read($socket, $data, $length - length $data, length $data) or last;
    }
    return $data;
}

sub status ($self) { return $self->{status} }
sub body   ($self) { return $self->{body} }
sub head   ($self) { return $self->{head} }
sub raw    ($self) { return $self->{head} . $self->{body} }

sub headers ($self, $name) {
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}

sub header ($self, $name) { return ($self->headers($name))[0] }

1;
