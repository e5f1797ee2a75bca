package AuthGate::Client;

# A small HTTP/1 client that keeps cookies and shows bytes as they came. One connection per request.
#
#     my $client = $server->client;                       # as a browser would ask
#     my $curl   = $server->client(headers => []);         # as curl would
#     $client->get('/path', Name => 'value', …)->status
#     $client->post('/path', [field => 'value', …], Name => 'value', …)
#     $client->sign_in('alice')                            # dies unless it gets a cookie
#     $client->raw("GET / HTTP/1.0\r\n\r\n")
#
# tls => 1 speaks TLS and accepts any certificate; unix => PATH connects to a unix socket; from => ADDRESS
# is where it comes from; worker => PID is the worker that gets its requests, for servers with
# "listen … reuseport" and "location = /pid { return 200 $pid; }".

use v5.36;

use AuthGate;
use AuthGate::Response;
use Carp ();
use IO::Socket::INET;
use IO::Socket::UNIX;

my @NAVIGATION = (
    'Accept'         => 'text/html,application/xhtml+xml,*/*;q=0.8',
    'Sec-Fetch-Mode' => 'navigate',
    'Sec-Fetch-Dest' => 'document',
    'Sec-Fetch-Site' => 'same-origin',
);

sub new ($class, %option) {
    return bless {
        address => '127.0.0.1',
        path    => '/authgate/',
        headers => [@NAVIGATION],
        cookies => {},
        timeout => 60,
        %option,
    }, $class;
}

sub connect ($self) {
    return $self->connect_to_worker if $self->{worker};
    my @to = (PeerAddr => $self->{address}, PeerPort => $self->{port}, Timeout => $self->{timeout});
    push @to, LocalAddr => $self->{from} if $self->{from};
    my $socket;
    if ($self->{tls}) {
        require IO::Socket::SSL;
        $socket = IO::Socket::SSL->new(@to, SSL_verify_mode => 0);
    }
    elsif ($self->{unix}) {
        $socket = IO::Socket::UNIX->new(Peer => $self->{unix});
    }
    else {
        $socket = IO::Socket::INET->new(@to);
    }
    $socket // Carp::croak("cannot connect to $self->{address}:$self->{port}: $!");
    $socket->autoflush(1);
    return $socket;
}

# The kernel chooses the worker: asks on each connection until it is the right one.
sub connect_to_worker ($self) {
    my $pid = delete local $self->{worker};
    for (1 .. 500) {
        my $socket = $self->connect;
        print $socket "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n";
        return $socket if AuthGate::Response->read($socket, 'GET', $self->{timeout})->body eq $pid;
    }
    Carp::croak("no connection to worker $pid");
}

# Sends bytes as they are and reads one response. method says whether it has a body.
sub raw ($self, $bytes, $method = undef) {
    $method //= $bytes =~ /\A(\w+)/ ? $1 : 'GET';
    my $socket = $self->connect;
    local $SIG{PIPE} = 'IGNORE';
    print $socket $bytes;
    return $self->keep_cookies(AuthGate::Response->read($socket, $method, $self->{timeout}));
}

sub request ($self, $method, $path, $body, @headers) {
    my %given = map { lc $headers[ 2 * $_ ] => 1 } 0 .. @headers / 2 - 1;
    my @all   = (Host => "$self->{address}:$self->{port}", Connection => 'close');
    push @all, @{ $self->{headers} };
    push @all, Cookie => $self->cookie_header if %{ $self->{cookies} };
    push @all, 'Content-Length' => length $body if defined $body;
    my $head = "$method $path HTTP/1.1\r\n";
    while (my ($name, $value) = splice @all, 0, 2) {
        $head .= "$name: $value\r\n" unless $given{ lc $name };
    }
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n" if defined $value;    # undef: send no such header
    }
    return $self->raw("$head\r\n" . ($body // ''), $method);
}

sub get ($self, $path, @headers) { return $self->request('GET', $path, undef, @headers) }

sub post ($self, $path, $fields, @headers) {
    return $self->request('POST', $path, form($fields),
        'Content-Type' => 'application/x-www-form-urlencoded', @headers);
}

sub form ($fields) {
    my @fields = @$fields;
    my @pairs;
    while (my ($name, $value) = splice @fields, 0, 2) {
        push @pairs, join '=', map { s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger } $name, $value;
    }
    return join '&', @pairs;
}

sub login ($self, $user, $password, %more) {
    my $rd = $more{rd} // '/';
    return $self->post("$self->{path}login",
        [username => $user, password => $password, rd => $rd], @{ $more{headers} // [] });
}

sub sign_in ($self, $user, %more) {
    my $response = $self->login($user, $PASSWORD{$user}, %more);
    Carp::croak("$user could not sign in: " . $response->raw)
        unless $response->status == 303 && $response->headers('Set-Cookie');
    return $response;
}

sub sign_out ($self) { return $self->post("$self->{path}logout", []) }

sub cookie ($self, $name) { return $self->{cookies}{$name} }
sub cookies ($self) { return $self->{cookies} }
sub forget_cookies ($self) { $self->{cookies} = {} }

sub cookie_header ($self) {
    return join '; ', map { "$_=$self->{cookies}{$_}" } sort keys %{ $self->{cookies} };
}

sub keep_cookies ($self, $response) {
    for my $line ($response->headers('Set-Cookie')) {
        my ($name, $value) = $line =~ /^([^=;\s]+)=([^;]*)/ or next;
        if ($line =~ /;\s*Max-Age=0\b/i) { delete $self->{cookies}{$name} }
        else                             { $self->{cookies}{$name} = $value }
    }
    return $response;
}

1;
