package AuthGate::WebSocket;

# WebSockets (RFC 6455), spoken by Python's websockets.
#
#     AuthGate::WebSocket::serve($server->port('app'));      # sends back what it gets
#     my $socket = AuthGate::WebSocket->connect("ws://127.0.0.1:$port/live", Cookie => '…');
#     $socket->status; $socket->response;                    # of the handshake: 101, or why not
#     $socket->echo('text');                                 # sends, and what comes back
#     $socket->head('Cookie');                               # the fields that the server got
#     $socket->is_closed($seconds);                          # whether nginx closes it in time

use v5.36;

use AuthGate::Python;
use AuthGate::Response;
use JSON::PP ();

sub program () { state $program = AuthGate::Python->start('websocket.py') }

sub serve ($port) { program()->ask(command => 'serve', port => 0 + $port) }

sub connect ($class, $url, @headers) {
    state $count = 0;
    my $self = bless { number => ++$count }, $class;
    my @fields;
    while (my ($name, $value) = splice @headers, 0, 2) { push @fields, [$name, $value] }
    my $answer = $self->ask('connect', url => $url, fields => \@fields, seconds => 20);
    $self->{response} = bless {
        status => $answer->{status},
        headers => $answer->{fields},
        head => '',
        body => $answer->{body},
        },
        'AuthGate::Response';
    return $self;
}

sub ask ($self, $command, %more) {
    return program()->ask(command => $command, number => $self->{number}, %more);
}

sub response ($self) { return $self->{response} }
sub status   ($self) { return $self->{response}->status }

sub echo ($self, $message) {
    $self->ask('send', message => $message);
    return $self->ask('receive', seconds => 20)->{message};
}

sub head ($self, $name) {
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } JSON::PP::decode_json($self->echo('head'))->@*;
}

sub is_closed ($self, $seconds) { return !!$self->ask('closed', seconds => $seconds)->{closed} }
sub close     ($self)           { return $self->ask('close') }

1;
