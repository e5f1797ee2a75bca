package AuthGate::Pending;

# Requests whose answers are read later, so that many are under way at once:
#
#     my $pending = AuthGate::Pending->login($client, 'alice', $PASSWORD{alice});
#     $pending->is_answered;         # whether an answer has begun to come
#     $pending->answer->status;
#     $pending->reset;               # or ->close: the client goes away
#
# login_bytes is the request as text, for those who want to send it in pieces.

use v5.36;

use AuthGate::Client;
use AuthGate::Response;
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes ();

sub login_bytes ($client, $user, $password, %more) {
    my $body = AuthGate::Client::form([username => $user, password => $password, rd => '/']);
    my %headers = (
        'Host' => "$client->{address}:$client->{port}",
        'Connection' => 'close',
        'Content-Type' => 'application/x-www-form-urlencoded',
        'Content-Length' => length $body,
        %{ $more{headers} // {} },
    );
    my @lines = map { defined $headers{$_} ? "$_: $headers{$_}\r\n" : () } sort keys %headers;
    my $path = $more{path} // "$client->{path}login";
    return join '', "POST $path HTTP/1.1\r\n", @lines, "\r\n", $body;
}

sub send ($class, $client, $bytes) {
    my $socket = $client->connect;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    local $SIG{PIPE} = 'IGNORE';
    print $socket $bytes;
    return bless { socket => $socket, timeout => $client->{timeout} }, $class;
}

sub login ($class, $client, @login) { return $class->send($client, login_bytes($client, @login)) }

sub more ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{socket} } $bytes;
}

sub is_answered ($self) {
    return !!$self->{response} || !!IO::Select->new($self->{socket})->can_read(0);
}

# The client closes then, as clients do: nginx waits for that a while where the request had a body.
sub answer ($self) {
    return $self->{response} if $self->{response};
    $self->{response} = AuthGate::Response->read($self->{socket}, 'POST', $self->{timeout});
    $self->close;
    return $self->{response};
}

sub close ($self) { close delete $self->{socket} }

sub reset ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->close;
}

1;
