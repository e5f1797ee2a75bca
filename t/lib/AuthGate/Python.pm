package AuthGate::Python;

# A program of t/python in the background: takes commands and says what came of each.
#
#     my $program = AuthGate::Python->start('http3.py', @arguments);
#     my $result = $program->ask(command => 'open', …);      # dies where it says "error"
#
# scripts/test makes the Python with what t/python/requirements.txt names.

use v5.36;

use AuthGate;
use Carp ();
use IPC::Open2 ();
use JSON::PP ();

our $PYTHON = $ENV{AUTHGATE_PYTHON} // "$AuthGate::TARGET/python/bin/python3";

my @running;
my $json = JSON::PP->new->ascii->canonical;

sub start ($class, $name, @arguments) {
    -x $PYTHON or die "no $PYTHON: scripts/test makes it\n";
    my $self = bless { name => $name }, $class;
    $self->{pid} = IPC::Open2::open2(
        $self->{from}, $self->{to}, $PYTHON, '-X', 'pycache_prefix=' . "$AuthGate::TARGET/pycache",
        "$AuthGate::ROOT/t/python/$name", @arguments
    );
    push @running, $self;
    return $self;
}

sub ask ($self, %command) {
    local $SIG{PIPE} = 'IGNORE';
    print { $self->{to} } $json->encode(\%command), "\n";
    my $line = readline $self->{from} // Carp::croak("$self->{name} has ended");
    my $result = $json->decode($line);
    Carp::croak("$self->{name}, $command{command}: $result->{error}") if defined $result->{error};
    return $result;
}

END {
    my $status = $?;
    for my $program (@running) {
        kill TERM => $program->{pid};
        waitpid $program->{pid}, 0;
    }
    $? = $status;
}

1;
