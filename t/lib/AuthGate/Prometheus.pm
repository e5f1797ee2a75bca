package AuthGate::Prometheus;

# A real Prometheus, and a real node_exporter and Alertmanager for it. All end with the test, whatever ends that.
#
#     my $prometheus = AuthGate::Prometheus->start($server, <<"YAML");    # its files are kept in %%DIR%%
#         scrape_configs: …
#     YAML
#     $prometheus->asked('query', query => 'up')       # the data of an answer of its API; undef without
#     $prometheus->target('node')                      # { health => 'up', lastError => '', … }
#     $prometheus->value('sum(up)')                    # undef where it has none
#     AuthGate::Prometheus->start($server, $yaml, name => 'b', port => 1234, prefix => '/x', options => [...]);
#     AuthGate::Prometheus::start_node_exporter($server, $port);
#     AuthGate::Prometheus::start_alertmanager($server, $port, $prefix, '--web.external-url=...');

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

sub start ($class, $server, $configuration, %option) {
    my $name = $option{name} // 'prometheus';
    my $self = bless { port => $option{port} // free_port(), log => $server->path("$name.log") }, $class;
    my $file = AuthGate::write_file($server->path("$name.yml"), $configuration);
    my @options = (
        "--config.file=$file",
        '--storage.tsdb.path=' . $server->path("$name-data"),
        "--web.listen-address=127.0.0.1:$self->{port}",
        ($option{options} // [])->@*,
    );
    $self->{at} = "http://127.0.0.1:$self->{port}" . ($option{prefix} // '');
    run_until("$self->{at}/-/ready", $self->{log}, 'prometheus', @options);
    return $self;
}

sub start_alertmanager ($server, $port, $prefix, @options) {
    my $file = AuthGate::write_file($server->path("alertmanager-$port.yml"),
        '{ route: { receiver: x }, receivers: [{ name: x }] }');
    run_until("http://127.0.0.1:$port$prefix/-/ready", $server->path("alertmanager-$port.log"),
        'prometheus-alertmanager', "--config.file=$file", '--storage.path=' . $server->path("alertmanager-$port"),
        "--web.listen-address=127.0.0.1:$port", '--cluster.listen-address=', @options);
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
    my $answer = $http->get("$self->{at}/api/v1/$path?" . $http->www_form_urlencode(\%parameters));
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
