# A request whose Basic credential is checked keeps its body and its connection; what comes behind it waits.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Pending;
use AuthGate::Response;
use AuthGate::Server;
use AuthGate::Streams;
use AuthGate::Upstream;
use AuthGate::Users;
use Digest::SHA qw(sha1_hex);
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; checks waiting=512; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        authgate ops;
        client_max_body_size 3m;
        client_body_buffer_size 16k;
        keepalive_requests 10000;
        location = /stream { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /app { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /asked { authgate off; auth_request /verify; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /verify { authgate_verify ops; }
        location = /any { satisfy any; deny all; proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
# Each user is checked once: what is asked is always asked cold.
my @hashes = map { bcrypt('canary-right', $_) } 4, 10;
AuthGate::append_file($server->path('users'),
    join '', map { "quick$_:$hashes[0]\nslow$_:$hashes[1]\n" } 1 .. 200);
my $app = AuthGate::Upstream->start($server->port('app'), reply => sub ($request) {
    my ($body) = $request =~ /\r\n\r\n(.*)/s;
    my $said = length($body) . ' ' . sha1_hex($body) . "\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: " . length($said) . "\r\n\r\n$said";
});
$server->run;
my $client = $server->client(headers => []);
my %seen;
sub cold ($speed) { return basic($speed . ++$seen{$speed}, 'canary-right') }
sub wrong () { return basic('slow' . ++$seen{slow}, 'canary-wrong') }
sub said ($body) { return length($body) . ' ' . sha1_hex($body) . "\n" }

my %body = (small => 'a=1', '100 KiB' => join('', map { chr rand 256 } 1 .. 100_000), '1 MiB' => 'y' x 1_048_576);

for my $path (qw(/app /asked /any)) {
    for my $size (sort keys %body) {
        my $body = $body{$size};
        for my $speed (qw(quick slow)) {
            my $answer = $client->raw(
                get_bytes($client, "POST $path", cold($speed), 'Content-Length' => length $body, '' => $body));
            is $answer->status, 200, "$path, $size, $speed: let in";
            is $answer->body, said($body), "$path, $size, $speed: the whole body";

            # In pieces, with the check between them.
            my $pending = pending($client, "POST $path", cold($speed), 'Content-Length' => length $body,
                '' => substr $body, 0, 2);
            Time::HiRes::sleep(0.05 + rand 0.1);
            $pending->more(substr $body, 2);
            is $pending->answer->body, said($body), "$path, $size, $speed, in pieces: the whole body";

            # In chunks.
            my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack '(a9000)*', $body;
            $pending = pending($client, "POST $path", cold($speed), 'Transfer-Encoding' => 'chunked',
                '' => substr $chunked, 0, 5);
            Time::HiRes::sleep(rand 0.1);
            $pending->more(substr($chunked, 5) . "0\r\n\r\n");
            is $pending->answer->body, said($body), "$path, $size, $speed, in chunks: the whole body";

            # After 100.
            $pending = pending($client, "POST $path", cold($speed), 'Content-Length' => length $body,
                Expect => '100-continue');
            my $line = readline $pending->{socket};
            is $line, "HTTP/1.1 100 Continue\r\n", "$path, $size, $speed: 100";
            readline $pending->{socket};
            $pending->more($body);
            is $pending->answer->body, said($body), "$path, $size, $speed, after 100: the whole body";
        }

        # Refused: the body is thrown away and never read as a request.
        my $before = $app->count;
        my $evil = "GET /app HTTP/1.1\r\nHost: x\r\n\r\n" . $body;
        my $socket = $client->connect;
        {
            local $SIG{PIPE} = 'IGNORE';
            print $socket get_bytes($client, "POST $path", wrong(), Connection => 'keep-alive',
                'Content-Length' => length $evil, '' => $evil);
        }
        is(AuthGate::Response->read($socket, 'POST')->status, 401, "H98 $path, $size: refused");
        print $socket get_bytes($client, $path, cold('quick'));
        my $answer = AuthGate::Response->read($socket, 'GET');
        is $answer->status, 200, "H98 $path, $size: the next request of the connection is let in";
        is $app->count, $before + 1, "H98 $path, $size: and is the only one that the application has got";
    }
}

# Refused with Expect: nginx asks for a body that it throws away, and none comes.
{
    my $socket = $client->connect;
    print $socket get_bytes($client, 'POST /app', wrong(), 'Content-Length' => 1_000_000,
        Expect => '100-continue');
    is(AuthGate::Response->read($socket, 'POST')->status, 401, 'Expect: refused before a body comes');
}

# Pipelined: in order, each checked by itself, and nothing is lost.
{
    my @users = map { [cold('slow')] } 1 .. 6;
    my @order = (200, 401, 200, 200, 401, 200);
    my $bytes = '';
    for (0 .. 5) {
        my @credential = $order[$_] == 200 ? $users[$_]->@* : wrong();
        my $body = "number=$_";
        $bytes .= get_bytes($client, 'POST /app', @credential, 'Content-Length' => length $body,
            Connection => $_ == 5 ? 'close' : 'keep-alive', '' => $body);
    }
    my $socket = $client->connect;
    print $socket $bytes;
    my @answers = map { AuthGate::Response->read($socket, 'POST') } 0 .. 5;
    is_deeply [map { $_->status } @answers], \@order, 'pipelined: each has its answer';
    is_deeply [map { $answers[$_]->body } 0, 2, 3, 5], [map { said("number=$_") } 0, 2, 3, 5],
        'pipelined: and its body';
}

# A connection that stays: cold and remembered, let in and refused.
{
    my $socket = $client->connect;
    my @once = cold('slow');
    my @statuses;
    for ([@once], [@once], [wrong()], [@once], [], [cold('quick')], [Authorization => 'Basic %'], [@once]) {
        print $socket get_bytes($client, '/app', @$_, Connection => 'keep-alive');
        push @statuses, AuthGate::Response->read($socket, 'GET')->status;
    }
    is_deeply \@statuses, [200, 200, 401, 200, 401, 200, 401, 200], 'one connection, many requests';
}

# HEAD, HTTP/1.0, other methods.
{
    my $answer = $client->request('HEAD', '/hello.txt', undef, cold('slow'));
    is $answer->status, 200, 'H94 HEAD: let in';
    $answer = $client->request('HEAD', '/hello.txt', undef, wrong());
    is $answer->status, 401, 'H94 HEAD: refused';
    is $answer->body, '', 'H94 HEAD: no body';
    my (undef, $credential) = cold('slow');
    is $client->raw("GET /hello.txt HTTP/1.0\r\nAuthorization: $credential\r\n\r\n")->body,
        "hello from behind the gate\n", 'H93 HTTP/1.0';
    is $client->request('PUT', '/app', 'text', cold('slow'))->body, said('text'), 'H94 PUT';
    is $client->request('BREW', '/app', undef, cold('slow'))->status, 200, 'H94 an unknown method';
}

# Streams with bodies.
{
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my @streams = map { $connection->request(POST => '/app', [cold('slow')], "stream=$_") } 1 .. 6;
    my @bad = map { $connection->request(POST => '/app', [wrong()], 'x' x 8000) } 1 .. 3;
    is_deeply [map { $connection->status($_, 60) } @streams], [(200) x 6], 'HTTP/2: six posts are let in';
    is_deeply [map { $connection->body($_) } @streams], [map { said("stream=$_") } 1 .. 6],
        'HTTP/2: with their bodies';
    is_deeply [map { $connection->status($_, 60) } @bad], [(401) x 3], 'HTTP/2: three are refused';
    my $late = $connection->request(POST => '/app', [cold('slow')], undef);
    $connection->data($late, 'first half, ');
    $connection->ping;
    Time::HiRes::sleep(0.05);
    $connection->data($late, 'second half', 1);
    is $connection->status($late, 60), 200, 'HTTP/2: a body in two pieces';
    is $connection->body($late), said('first half, second half'), 'HTTP/2: and it is whole';
}

done_testing;
