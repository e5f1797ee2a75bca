# J128: a third party's filter fails, of a request's body or of an answer: that request fails, nothing spins and
# nothing of the gate's answer is left behind. For the module that has such filters on request.

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { limit off; users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /open   { authgate off; try_files /hello.txt =404; }
        location = /status { authgate off; stub_status; }
        location = /verify { internal; authgate_verify ops; }
        location = /asked  { authgate off; auth_request /verify; try_files /hello.txt =404; }
    }
EOF_HTTP
my @worker = $server->workers;
my $client = $server->client;

# The worker is free again, and holds nothing of the request.
sub goes_on ($name) {
    is eval { $client->get('/open')->status }, 200, "J128 $name: the next request is answered at once";
    is_deeply [$server->workers], \@worker, "J128 $name: by the same worker";
    is $server->client->login('alice', $PASSWORD{alice})->status, 303,
        "J128 $name: the next login too";
    ok eval {
        AuthGate::Server::wait_until { connections($client)->{active} == 0 } 5, 'the connections to go';
    }, "J128 $name: no request is left";
}

sub is_bare ($name, $status, $response) {
    is $response->status, $status, "J128 $name: $status";
    unlike $response->head, qr/^(?:Location|Set-Cookie|WWW-Authenticate):/mi,
        "J128 $name: without a field of the gate's";
}

sub bytes ($fault) {
    return AuthGate::Pending::login_bytes($client, 'alice', $PASSWORD{alice},
        headers => { 'X-Authgate-Fault' => $fault });
}

# The filter fails before the first byte of the body, with the form there and with a part of it.
for my $cut (0, 5) {
    my $name    = "the first byte, $cut missing";
    my $bytes   = bytes('body-early');
    my $pending = AuthGate::Pending->send($client, substr $bytes, 0, length($bytes) - $cut);
    is_bare($name, 500, $pending->answer);
    goes_on($name);
}

# And while it comes.
for my $rest (1, 40) {
    my $name    = "$rest bytes late";
    my $bytes   = bytes('body-late');
    my $pending = AuthGate::Pending->send($client, substr $bytes, 0, -$rest);
    is $client->get('/open')->status, 200, "J128 $name: the form is on its way";
    $pending->more(substr $bytes, -$rest, 1);
    is_bare($name, 500, $pending->answer);
    goes_on($name);
}

# A filter of the answer, behind the gate's own.
for my $case (['header-fails', 500], ['header-forbids', 403]) {
    my ($fault, $status) = @$case;
    my @fault = ('X-Authgate-Fault' => $fault);
    is_bare("$fault, redirect", $status, $client->get('/hello.txt', @fault));
    is_bare("$fault, HEAD", $status, $client->request('HEAD', '/hello.txt', undef, @fault));
    is_bare("$fault, 401", $status, $server->client(headers => [])->get('/hello.txt', @fault));
    is_bare("$fault, login", $status,
        $server->client->login('alice', $PASSWORD{alice}, headers => \@fault));
    is $server->client->get('/asked', @fault)->status, $status, "J128 $fault: a subrequest";
    goes_on($fault);
}
my $pending = AuthGate::Pending->send($client, bytes('output-fails'));
AuthGate::Server::wait_until { $pending->is_answered } 5, 'the end of the connection';
goes_on('output-fails');

done_testing;
