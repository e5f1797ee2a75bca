package AuthGate::Upstream;

# An application behind nginx that keeps every byte it gets.
#
#     my $app = AuthGate::Upstream->start($server->port('app'));
#     my $app = AuthGate::Upstream->start($port, protocol => 'fastcgi');   # http, uwsgi, scgi
#     my $app = AuthGate::Upstream->start($port, reply => "HTTP/1.1 500 Oops\r\n\r\n");
#     $app->count              # how many requests came
#     $app->last_request               # the last one, as it came
#     $app->header_values('Cookie')   # of its header fields of that name, in their order
#     $app->hold; …; $app->release     # answers wait in between
#     $app->outcome($client, 'GET', '/x')   # '200 1 alice ops,sre', '401', '403 and the application was asked'
#
# reply may be a sub that is called, in another process, with the request as it came.

use v5.36;

use AuthGate;
use AuthGate::Server;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

our $BODY = "from the application\n";

my @running;
my $count = 0;

my %READER = (http => \&read_http, fastcgi => \&read_fastcgi, uwsgi => \&read_uwsgi, scgi => \&read_scgi);

sub start ($class, $port, %option) {
    my $self = bless {
        protocol  => 'http',
        reply     => "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n$BODY",
        directory => "$AuthGate::DIRECTORY/upstream-" . ++$count,
        %option,
    }, $class;
    mkdir $self->{directory} or die "$self->{directory}: $!";
    my $listen = IO::Socket::INET->new(
        Listen => 128, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1
    ) or die "cannot listen on port $port: $!";
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        local $SIG{TERM} = 'DEFAULT';
        eval { $self->serve($listen, $parent); 1 } or warn $@;
        POSIX::_exit(0);
    }
    push @running, $self;
    return $self;
}

# Each connection has a process of its own, so that several can wait.
sub serve ($self, $listen, $parent) {
    my $number = 0;
    local $SIG{CHLD} = 'IGNORE';
    while (getppid == $parent) {
        IO::Select->new($listen)->can_read(1) or next;
        my $client = $listen->accept or next;
        $number++;
        next if fork // die "fork: $!";
        eval { $self->converse($client, "$self->{directory}/$number") };
        POSIX::_exit(0);
    }
}

sub converse ($self, $client, $file) {
    alarm 60;    # the process ends
    my $request = $READER{ $self->{protocol} }->($client);
    AuthGate::write_file("$file.part", $request);
    rename "$file.part", $file;
    Time::HiRes::sleep(0.01) while -e "$self->{directory}/hold";
    print $client $self->answer($request);
    $client->flush;
}

sub answer ($self, $request) {
    my $reply = ref $self->{reply} ? $self->{reply}->($request) : $self->{reply};
    return $reply if $self->{protocol} =~ /http|uwsgi/;
    $reply =~ s{\AHTTP/1.1 }{Status: };
    return $reply if $self->{protocol} eq 'scgi';
    return record(6, $reply) . record(6, '') . record(3, "\0" x 8);
}

sub record ($type, $content) {
    return pack('C C n n C C', 1, $type, 1, length $content, 0, 0) . $content;
}

sub exactly ($socket, $length) {
    my $data = '';
    while (length $data < $length) {
        CORE::read($socket, $data, $length - length $data, length $data) or die "cut short\n";
    }
    return $data;
}

sub read_http ($socket) {
    my $head = '';
    while (defined(my $line = readline $socket)) {
        $head .= $line;
        last if $line eq "\r\n";
    }
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    return $head . exactly($socket, $length // 0);
}

sub read_fastcgi ($socket) {
    my $request = '';
    while (1) {
        my $head = exactly($socket, 8);
        my (undef, $type, undef, $length, $padding) = unpack 'C C n n C', $head;
        $request .= $head . exactly($socket, $length + $padding);
        return $request if $type == 5 && $length == 0;
    }
}

sub read_uwsgi ($socket) {
    my $head = exactly($socket, 4);
    return $head . exactly($socket, unpack 'x v', $head);
}

sub read_scgi ($socket) {
    my $length = '';
    $length .= exactly($socket, 1) until $length =~ /:/;
    return $length . exactly($socket, 1 + $length =~ s/://r);
}

# The header fields of a request, as pairs of name and value.
sub fields ($self, $request) {
    return map { [split /: ?/, $_, 2] } grep { /:/ } split /\r\n/, $request =~ s/\r\n\r\n.*//sr
        if $self->{protocol} eq 'http';
    my @parameters = do {
        if    ($self->{protocol} eq 'uwsgi') { unpack 'x4 (v/a)*', $request }
        elsif ($self->{protocol} eq 'scgi')  { split /\0/, $request =~ s/\A\d+:|,\z//gr, -1 }
        else                                 { fastcgi_parameters($request) }
    };
    my @fields;
    while (my ($name, $value) = splice @parameters, 0, 2) {
        push @fields, [$1 =~ tr/_/-/r, $value] if $name =~ /\AHTTP_(.*)/;
    }
    return @fields;
}

sub fastcgi_parameters ($request) {
    my ($stream, @parameters) = ('');
    while (length $request) {
        my (undef, $type, undef, $length, $padding) = unpack 'C C n n C', $request;
        $stream .= substr $request, 8, $length if $type == 4;
        substr $request, 0, 8 + $length + $padding, '';
    }
    while (length $stream) {
        my @length;
        for (1, 2) {
            my $long = ord($stream) & 0x80;
            push @length, $long ? unpack('N', $stream) & 0x7fffffff : ord $stream;
            substr $stream, 0, $long ? 4 : 1, '';
        }
        push @parameters, substr $stream, 0, $_, '' for @length;
    }
    return @parameters;
}

sub count ($self) { return scalar grep { m{/\d+\z} } glob "$self->{directory}/*" }

sub last_request ($self) { return AuthGate::read_file("$self->{directory}/" . $self->count) }

sub header_values ($self, $name) {
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } $self->fields($self->last_request);
}

# What comes of a request through nginx: its status, and where that is 200 how often the application was asked and
# who it was told it is. It may be asked for nothing else.
sub outcome ($self, $client, $method, $path, @headers) {
    my $before = $self->count;
    my $answer = $client->request($method, $path, undef, @headers);
    my $asked  = $self->count - $before;
    return $answer->status . ($asked ? ' and the application was asked' : '') if $answer->status != 200;
    return join ' ', 200, $asked, map { join ',', $self->header_values($_) } qw(X-Forwarded-User X-Forwarded-Groups);
}

sub hold    ($self) { AuthGate::write_file("$self->{directory}/hold", '') }
sub release ($self) { unlink "$self->{directory}/hold" }

# Until one more request than `before` has come.
sub wait_for_request ($self, $before) {
    AuthGate::Server::wait_until { $self->count > $before } 10, 'a request to reach the upstream';
}

END {
    my $status = $?;
    for my $upstream (@running) {
        kill TERM => $upstream->{pid};
        waitpid $upstream->{pid}, 0;
    }
    $? = $status;
}

1;
