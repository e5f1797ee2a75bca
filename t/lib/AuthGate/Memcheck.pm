package AuthGate::Memcheck;

# An AuthGate::Server in one process under valgrind; without valgrind the test is skipped. Where sanitizers watch
# (nginx 1.28-sanitized) they are enough: no program has both.
#
#     my $server = AuthGate::Memcheck->prepare($http);
#     $server->run;
#     $server->nothing_is_left('48 closed');  # "location = /status { stub_status; }" counts no connection
#     $server->is_clean;                      # stops it: valgrind has nothing to say
#
# nginx's pools give what is larger than a page to malloc, and all of it back at the end of a request: a
# request that is used after its end is seen.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;
use parent -norequire, 'AuthGate::Server';

my ($valgrind) = grep { -x } map { "$_/valgrind" } split /:/, $ENV{PATH};
my $sanitized  = -d $AuthGate::REPORTS;

sub prepare ($class, $http, %option) {
    plan skip_all => 'no valgrind' if !$valgrind && !$sanitized;
    return $class->SUPER::prepare($http, single => 1, %option);
}

sub report ($self) { return $self->path('logs/valgrind') }

sub run ($self) {
    return $self->SUPER::run if $sanitized;
    my $wrapper = AuthGate::write_file($self->path('valgrind'), <<"EOF_WRAPPER");
#!/bin/sh
exec $valgrind --quiet --error-exitcode=99 --log-file=@{[ $self->report ]} --num-callers=24 $AuthGate::NGINX "\$@"
EOF_WRAPPER
    chmod 0755, $wrapper;
    local $AuthGate::NGINX = $wrapper;
    $self->SUPER::run;
}

sub nothing_is_left ($self, $case) {
    my $client = $self->client;
    ok eval {
        AuthGate::Server::wait_until { connections($client)->{active} == 0 } 30, 'connections to end';
    }, "E57 $case: nothing is left";
}

sub is_clean ($self) {
    my $report = $self->report;
    $self->stop('QUIT');
    return if $sanitized;
    ok -e $report, 'valgrind has run';
    is AuthGate::read_file($report), '', 'E57 valgrind has nothing to say';
}

1;
