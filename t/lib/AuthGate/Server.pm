package AuthGate::Server;

# One nginx of our own, for tests of several steps:
#
#     my $server = AuthGate::Server->start(<<'HTTP');
#         authgate_realm ops { users %%USERS%%; }
#         server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
#     HTTP
#     my $browser = $server->client;
#     $browser->sign_in('alice');
#     is $browser->get('/hello.txt')->status, 200;
#
# %%PORT%% is what clients connect to; %%PORT_name%% is another free port, the same one for the same
# name; %%DIR%% is a directory that workers can read (html/hello.txt is there); %%USERS%% and %%KEYS%%
# are copies that a test may edit. Options: main => text for the main context, workers => N,
# module => path ('' for none), user => the workers' user, single => 1 for master_process off,
# env => environment variables of nginx's own.
#
# done_testing stops the server, and the test fails if there is an [alert] or [emerg] in its error log
# that was not announced with expect_alert.

use v5.36;

use AuthGate;
use AuthGate::Client;
use Carp ();
use File::Path ();
use POSIX ();
use Test::Builder;
use Test::More;
use Time::HiRes ();

my @running;
my $count = 0;

# wait_until { condition } SECONDS, 'what': polls; fails the test file when it does not come. A minute at the least,
# which costs nothing where it comes: only with exact times are the seconds what is promised.
sub wait_until : prototype(&$$) ($condition, $seconds, $what) {
    $seconds = 60 if $seconds < 60 && !$AuthGate::EXACT;
    my $deadline = Time::HiRes::time() + $seconds;
    while (Time::HiRes::time() < $deadline) {
        my $result = $condition->();
        return $result if $result;
        Time::HiRes::sleep(0.02);
    }
    Carp::croak("gave up waiting for $what");
}

sub prepare ($class, $http, %option) {
    my $directory = "$AuthGate::DIRECTORY/server-" . ++$count;
    File::Path::make_path("$directory/html", "$directory/logs");
    my $self = bless {
        directory => $directory,
        http      => $http,
        option    => { workers => 1, user => 'nobody nogroup', module => $AuthGate::MODULE, %option },
        port      => { '' => free_port() },
        alerts    => [],
        name      => "$AuthGate::TEST.$count",
    }, $class;
    AuthGate::write_file($self->path('html/hello.txt'), "hello from behind the gate\n");
    AuthGate::write_file($self->path('users'),          $AuthGate::USERS);
    AuthGate::write_file($self->path('keys'),           $AuthGate::KEYS);
    chmod 0600, $self->path('keys');
    $self->configure($http);
    return $self;
}

sub start ($class, $http, %option) {
    my $self = $class->prepare($http, %option);
    $self->run;
    return $self;
}

# Writes the configuration; with reload, a running server takes it.
sub configure ($self, $http) {
    my $option = $self->{option};
    my $load   = $option->{module} ? "load_module $option->{module};" : '';
    my $main   = $option->{main} // '';
    my $user   = $> == 0 ? "user $option->{user};" : '';
    $main .= "\nmaster_process off;" if $option->{single};
    my $text   = <<"EOF_CONF";
$load
$user
worker_processes $option->{workers};
pid %%DIR%%/nginx.pid;
error_log %%DIR%%/logs/error.log info;
worker_shutdown_timeout 20s;
$main
events { worker_connections 1024; }
http {
    access_log %%DIR%%/logs/access.log;
    client_body_temp_path %%DIR%%/body;
    proxy_temp_path %%DIR%%/proxy;
    fastcgi_temp_path %%DIR%%/fastcgi;
    uwsgi_temp_path %%DIR%%/uwsgi;
    scgi_temp_path %%DIR%%/scgi;
$http
}
EOF_CONF
    AuthGate::write_file($self->path('nginx.conf'), $self->expand($text));
}

sub expand ($self, $text) {
    $text =~ s{%%DIR%%}{$self->{directory}}g;
    $text =~ s{%%USERS%%}{$self->path('users')}ge;
    $text =~ s{%%KEYS%%}{$self->path('keys')}ge;
    $text =~ s{%%PORT(?:_(\w+))?%%}{$self->port($1 // '')}ge;
    return $text;
}

sub path ($self, $name) { return "$self->{directory}/$name" }
sub port ($self, $name = '') { return $self->{port}{$name} //= free_port() }

sub command ($self, @more) {
    return (
        $AuthGate::NGINX, '-e', $self->path('logs/error.log'),
        '-p', "$self->{directory}/", '-c', $self->path('nginx.conf'), @more
    );
}

# nginx -t: whether it passed, and everything it said.
sub check ($self) {
    open my $output, '-|', join(' ', map { quotemeta } $self->command('-t')) . ' 2>&1' or die $!;
    my $said = join '', <$output>;
    close $output;
    return ($? == 0, $said);
}

sub run ($self) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>>', $self->path('logs/output.log') or POSIX::_exit(127);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
        local %ENV = (%ENV, %{ $self->{option}{env} // {} });
        exec $self->command('-g', 'daemon off;') or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    push @running, $self;
    wait_until {
        if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
            delete $self->{pid};
            @running = grep { $_ != $self } @running;
            die "nginx did not start:\n", AuthGate::read_file($self->path('logs/output.log')),
                $self->error_log;
        }
        -s $self->path('nginx.pid') && $self->workers == $self->{option}{workers} && $self->has_said_so;
    }
    20, 'nginx to start';
}

# A worker may answer before the master has written that it has started it.
sub has_said_so ($self) {
    my $said = () = $self->error_log =~ /start worker process \d+$/mg;
    return $self->{option}{single} || $said >= $self->{option}{workers};
}

sub pid ($self) { return $self->{pid} }

# The pids of the worker processes that take requests.
sub workers ($self) {
    return grep { $_ } $self->{pid} if $self->{option}{single};
    my $children = AuthGate::read_file("/proc/$self->{pid}/task/$self->{pid}/children");
    return grep { AuthGate::read_file("/proc/$_/cmdline") =~ /^nginx: worker process\0*$/ }
        split ' ', $children;
}

# Sends HUP and waits for new workers. Returns false when nginx refused the configuration.
sub reload ($self, $http = undef) {
    $self->configure($http) if defined $http;
    my %old  = map { $_ => 1 } $self->workers;
    my $seen = length $self->error_log;
    kill HUP => $self->{pid};
    my $outcome = wait_until {
        return 'new' if $self->{option}{workers} == grep { !$old{$_} } $self->workers;
        return 'refused' if substr($self->error_log, $seen) =~ /\[emerg\]/;
    }
    20, 'nginx to reload';
    return $outcome eq 'new';
}

# After a reload: waits until the workers of before take no more requests.
sub wait_for_old_workers ($self) {
    return wait_until { $self->workers == $self->{option}{workers} } 20, 'the old workers to stop listening';
}

sub error_log  ($self) { return AuthGate::read_file($self->path('logs/error.log')) }
sub access_log ($self) { return AuthGate::read_file($self->path('logs/access.log')) }

# Waits until a line of the error log matches.
sub wait_for_log ($self, $pattern, $seconds = 10) {
    return wait_until { $self->error_log =~ $pattern } $seconds, "a log line like $pattern";
}

# The lines of the error log that `$action` has caused. What the gate writes about a request stands
# there before the answer goes out.
sub lines_of ($self, $action) {
    my $seen = length $self->error_log;
    $action->();
    return split /^/, substr $self->error_log, $seen;
}

# The same, without what nginx says of itself: the gate's lines alone.
sub gate_lines_of ($self, $action) {
    return grep { /authgate: / } $self->lines_of($action);
}

# An [alert] or [emerg] that the test brings about on purpose.
sub expect_alert ($self, $pattern) { push @{ $self->{alerts} }, $pattern }

sub client ($self, %option) {
    return AuthGate::Client->new(port => $self->port, %option);
}

# Makes certificate.pem and certificate.key in %%DIR%%, for 127.0.0.1 and localhost.
sub make_certificate ($self) {
    AuthGate::make_certificate($self->path('certificate.pem'), $self->path('certificate.key'));
}

sub stop ($self, $signal = 'TERM') {
    my $pid = delete $self->{pid} or return;
    # nginx's master kills the workers that TERM has not ended within a second, which on a busy machine happens.
    push $self->{alerts}->@*, qr/worker process \d+ exited on signal 9/
        if $signal eq 'TERM' && !$AuthGate::EXACT && !$self->was_killed;
    kill $signal => $pid;
    $self->has_gone($pid) or fail "nginx stops after $signal";
    @running = grep { $_ != $self } @running;
    $self->check_logs;
}

# Whether it went by itself. It has gone, then.
sub has_gone ($self, $pid) {
    return 1 if eval {
        wait_until { waitpid($pid, POSIX::WNOHANG()) == $pid } 25, 'nginx to stop';
    };
    kill KILL => $pid;
    waitpid $pid, 0;
    return 0;
}

# Whether a worker was killed before nginx was told to stop.
sub was_killed ($self) { return $self->error_log =~ /\[alert\] .*exited on signal 9/ }

sub check_logs ($self) {
    my @alerts = grep { /\[(?:alert|emerg)\]/ } split /^/, $self->error_log;
    for my $expected (@{ $self->{alerts} }) {
        @alerts = grep { $_ !~ $expected } @alerts;
    }
    is join('', @alerts), '', 'no [alert] and no [emerg] in the error log';
    $self->keep_logs;
}

sub keep_logs ($self) {
    for my $log (qw(error access)) {
        AuthGate::append_file("$AuthGate::LOGS/$self->{name}.$log.log",
            AuthGate::read_file($self->path("logs/$log.log")));
        unlink $self->path("logs/$log.log");
    }
}

# Servers are stopped before the plan is closed, so that their logs are tested too.
{
    my $done_testing = \&Test::Builder::done_testing;
    no warnings 'redefine';
    *Test::Builder::done_testing = sub { $_->stop for [@running]->@*; goto &$done_testing };
}

END {
    my $status = $?;
    for my $server (grep { $_->{pid} } @running) {    # only when the test died
        kill TERM => $server->{pid};
        $server->has_gone($server->{pid});
        $server->keep_logs;
    }
    $? = $status;
}

1;
