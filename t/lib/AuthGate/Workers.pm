package AuthGate::Workers;

# One kept connection to each worker: what a worker knows is seen only by asking that worker.
#
#     my $server = AuthGate::Server->start(<<"HTTP", workers => 4);
#         server { $AuthGate::Workers::SERVER … }
#     HTTP
#     my $workers = AuthGate::Workers->connect($server);
#     $workers->get($pid, '/hello.txt', Cookie => 'a=b')->status     # of one worker
#     $workers->settle(sub ($pid) { …->status }, 401)                # of all, with the longest delay
#
# Every response carries X-Worker, X-Status and X-Groups.

use v5.36;

use AuthGate;
use AuthGate::Client;
use AuthGate::Response;
use AuthGate::Server;
use Carp ();
use Exporter 'import';
use IO::Socket::INET;
use Time::HiRes ();

our @EXPORT = qw(cookie);

# With reuseport the system spreads connections over the workers.
our $SERVER = <<'EOF_SERVER';
    listen 127.0.0.1:%%PORT%% reuseport;
    root %%DIR%%/html;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    add_header X-Worker $pid always;
    add_header X-Status $authgate_status always;
    add_header X-Groups $authgate_groups always;
EOF_SERVER

sub connect ($class, $server) {
    my $self = bless { port => $server->port, connections => {} }, $class;
    my $wanted = $server->{option}{workers};
    AuthGate::Server::wait_until {
        my $socket = IO::Socket::INET->new("127.0.0.1:$self->{port}") or die "connect: $!";
        my $pid = $self->ask($socket, 'GET', '/authgate/session')->header('X-Worker');
        $self->{connections}{$pid} //= $socket;
        keys $self->{connections}->%* == $wanted;
    }
    20, 'a connection to each worker';
    return $self;
}

sub pids ($self) { return sort { $a <=> $b } keys $self->{connections}->%* }

sub cookie ($token) { return (Cookie => "authgate=$token") }

sub get ($self, $pid, $path, @headers) {
    return $self->ask($self->{connections}{$pid}, 'GET', $path, @headers);
}

sub login ($self, $pid, $user, $password) {
    my $body = AuthGate::Client::form([username => $user, password => $password]);
    my @type = ('Content-Type' => 'application/x-www-form-urlencoded', 'Content-Length' => length $body);
    return $self->ask($self->{connections}{$pid}, 'POST', '/authgate/login', @type, '' => $body);
}

# The last "header" without a name is the body.
sub ask ($self, $socket, $method, $path, @headers) {
    my ($head, $body) = ("$method $path HTTP/1.1\r\nHost: 127.0.0.1:$self->{port}\r\n", '');
    while (my ($name, $value) = splice @headers, 0, 2) {
        if (length $name) { $head .= "$name: $value\r\n" }
        else              { $body = $value }
    }
    local $SIG{PIPE} = 'IGNORE';
    $socket->syswrite("$head\r\n$body");
    return AuthGate::Response->read($socket, $method);
}

# What each worker says: pid => $probe->($pid).
sub each_says ($self, $probe) {
    return { map { $_ => $probe->($_) } $self->pids };
}

# Asks until each worker has said what is wanted. Returns the seconds until the last did, or undef
# after $seconds.
sub settle ($self, $probe, $wanted, $seconds = 60) {
    my $from    = Time::HiRes::time();
    my @waiting = $self->pids;
    while (@waiting = grep { $probe->($_) ne $wanted } @waiting) {
        return if Time::HiRes::time() > $from + $seconds;
        Time::HiRes::sleep(0.01);
    }
    return Time::HiRes::time() - $from;
}

# Whether every worker says this for so long, whenever it is asked.
sub hold ($self, $probe, $wanted, $seconds) {
    my $until = Time::HiRes::time() + $seconds;
    while (Time::HiRes::time() < $until) {
        return 0 if grep { $probe->($_) ne $wanted } $self->pids;
        Time::HiRes::sleep(0.05);
    }
    return 1;
}

1;
