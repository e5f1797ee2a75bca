# E67: a panic ends its request with 500, never the worker, and lets nobody pass. For the module that panics on request.

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Pending;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        checks running=1 waiting=8;
    }
    authgate_realm strict {
        users %%USERS%%;
        path /strict/;
        cookie strict;
        limit retries=1;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /strict.txt { authgate strict; }
        location = /open     { authgate off; try_files /hello.txt =404; }
        location = /optional { authgate ops optional; try_files /hello.txt =404; }
        location = /any      { satisfy any; deny all; try_files /hello.txt =404; }
        location = /page     { error_page 500 /open; }
    }
EOF_HTTP

my $client = $server->client;
my ($worker) = $server->workers;
$client->sign_in('alice');
is $client->get('/hello.txt')->status, 200, 'a file behind the gate';

my $alerts = 0;

# One alert for each panic, and everything goes on.
sub goes_on ($name, $panics = 1) {
    $alerts += $panics;
    my @lines = grep { /\[alert\]/ } split /^/, $server->error_log;
    is scalar @lines, $alerts, "E67 $name: $panics alert";
    is_deeply [$server->workers], [$worker], "E67 $name: the worker lives";
    is $client->get('/hello.txt')->status, 200, "E67 $name: the next request is answered";
    is $server->client->login('alice', $PASSWORD{alice})->status, 303, "E67 $name: the next login too";
}

sub is_500 ($name, $response) {
    is $response->status, 500, "E67 $name: 500";
    unlike $response->raw, qr/hello from behind|Set-Cookie/i, "E67 $name: nothing gets out";
}

# In a check.
is_500('check', $server->client->login('panic-in-check', 'canary-wrong'));
goes_on('check');

is_500('check with JSON',
    $server->client->login('panic-in-check', 'canary-wrong', headers => [Accept => 'application/json']));
goes_on('check with JSON');

# One among others: the slot is free again.
{
    my @users = ('panic-in-check', 'alice') x 3;
    my @pending =
        map { AuthGate::Pending->login($server->client, $_, $PASSWORD{$_} // 'canary-wrong') } @users;
    is_deeply [map { $_->answer->status } @pending], [(500, 303) x 3],
        'E67 checks in between: only theirs fail';
    goes_on('checks in between', 3);
}

# In the handlers. With and without a credential, where the gate is on, off, optional or beside others.
for my $place (qw(access precontent)) {
    my @fault = ('X-Authgate-Fault' => $place);
    for my $path (qw(/hello.txt /optional /authgate/login)) {
        is_500("$place, $path", $client->get($path, @fault));
        goes_on("$place, $path");
    }
    is_500("$place, error_page", $client->get('/page', @fault)) if $place eq 'access';
    goes_on("$place, error_page", 2) if $place eq 'access';    # the page is asked for, too
    is_500("$place, satisfy any", $client->get('/any', @fault));
    goes_on("$place, satisfy any");
    is_500("$place, a login", $server->client->login('alice', $PASSWORD{alice}, headers => \@fault));
    goes_on("$place, a login");
    is_500("$place, a logout", $client->post('/authgate/logout', [], @fault));
    goes_on("$place, a logout");

    for my $path (qw(/hello.txt /any)) {
        my $response = $server->client->get($path, @fault);
        unlike $response->raw, qr/hello from behind/, "E67 $place, $path, nobody: nothing gets out";
        $alerts += $response->status == 500;
    }
    goes_on("$place, nobody", 0);
}

# Around a check, with the whole form there and with its last byte late.
for my $place (qw(submit resume)) {
    my @login = ('alice', $PASSWORD{alice}, headers => { 'X-Authgate-Fault' => $place });
    is_500($place, AuthGate::Pending->login($server->client, @login)->answer);
    goes_on($place);

    my $bytes = AuthGate::Pending::login_bytes($server->client, @login);
    my $pending = AuthGate::Pending->send($server->client, substr $bytes, 0, -1);
    is $server->client->get('/open')->status, 200, "E67 $place: a form on its way";
    $pending->more(substr $bytes, -1);
    is_500("$place, a form in pieces", $pending->answer);
    goes_on("$place, a form in pieces");
}

# A login that is lost to a panic takes the network's only try along for a while, not for ever: else this would wait
# until the worker ends.
{
    my @path = (path => '/strict/login');
    is_500('when granted',
        AuthGate::Pending->login($server->client, 'panic-when-granted', 'canary-wrong', @path)->answer);
    goes_on('when granted');
    is AuthGate::Pending->login($server->client, 'alice', $PASSWORD{alice}, @path)->answer->status, 303,
        'E67 when granted: the try is given back';
}

# A client that goes away in the middle of a check that panics.
{
    my @pending =
        map { AuthGate::Pending->login($server->client, 'panic-in-check', 'canary-wrong') } 1 .. 4;
    $_->reset for @pending;
    is $server->client->login('bob', $PASSWORD{bob})->status, 303, 'E67 clients gone: a login goes on';
    is_deeply [$server->workers], [$worker], 'E67 clients gone: the worker lives';
}

unlike AuthGate::read_file($server->path('logs/output.log')), qr/panicked|on request/,
    'E67 nothing is printed';
$server->expect_alert(qr/\[alert\] .*authgate: panic at \S+:\d+/);

done_testing;
