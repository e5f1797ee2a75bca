# I111: nginx has no connections left, for clients or for the application. Nobody comes in by that, nobody is
# forgotten, and it is over when there are some again.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $MOST = 24;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        keepalive_timeout 0;
        client_header_timeout 60s;
        location = /app   { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asks  { authgate off; auth_request /verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /verify { authgate_verify ops; }
    }
    # Another server, that asks the gate as another machine would.
    server {
        listen 127.0.0.1:%%PORT_far%%;
        keepalive_timeout 0;
        location = /far { auth_request /verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /verify { proxy_pass http://127.0.0.1:%%PORT%%; }
    }
EOF_HTTP
my $conf = AuthGate::read_file($server->path('nginx.conf')) =~ s/worker_connections \d+/worker_connections $MOST/r;
AuthGate::write_file($server->path('nginx.conf'), $conf);
my $app = AuthGate::Upstream->start($server->port('app'));
$server->expect_alert(qr/worker_connections are not enough/);
$server->run;
my ($worker) = $server->workers;

my $alice = $server->client(headers => []);
$alice->sign_in('alice');
my @alice = (Cookie => $alice->cookie_header);
my $bob   = $server->client;
$bob->sign_in('bob');

sub client (%more) { return $server->client(headers => [], %more) }

# nginx does not take these back: half a request has come.
sub occupy () {
    my $socket = $server->client->connect;
    print $socket "GET / HTTP/1.1\r\nHost";
    return $socket;
}

sub status ($path, @headers) {
    my @port     = $path eq '/far' ? (port => $server->port('far')) : ();
    my $response = client(@port)->get($path, @headers);
    return 'content' if $response->body =~ /behind the gate|from the application/;
    return $response->status;
}

# The more are taken, the fewer are let in: first to the application, then at all.
my (%nobody, %alice, @held);
for my $taken (0 .. $MOST) {
    push @held, occupy() if $taken;
    select undef, undef, undef, 0.03;    # it has been accepted; or has not, which the next answer shows as well
    my $asked = $app->count;
    for my $path (qw(/hello.txt /app /asks /far)) {
        push $nobody{$path}->@*, status($path);
    }
    is $app->count, $asked, "I111 $taken connections taken: nobody gets to the application";
    push $alice{$_}->@*, status($_, @alice) for qw(/hello.txt /app /asks /far);
}
for my $path (sort keys %nobody) {
    my %seen = map { $_ => 1 } $nobody{$path}->@*;
    delete @seen{qw(0 401 500 503)};
    is_deeply [sort keys %seen], [], "I111 $path: nobody is let in, however few there are";
    is $nobody{$path}[0], 401, "I111 $path: (with connections: 401)";
    is $nobody{$path}[-1], 0, "I111 $path: (in the end there were none)";
    %seen = map { $_ => 1 } $alice{$path}->@*;
    delete @seen{qw(0 500 503 content)};
    is_deeply [sort keys %seen], [], "I111 $path: alice is let in, or nginx fails";
    is $alice{$path}[0], 'content', "I111 $path: (with connections: she is)";
}
cmp_ok scalar(grep { /50[03]/ } map { @$_ } $alice{'/app'}, $alice{'/far'}), '>', 0,
    'I111 (there were too few for the application)';

# A login needs none but its own.
close $_ for splice @held, -4;
AuthGate::Server::wait_until { eval { status('/hello.txt') } } 5, 'a connection';
is client->login('carol', $PASSWORD{carol})->status, 303, 'I111 with few left somebody signs in';
is $bob->sign_out->status, 303, 'I111 and somebody signs out';
close $_ for @held;
AuthGate::Server::wait_until { status('/app', @alice) eq 'content' } 5, 'connections';
is status($_, @alice), 'content', "I111 $_: with connections again, alice is let in" for sort keys %alice;
is status($_), 401, "I111 $_: and nobody is not" for sort keys %nobody;
is_deeply [$server->workers], [$worker], 'I111 the worker lives';

done_testing;
