package AuthGate::Hundred;

# H99: a hundred requests at once on one connection of HTTP/2 or HTTP/3, half of them reset at any moment,
# and what is left of them in the worker. E57: the connection itself goes with all of them.
#
#     my $hundred = AuthGate::Hundred->start('HTTP/2', 'listen 127.0.0.1:%%PORT_many%% http2;',
#         sub ($port) { AuthGate::Streams->connect($port) });
#     $hundred->reset_half(12);
#     $hundred->leave(8, sub ($connection) { $connection->close });
#     $hundred->quit;
#
# Connections are those of AuthGate::Streams or AuthGate::Http3.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Client;
use AuthGate::Metrics;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Upstream;
use AuthGate::Users ();
use List::Util qw(min shuffle);
use Test::More;
use Time::HiRes ();

my $HTTP = <<'EOF_HTTP';
    authgate_realm ops {
        users  %%USERS%%;
        cookie authgate secure=off;
        accept cookie basic;
        limit  retries=100000 user_retries=100000;
        checks running=2 waiting=200;
    }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    server {
        listen 127.0.0.1:%%PORT%%;
        %%LISTEN%%
        root %%DIR%%/html;
        authgate ops;
        location = /status  { authgate off; stub_status; access_log off; }
        location = /metrics { authgate off; authgate_metrics; }
        location = /asked   { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /verify  { internal; authgate_verify ops; }
        location = /app     { proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP

# Passwords of a check that takes some 10 ms, of which most are wrong, each but once.
my $COST = 7;
my $FORM = 'application/x-www-form-urlencoded';
my $count = 0;

# What memory may grow by from the first rounds to the last, in KiB. A hundred requests that are kept are
# 400 KiB or more.
my $GROWTH = 800;

sub start ($class, $protocol, $listen, $connect) {
    my $server = AuthGate::Server->prepare($HTTP =~ s/%%LISTEN%%/$listen/r);
    my $self = bless { protocol => $protocol, server => $server, connect => $connect }, $class;
    my $hash = AuthGate::Users::bcrypt($PASSWORD{alice}, $COST);
    AuthGate::write_file($server->path('users'), "alice:$hash\n");
    $server->make_certificate;
    $self->{app} = AuthGate::Upstream->start($server->port('app'));
    $server->run;
    $self->{client} = $server->client;
    $self->{client}->sign_in('alice');
    $self->{cookie} = 'authgate=' . $self->{client}->cookie('authgate');
    ($self->{worker}) = $server->workers;
    $self->connect->close;
    $self->{descriptors} = $self->few_descriptors;
    return $self;
}

sub connect ($self) { return $self->{connect}->($self->{server}->port('many')) }

sub wrong () { return (basic('alice', 'canary-wrong-' . ++$count))[1] }

# What is asked for, what it is answered, and what has to be done for that afterwards.
sub kinds ($self) {
    my %right = (authorization => (right('alice'))[1]);
    my @cookie = (cookie => $self->{cookie});
    my $body = AuthGate::Client::form([username => 'alice', password => $PASSWORD{alice}]);
    my $half = length($body) / 2;
    return (
        ['a login', 303, sub ($c) { $c->login('alice', $PASSWORD{alice}) }],
        ['a wrong login', 403, sub ($c) { $c->login('alice', 'canary-wrong-' . ++$count) }],
        ['Basic that is known', 200, sub ($c) { $c->request(GET => '/hello.txt', [%right]) }],
        ['a wrong Basic', 401, sub ($c) { $c->request(GET => '/hello.txt', [authorization => wrong()]) }],
        ['a wrong Basic in a subrequest', 401, sub ($c) { $c->request(GET => '/asked', [authorization => wrong()]) }],
        ['a file, signed in', 200, sub ($c) { $c->request(GET => '/hello.txt', [@cookie]) }],
        ['a slow application, signed in', 200, sub ($c) { $c->request(GET => '/app', [@cookie]) }],
        [
            'a wrong Basic on a stream that stays open',
            401,
            sub ($c) { $c->request(GET => '/hello.txt', [authorization => wrong()], undef) },
            sub ($c, $stream) { $c->data($stream, '', 1) },
        ],
        ['an upload', 401, sub ($c) { $c->request(POST => '/app', [], 'x' x 5000) }],
        [
            'a login in two parts',
            303,
            sub ($c) {
                my $stream = $c->request(POST => '/authgate/login', ['content-type' => $FORM], undef);
                $c->data($stream, substr $body, 0, $half);
                return $stream;
            },
            sub ($c, $stream) { $c->data($stream, substr($body, $half), 1) },
        ],
    );
}

# Sends ten of each kind, in any order: stream and kind of each.
sub send_all ($self, $connection) {
    return map { [$_->[2]->($connection), $_] } shuffle map { ($_) x 10 } $self->kinds;
}

sub reset_half ($self, $rounds) {
    my ($connection, %wrong, @memory);
    for my $round (1 .. $rounds) {
        $connection = $self->connect;
        $self->{app}->hold;
        my @sent = $self->send_all($connection);
        my @half = shuffle @sent;
        my @reset = splice @half, 0, @half / 2;
        for my $gone (@reset) {
            $connection->reset($gone->[0]);
            $connection->ping if $round % 2 && rand() < 0.2;    # some time goes by
        }
        for my $stays (@half) {
            my ($stream, $kind) = @$stays;
            $kind->[3]->($connection, $stream) if $kind->[3];
        }
        $self->{app}->release;
        for my $stays (@half) {
            my ($stream, $kind) = @$stays;
            my $status = $connection->status($stream);
            $wrong{"$kind->[0]: $status"}++ if $status != $kind->[1];
        }
        $connection->close;
        eval { $self->wait_until_quiet };    # what is left is told below
        push @memory, $self->memory;
    }
    my $streams = 50 * $rounds;
    is_deeply \%wrong, {}, "H99 $self->{protocol}, $streams streams reset: the other $streams are answered as they should";
    $self->nothing_is_left("H99 $self->{protocol}, $streams streams reset");
    $self->is_flat("H99 $self->{protocol}", $GROWTH, @memory);
}

# The connection goes in the way that is given, while all of them are under way; memory is looked at when all
# is over.
sub leave ($self, $rounds, $way, $name) {
    my @memory;
    for my $round (1 .. $rounds) {
        my $connection = $self->connect;
        $self->{app}->hold;
        $self->send_all($connection);
        $connection->ping if $round % 2;    # some of them have been answered by then
        $way->($connection);
        $self->{app}->release;
        next if $round % 2;
        $self->wait_until_quiet;
        push @memory, $self->memory;
    }
    $self->nothing_is_left("E57 $self->{protocol}, $rounds connections $name");
    # By how much the most of it at one time differs is chance, and grows by nothing with the rounds; what is kept of
    # each would.
    $self->is_flat("E57 $self->{protocol}, connections $name", $GROWTH * $rounds / 6, @memory);
}

# No request, and no connection but the one that asks.
sub wait_until_quiet ($self) {
    my $client = $self->{client};
    return AuthGate::Server::wait_until {
        my $now = connections($client);
        $now->{active} == 0 && $now->{writing} == 0;
    }
    20, 'connections and requests to end';
}

sub memory ($self) {
    my ($size) = AuthGate::read_file("/proc/$self->{worker}/status") =~ /^VmRSS:\s+(\d+)/m;
    return $size;
}

# The first third warms up.
sub is_flat ($self, $case, $growth, @memory) {
    my $warm = $memory[@memory / 3];
    note "$case: memory of the worker after the rounds, in KiB: @memory";
    return if -d $AuthGate::REPORTS;    # AddressSanitizer keeps what is freed for a while
    cmp_ok $memory[-1] - $warm, '<', $growth, "$case: memory does not grow";
}

sub nothing_is_left ($self, $case) {
    my ($server, $client) = @$self{qw(server client)};
    my $metrics;
    ok eval { $self->wait_until_quiet }, "$case: no connection and no request is left" or diag $@;
    my $checks = sub {
        $metrics = AuthGate::Metrics->read($client);
        return join ' ', map { $metrics->value("authgate_password_checks_$_\{realm=\"ops\"}") } qw(running waiting);
    };
    ok eval { AuthGate::Server::wait_until { $checks->() eq '0 0' } 20, 'checks to end' },
        "$case: no check is left" or diag $checks->();
    ok eval { AuthGate::Server::wait_until { descriptors($self->{worker}) <= $self->{descriptors} } 10, 'descriptors' },
        "$case: no descriptor is left" or diag descriptors($self->{worker}), " and not $self->{descriptors}";
    is_deeply [$server->workers], [$self->{worker}], "$case: the same worker";
    is $server->client->login('alice', $PASSWORD{alice})->status, 303, "$case: a login goes on";
}

# The least that is seen for a while: connections of before may not be closed yet.
sub few_descriptors ($self) {
    return min(map { Time::HiRes::sleep(0.02); descriptors($self->{worker}) } 1 .. 20);
}

# QUIT while checks run and wait: who stays is answered, then the worker goes, and "open socket left" is an
# alert, which no test may leave in the log.
sub quit ($self) {
    my $connection = $self->connect;
    my @sent = map { $connection->login('alice', $PASSWORD{alice}) } 1 .. 20;
    $connection->ping;
    $connection->reset($_) for @sent[0 .. 9];
    kill QUIT => $self->{server}->pid;
    is_deeply [map { $connection->status($_) } @sent[10 .. 19]], [(303) x 10],
        "E59 $self->{protocol}, QUIT during checks: who has stayed is answered";
    $self->{server}->stop('QUIT');
    unlike AuthGate::read_file("$AuthGate::LOGS/$self->{server}{name}.error.log"), qr/open socket/,
        "E59 $self->{protocol}, QUIT during checks: no open socket is left";
}

1;
