package AuthGate::Load;

# Client processes that ask at full speed until they are stopped, each on connections that stay.
#
#     my @loads = map { AuthGate::Load->start(sub ($load) { …one step… }) } 1 .. 3;
#     my $tally = AuthGate::Load->stop(@loads);      # what they have counted and kept, added up
#
# In a step:
#     my $connection = $load->connection(port => …);    # the same one for the same options
#     my $answer = $connection->ask('GET', '/hello.txt', cookie => $token);    # undef: lost
#     $connection->ask('POST', '/authgate/login', form => [username => …, password => …]);
#     $load->expect('a live cookie', $answer, 200);      # true where that is so; a lost one says nothing
#     $load->count('logouts'); $load->keep(ended => $token);
#     $load->say("renewed $user");                      # at once, for AuthGate::Load::said(@loads)
#
# Counted anyway: requests; retried: nginx had closed a connection between two requests, and a GET was sent
# again; closed: the same, for a POST, which is not sent again; lost: any other request without a whole
# answer; hung: no answer within the connection's timeout. Kept anyway: wrong, for what was not as expected,
# and losses, for what the lost ones met.

use v5.36;

use AuthGate;
use Carp ();
use JSON::PP ();
use POSIX ();

my $count = 0;
my @running;

sub start ($class, $step) {
    my $self = bless { file => "$AuthGate::DIRECTORY/load-" . ++$count, tally => {} }, $class;
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $self->work($step, $parent);
        POSIX::_exit(0);
    }
    push @running, $self;
    return $self;
}

sub work ($self, $step, $parent) {
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';
    srand;
    POSIX::nice(10);    # nginx and the test come first
    eval { $step->($self) until $stop || getppid != $parent; 1 } or $self->keep(died => "$@");
    AuthGate::write_file($self->{file}, JSON::PP::encode_json($self->{tally}));
}

# Numbers are added, lists joined.
sub stop ($class, @loads) {
    kill TERM => $_->{pid} for @loads;
    my %total = map { $_ => 0 } qw(requests retried closed lost hung);
    for my $load (@loads) {
        waitpid delete $load->{pid}, 0;
        my $tally = JSON::PP::decode_json(AuthGate::read_file($load->{file}));
        Carp::croak("a client died: $tally->{died}[0]") if $tally->{died};
        for my $name (keys %$tally) {
            if (ref $tally->{$name}) { push $total{$name}->@*, $tally->{$name}->@* }
            else                     { $total{$name} += $tally->{$name} }
        }
    }
    $total{$_} //= [] for qw(wrong losses);
    return \%total;
}

sub count ($self, $name)         { $self->{tally}{$name}++ }
sub keep  ($self, $name, @what) { push $self->{tally}{$name}->@*, @what }

sub say ($self, $line) { AuthGate::append_file("$self->{file}.said", "$line\n") }

sub said (@loads) { return map { split /\n/, AuthGate::read_file("$_->{file}.said") } @loads }

sub connection ($self, %option) {
    my $name = join ' ', map { "$_=$option{$_}" } sort keys %option;
    return $self->{connections}{$name} //= AuthGate::Load::Connection->new($self, %option);
}

sub expect ($self, $what, $answer, @statuses) {
    return 0 if !$answer;
    return 1 if grep { $answer->status == $_ } @statuses;
    $self->keep(wrong => "$what: " . $answer->status);
    return 0;
}

END {
    my $status = $?;
    for my $load (grep { $_->{pid} } @running) {    # only when the test died
        kill TERM => $load->{pid};
        waitpid $load->{pid}, 0;
    }
    $? = $status;
}

package AuthGate::Load::Connection;

use AuthGate::Client;
use AuthGate::Response;
use Time::HiRes ();

sub new ($class, $load, %option) {
    return bless { load => $load, client => AuthGate::Client->new(timeout => 60, %option) }, $class;
}

sub ask ($self, $method, $path, %more) {
    my $load = $self->{load};
    $load->count('requests');
    my $reused = !!$self->{socket};
    my $answer = $self->try($method, request($method, $path, %more));
    return $answer if ref $answer;
    if ($answer eq 'nothing' && $reused) {
        $load->count($method eq 'GET' ? 'retried' : 'closed');
        return undef if $method ne 'GET';
        $answer = $self->try($method, request($method, $path, %more));
        return $answer if ref $answer;
    }
    $load->count($answer eq 'hung' ? 'hung' : 'lost');
    $load->keep(losses => "$method $path: $answer");
    return undef;    # not an empty list: it is an argument
}

sub request ($method, $path, %more) {
    my $head = "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    $head .= "Cookie: authgate=$more{cookie}\r\n" if defined $more{cookie};
    return "$head\r\n" if $method eq 'GET';
    my $body = AuthGate::Client::form($more{form} // []);
    return "${head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}

# The answer, or what came instead: "nothing", a "part" or, in time, "hung".
sub try ($self, $method, $bytes) {
    my $answer = eval {
        $self->{socket} //= $self->{client}->connect;
        $self->{socket}->syswrite($bytes);
        AuthGate::Response->read($self->{socket}, $method, $self->{client}{timeout});
    };
    my $outcome = $answer ? wholeness($answer) : $@ =~ /no answer within/ ? 'hung' : "error $@";
    delete $self->{socket} if $outcome ne 'whole' || lc($answer->header('Connection') // '') eq 'close';
    return $outcome eq 'whole' ? $answer : $outcome;
}

sub wholeness ($answer) {
    return 'nothing' if $answer->raw eq '';
    my $ends = $answer->head =~ /\r\n\r\n\z/;
    return $ends && length $answer->body >= ($answer->header('Content-Length') // 0) ? 'whole' : 'part';
}

1;
