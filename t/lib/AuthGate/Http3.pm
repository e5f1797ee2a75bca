package AuthGate::Http3;

# HTTP/3 (RFC 9114), spoken by aioquic. What AuthGate::Streams does over HTTP/2, in the same words:
#
#     my $connection = AuthGate::Http3->connect($server->port('h3'));
#     my $stream = $connection->request(POST => '/authgate/login', [name => 'value', …], $body);
#     $connection->reset($stream);
#     $connection->status($stream);          # waits for the answer; 0 for a stream that was reset
#     $connection->answer($stream);          # the same as an AuthGate::Response
#
# A connection that resumes => $another sends what comes first as early data, where that one takes_early_data.
#
# is_there says whether nginx has it, skip_without_it ends a test file where it has not.

use v5.36;

use AuthGate;
use AuthGate::Client;
use AuthGate::Python;
use AuthGate::Response;
use Carp ();
use Test::More;

our $WITHOUT = 'this nginx is built without HTTP/3 (--with-http_v3_module)';

sub is_there () { return `"$AuthGate::NGINX" -V 2>&1` =~ /--with-http_v3_module/ }
sub skip_without_it () { plan skip_all => $WITHOUT if !is_there() }

sub connect ($class, $port, %option) {
    state $client = AuthGate::Python->start('http3.py');
    state $count = 0;
    my $self = bless { client => $client, number => ++$count, authority => "127.0.0.1:$port" }, $class;
    my $resumed = $option{resumes} ? $option{resumes}{number} : undef;
    $self->ask('open', port => $port, name => $option{name} // 'localhost', seconds => 20, resumed => $resumed);
    return $self;
}

sub ask ($self, $command, %more) {
    return $self->{client}->ask(command => $command, connection => $self->{number}, %more);
}

# Sends a request; without a body the stream ends, with undef more data may follow. Pseudo-header fields
# that are given take the place of the usual ones; undef: none.
sub request ($self, $method, $path, $headers = [], $body = '') {
    my %pseudo = (
        ':method' => $method,
        ':scheme' => 'https',
        ':authority' => $self->{authority},
        ':path' => $path,
    );
    my @fields;
    my @headers = @$headers;
    while (my ($name, $value) = splice @headers, 0, 2) {
        if   (exists $pseudo{$name}) { $pseudo{$name} = $value }
        else                         { push @fields, [lc $name, "$value"] }
    }
    unshift @fields, map { [$_, $pseudo{$_}] } grep { defined $pseudo{$_} } sort keys %pseudo;
    return $self->fields(\@fields, $body);
}

# The same with these fields and no others.
sub fields ($self, $fields, $body = '') {
    my $more = defined $body ? \0 : \1;
    return $self->ask('request', fields => $fields, body => $body // '', more => $more)->{stream};
}

sub data ($self, $stream, $data, $last = 0) {
    return $self->ask('data', stream => $stream, body => $data, more => $last ? \0 : \1);
}

# Bytes that need be no frame, on a new stream; options: more => 1, the stream goes on, and one_way => 1.
sub raw ($self, $bytes, %option) {
    my %flag = map { $_ => $option{$_} ? \1 : \0 } qw(more one_way);
    return $self->ask('raw', body => $bytes, %flag)->{stream};
}

sub login ($self, $user, $password, $path = '/authgate/login', @headers) {
    my $body = AuthGate::Client::form([username => $user, password => $password, rd => '/']);
    return $self->request(
        POST => $path, ['content-type' => 'application/x-www-form-urlencoded', @headers], $body
    );
}

# RESET_STREAM, STOP_SENDING or both.
sub reset ($self, $stream, $how = 'sending and reading') {
    return $self->ask('reset', stream => $stream, how => $how);
}

sub answer ($self, $stream, $seconds = 20) {
    my $answer = $self->ask('answer', stream => $stream, seconds => $seconds);
    my ($status) = map { $_->[1] } grep { $_->[0] eq ':status' } $answer->{fields}->@*;
    return bless {
        status => $status // 0,
        headers => [grep { $_->[0] !~ /\A:/ } $answer->{fields}->@*],
        head => '',
        %$answer{qw(body reset terminated)},
        },
        'AuthGate::Response';
}

# Whether an answer has come.
sub is_answered ($self, $stream) { return $self->ask('is_answered', stream => $stream)->{answered} }

sub status ($self, @which) { return $self->answer(@which)->status }
sub body ($self, @which)   { return $self->answer(@which)->body }

# One request and its answer.
sub get ($self, $path, @headers) { return $self->answer($self->request(GET => $path, \@headers)) }

sub post ($self, $path, $body, @headers) {
    return $self->answer($self->request(POST => $path, \@headers, $body));
}

# A round trip: what was sent before has been taken.
sub ping ($self) { return $self->ask('ping', seconds => 20) }

sub close ($self) { return $self->ask('close') }

# Whether a connection that resumes this one's session may send early data.
sub takes_early_data ($self) { return $self->ask('ticket')->{early_data} }

# The connection goes without a word: nginx waits for its idle timeout.
sub vanish ($self) { return $self->ask('vanish') }

# Waits until nginx has closed the connection.
sub closed ($self, $seconds = 20) { return $self->ask('closed', seconds => $seconds) }

1;
