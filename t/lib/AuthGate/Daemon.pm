package AuthGate::Daemon;

# An AuthGate::Server in the background, as nginx runs on a machine: it can be killed whole, and its binary
# replaced while it runs. Its workers can be asked one by one.
#
#     my $server = AuthGate::Daemon->start($http, workers => 2);      # stopped by ->stop alone
#     $server->restart; $server->kill_all; $server->upgrade;
#     is $server->verdicts($cookie), '401', 'all workers refuse';
#
# For verdicts and worker the configuration has a server with
#     listen 127.0.0.1:%%PORT_all%% reuseport;  add_header X-Worker $pid always;  %%DIR%%/html as its root.
# The cookie is named authgate and the port's name is all, unless told.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Response;
use AuthGate::Server;
use parent -norequire, 'AuthGate::Server';

my ($nginx) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};
$AuthGate::NGINX = $nginx if $AuthGate::NGINX eq 'nginx';    # USR2 needs the whole path

my %group;

# What nginx says when it is started; nothing when all is well, and then it runs.
sub try ($self) {
    my $output = $self->path('logs/output.log');
    unlink $output;
    my $failed = system join(' ', map { quotemeta } $self->command) . " >\Q$output\E 2>&1 </dev/null";
    return AuthGate::read_file($output) || 'nothing' if $failed;
    $self->{pid} = $self->wait_for_pid_other_than(0);
    $group{ getpgrp $self->{pid} } = 1;
    AuthGate::Server::wait_until { $self->workers == $self->{option}{workers} } 20, 'workers';
    return '';
}

sub run ($self) {
    my $said = $self->try;
    die "nginx did not start:\n$said" if $said;
}

sub pid_in ($self, $name) { return AuthGate::read_file($self->path($name)) =~ s/\s+//gr }

sub wait_for_pid_other_than ($self, $old) {
    return AuthGate::Server::wait_until {
        my $pid = $self->pid_in('nginx.pid');
        $pid && $pid != $old && is_alive($pid) && $pid;
    }
    20, 'the pid file';
}

sub wait_until_gone ($self, @pids) {
    return AuthGate::Server::wait_until { !grep { is_alive($_) } @pids } 25, "processes @pids to go";
}

sub stop ($self, $signal = 'QUIT') {
    my $pid = delete $self->{pid} or return;
    kill $signal => $pid;
    $self->wait_until_gone($pid);
    $self->check_logs;
}

sub restart ($self) {
    kill QUIT => $self->{pid};
    $self->wait_until_gone($self->{pid});
    $self->run;
}

# kill -9 of the master and all workers at one moment.
sub kill_all ($self) {
    my @all = ($self->{pid}, $self->workers);
    kill -KILL => getpgrp $self->{pid};
    $self->wait_until_gone(@all);
    $self->expect_alert(qr/exited on signal 9|was locked by/);
}

# USR2: from here on two masters run. Gives the old one, and ->pid is the new one.
sub begin_upgrade ($self) {
    my $old = $self->{pid};
    kill USR2 => $old;
    $self->{pid} = $self->wait_for_pid_other_than($old);
    AuthGate::Server::wait_until { $self->workers == $self->{option}{workers} } 20, 'new workers';
    return $old;
}

sub upgrade ($self) {
    my $old = $self->begin_upgrade;
    kill QUIT => $old;
    $self->wait_until_gone($old);
}

sub workers_of ($self, $master) {
    local $self->{pid} = $master;
    return $self->workers;
}

# A connection to this worker, to ask on it again and again.
sub worker ($self, $pid, %option) {
    return AuthGate::Server::wait_until {
        my $worker = AuthGate::Daemon::Worker->connect($self, %option);
        $worker->ask('GET', '/hello.txt', '')->header('X-Worker') == $pid && $worker;
    }
    20, "a connection to worker $pid";
}

# What the workers say to a GET with this cookie, all of them or these: '200' where they agree.
sub verdicts ($self, $cookie, %option) {
    my %missing = map { $_ => 1 } ($option{workers} // [$self->workers])->@*;
    my %verdict;
    AuthGate::Server::wait_until {
        my $response = AuthGate::Daemon::Worker->connect($self, %option)->ask('GET', '/hello.txt', $cookie);
        $verdict{ $response->status } = 1 if delete $missing{ $response->header('X-Worker') // 0 };
        !%missing;
    }
    20, 'all workers to answer';
    return join ' ', sort keys %verdict;
}

# Seconds until all workers refuse this cookie; undef after that many.
sub refused_after ($self, $cookie, $seconds, %option) {
    my $began = Time::HiRes::time();
    my $refused = eval {
        AuthGate::Server::wait_until { $self->verdicts($cookie, %option) eq '401' } $seconds, 'refusal';
    };
    return $refused ? Time::HiRes::time() - $began : undef;
}

# A number may have gone to others meanwhile: what is ours has one of our files open.
END {
    for my $pid (map { m{/proc/(\d+)\z} } glob '/proc/[0-9]*') {
        kill KILL => $pid if $group{ eval { getpgrp $pid } // 0 } && is_ours($pid);
    }
}

sub is_ours ($pid) {
    return $pid != $$ && grep { (readlink // '') =~ m{\A\Q$AuthGate::DIRECTORY\E/} } glob "/proc/$pid/fd/*";
}

package AuthGate::Daemon::Worker;

use Socket qw(IPPROTO_TCP TCP_NODELAY);

sub connect ($class, $server, %option) {
    my $client = $server->client(port => $server->port($option{port} // 'all'));
    my $socket = $client->connect;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;    # a request goes out in two parts
    return bless {
        socket => $socket,
        name => $option{cookie} // 'authgate',
        path => $option{path} // '/authgate/',
    }, $class;
}

# All of a request but its last line's end; ->finish sends that.
sub begin ($self, $method, $path, $cookie) {
    print { $self->{socket} } "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n",
        "Cookie: $self->{name}=$cookie\r\n";
    $self->{method} = $method;
    return $self;
}

sub finish ($self) {
    print { $self->{socket} } "\r\n";
    return AuthGate::Response->read($self->{socket}, $self->{method});
}

sub ask ($self, @request) { return $self->begin(@request)->finish }
sub verdict ($self, $cookie) { return $self->ask('GET', '/hello.txt', $cookie)->status }
sub sign_out ($self, $cookie) { return $self->ask('POST', "$self->{path}logout", $cookie)->status }

1;
