package AuthGate::Work;

# An AuthGate::Server in one process under callgrind, which counts the instructions of single requests:
#
#     my $server = AuthGate::Work->start($http);
#     my $instructions = $server->instructions(sub { $client->get('/') });
#
# callgrind writes down what it has counted whenever nginx makes a request and whenever it frees one. Between
# the two lies nothing but the request, so that the same request costs the same to within a few dozen
# instructions, whatever else the machine does, unless nginx's timer comes in between.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;
use parent -norequire, 'AuthGate::Server';

my ($valgrind) = grep { -x } map { "$_/valgrind" } split /:/, $ENV{PATH};

sub prepare ($class, $http, %option) {
    plan skip_all => 'no valgrind' if !$valgrind;
    plan skip_all => 'sanitizers watch, and no program has both' if -d $AuthGate::REPORTS;
    return $class->SUPER::prepare($http, single => 1, %option);
}

sub dump_path ($self, $number) { return $self->path("logs/callgrind.$number") }

sub run ($self) {
    my $wrapper = AuthGate::write_file($self->path('valgrind'), <<"EOF_WRAPPER");
#!/bin/sh
exec $valgrind --quiet --tool=callgrind --callgrind-out-file=@{[ $self->path('logs/callgrind') ]} \\
    --dump-before=ngx_http_create_request --dump-after=ngx_http_free_request $AuthGate::NGINX "\$@"
EOF_WRAPPER
    chmod 0755, $wrapper;
    local $AuthGate::NGINX = $wrapper;
    $self->SUPER::run;
    $self->{dumps} = 0;
}

# What `$action` costs nginx, which is to send that many requests, no two at once.
sub instructions ($self, $action, $requests = 1) {
    $action->();
    my $sum = 0;
    for (1 .. $requests) {
        $self->next_dump('before=ngx_http_create_request');
        $sum += $self->next_dump('after=ngx_http_free_request');
    }
    return $sum;
}

sub next_dump ($self, $trigger) {
    my $path = $self->dump_path(++$self->{dumps});
    my $dump;
    AuthGate::Server::wait_until { ($dump = AuthGate::read_file($path)) =~ /^totals: \d+\n/m } 60, "$path to be written";
    unlink $path;
    die "not dumped --dump-$trigger:\n", substr $dump, 0, 400 if $dump !~ /^desc: Trigger: --dump-\Q$trigger\E$/m;
    my ($instructions) = $dump =~ /^totals: (\d+)/m;
    return $instructions;
}

1;
