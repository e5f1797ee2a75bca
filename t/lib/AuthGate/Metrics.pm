package AuthGate::Metrics;

# The numbers of a location with authgate_metrics, by name and labels as they are written:
#
#     my $metrics = AuthGate::Metrics->read($client, '/metrics');
#     $metrics->value('authgate_logouts_total{realm="ops"}');
#     $metrics->families;                                 # name => type
#     AuthGate::Metrics::grown($before, $after)           # { name => by how much }, of those that have

use v5.36;

use AuthGate;
use Carp ();

sub read ($class, $client, $path = '/metrics') {
    my $response = $client->get($path);
    Carp::croak('no metrics: ' . $response->raw) if $response->status != 200;
    my $self = bless { values => {}, families => {}, order => [] }, $class;
    for my $line (split /\n/, $response->body) {
        if ($line =~ /^# TYPE (\S+) (\S+)$/) { $self->{families}{$1} = $2; push $self->{order}->@*, $1 }
        elsif ($line =~ /^(\w+\{.*\}) (\S+)$/) {
            Carp::croak("$1 stands twice") if exists $self->{values}{$1};
            $self->{values}{$1} = $2;
        }
        elsif ($line !~ /^# HELP \S+ \S/) { Carp::croak("not a line of metrics: $line") }
    }
    return $self;
}

sub value    ($self, $name) { return $self->{values}{$name} }
sub families ($self)        { return $self->{families} }
sub names    ($self)        { return sort keys $self->{values}->%* }

sub grown ($before, $after) {
    my %grown;
    for my $name (grep { /_(?:total|count|bucket)\{/ } $after->names) {
        my $by = $after->value($name) - ($before->value($name) // 0);
        $grown{$name} = $by if $by;
    }
    return \%grown;
}

1;
