package AuthGate::Prometheus;

# A real Prometheus, and a real node_exporter for it. Both end with the test, whatever ends that.
#
#     my $prometheus = AuthGate::Prometheus->start($server, <<"YAML");    # its files are kept in %%DIR%%
#         scrape_configs: …
#     YAML
#     $prometheus->asked('query', query => 'up')       # the data of an answer of its API; undef without
#     $prometheus->target('node')                      # { health => 'up', lastError => '', … }
#     $prometheus->value('sum(up)')                    # undef where it has none
#     AuthGate::Prometheus::start_node_exporter($server, $port);

use v5.36;

use AuthGate;
use AuthGate::Server;
use HTTP::Tiny ();
use JSON::PP ();
use POSIX ();

my @pids;

END {
    my $status = $?;
    kill TERM => @pids;
    waitpid $_, 0 for @pids;
    $? = $status;
}

sub start ($class, $server, $configuration) {
    my $self = bless { port => free_port(), log => $server->path('prometheus.log') }, $class;
    my $file = AuthGate::write_file($server->path('prometheus.yml'), $configuration);
    my @options = (
        "--config.file=$file",
        '--storage.tsdb.path=' . $server->path('data'),
        "--web.listen-address=127.0.0.1:$self->{port}",
    );
    run_until("http://127.0.0.1:$self->{port}/-/ready", $self->{log}, 'prometheus', @options);
    return $self;
}

sub start_node_exporter ($server, $port) {
    run_until("http://127.0.0.1:$port/", $server->path('node_exporter.log'),
        'prometheus-node-exporter', "--web.listen-address=127.0.0.1:$port");
}

# Runs a program in the background until its address answers.
sub run_until ($address, $log, @command) {
    my $pid = run($log, @command);
    AuthGate::Server::wait_until {
        die AuthGate::read_file($log) if waitpid($pid, POSIX::WNOHANG()) != 0;
        HTTP::Tiny->new(timeout => 5)->get($address)->{success};
    }
    30, "$command[0] to be ready";
}

sub run ($log, @command) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', $log or POSIX::_exit(127);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
        exec @command or POSIX::_exit(127);
    }
    push @pids, $pid;
    return $pid;
}

sub log ($self) { return AuthGate::read_file($self->{log}) }

sub asked ($self, $path, %parameters) {
    my $http   = HTTP::Tiny->new(timeout => 10);
    my $answer = $http->get("http://127.0.0.1:$self->{port}/api/v1/$path?" . $http->www_form_urlencode(\%parameters));
    my $said   = eval { JSON::PP->new->utf8->decode($answer->{content}) } // {};
    return ($said->{status} // '') eq 'success' ? $said->{data} : undef;
}

sub targets ($self) {
    my $targets = $self->asked('targets') // {};
    return @{ $targets->{activeTargets} // [] };
}

# The only target of a job.
sub target ($self, $job) {
    my ($target) = grep { $_->{labels}{job} eq $job } $self->targets;
    return $target // { health => 'none', lastError => '' };
}

# The first number that an expression gives.
sub value ($self, $expression) {
    my $data = $self->asked('query', query => $expression) // {};
    my ($first) = @{ $data->{result} // [] };
    return $first && $first->{value}[1];
}

1;
