# authgate_status: what an operator sees of a realm, and the bans that one lifts.

use v5.36;

use AuthGate;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 4);
    authgate_realm ops {
        users %%USERS%%;
        limit retries=3 user_retries=4 find=10m ban=100s;
    }
    authgate_realm dev {
        users %%USERS%%;
        path /dev/;
        cookie dev;
        limit off;
        zone 128k;
    }
    authgate_realm kept {
        users %%USERS%%;
        path /kept/;
        cookie kept;
        state %%DIR%%/state;
    }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        root %%DIR%%/html;
        authgate ops;
        location = /status { authgate off; authgate_status ops; }
        location = /dev-status { authgate off; authgate_status dev; }
        location = /kept-status { authgate off; authgate_status kept; }
        location = /gated-status { authgate_status ops; }
        location = /required-status { authgate ops; authgate_status dev; }
        location /nested { authgate off; authgate_status ops; location /nested/in { try_files /hello.txt =404; } }
        location = /pid { return 200 $pid; }
        location /dev-only { authgate dev; }
        location /kept-only { authgate kept; }
    }
    server {
        listen unix:%%DIR%%/socket;
        location / { authgate_status ops; }
    }
    server {
        listen 127.0.0.1:%%PORT_whole%%;
        authgate ops;
        location / { authgate_status ops; }
    }
EOF_HTTP
mkdir $server->path('state') or die $!;
chown +(getpwnam 'nobody')[2, 3], $server->path('state') if $> == 0;
$server->run;

my $client = $server->client(headers => []);
my $next   = 0;

sub decoded ($response) { return JSON::PP->new->utf8->decode($response->body) }
sub shown ($path = '/status') { return decoded($client->get($path)) }
sub bans () { return shown()->{limit}{bans} }
sub lift ($query, @headers) { return $client->request('DELETE', "/status?$query", undef, @headers) }

# A login that is said to come from an address, by a proxy that is believed.
sub login_from ($address, $user, $password) {
    return $server->client->login($user, $password, headers => [ 'X-Real-IP' => $address ])->status;
}
sub wrong_from ($address, $user = 'alice') { return login_from($address, $user, wrong_password()) }
sub right_from ($address, $user = 'alice') { return login_from($address, $user, $PASSWORD{$user}) }

# Fails from so many networks, so that no network is banned.
sub exhaust ($user) {
    return [ map { wrong_from('203.0.113.' . ++$next, $user) } 1 .. 4 ];
}

# The shape.
{
    my $answer = $client->get('/status');
    my $status = decoded($answer);
    is $answer->status, 200, 'GET: 200';
    is $answer->header('Content-Type'), 'application/json', 'JSON';
    is $answer->header('Cache-Control'), 'no-store', 'not to be stored';
    is_deeply [ sort keys %$status ], [qw(ended limit realm state users zone)], 'what there is';
    is $status->{realm}, 'ops', 'the realm';
    is $status->{users}, 3, 'its users';
    is_deeply $status->{zone}, { bytes => 1_048_576 }, 'its shared memory';
    is_deeply [ sort keys %{ $status->{ended} } ], [qw(capacity coarsened sessions tokens users)], 'of ended sessions';
    cmp_ok $status->{ended}{capacity}, '>', 1000, 'how many it takes';
    is_deeply [ @{ $status->{ended} }{qw(sessions tokens users)} ], [ 0, 0, 0 ], 'none yet';
    is_deeply [ sort keys %{ $status->{limit} } ], [qw(bans capacity counters)], 'of the limiter';
    cmp_ok $status->{limit}{capacity}, '>', 1000, 'how many counters it takes';
    is $status->{limit}{counters}, 0, 'none in use';
    is_deeply $status->{limit}{bans}, [], 'no bans';
    is $status->{state}, undef, 'without state: null';

    my $head = $client->request('HEAD', '/status', undef);
    is $head->status, 200, 'HEAD: 200';
    is $head->header('Content-Length'), length $answer->body, 'HEAD: the length';
    is $head->body, '', 'HEAD: no body';

    my $dev = shown('/dev-status');
    is $dev->{limit}, undef, 'limit off: null';
    is_deeply $dev->{zone}, { bytes => 131_072 }, 'another zone';
    cmp_ok $dev->{ended}{capacity}, '<', $status->{ended}{capacity}, 'which takes less';
    my $kept = shown('/kept-status');
    is ref $kept->{state}, 'HASH', 'with state: its file';
    is_deeply [ sort keys %{ $kept->{state} } ], [qw(bytes saved)], 'its length, and whether all is in it';
    AuthGate::Server::wait_until { shown('/kept-status')->{state}{saved} == JSON::PP::true } 10,
        'a new file to hold all';
}

# Ended sessions.
{
    my $browser = $server->client;
    for my $count (1 .. 3) {
        $browser->sign_in('alice');
        $browser->sign_out;
        is shown()->{ended}{sessions}, $count, "$count signed out";
    }
    is shown('/dev-status')->{ended}{sessions}, 0, 'none of them in another realm';
    my $before = shown('/kept-status')->{state}{bytes};
    my $kept   = $server->client(path => '/kept/');
    $kept->sign_in('alice');
    $kept->sign_out;
    is shown('/kept-status')->{ended}{sessions}, 1, 'with state too';
    AuthGate::Server::wait_until { shown('/kept-status')->{state}{bytes} > $before } 5, 'the file to grow';
    my ($file) = grep { -s == shown('/kept-status')->{state}{bytes} } glob $server->path('state/*');
    ok $file, 'whose file grows, as it says';
}

# Bans of networks.
{
    my $before = shown()->{limit}{counters};
    is_deeply [ map { wrong_from('192.0.2.7', "nobody-$_") } 1 .. 3 ], [ 403, 403, 403 ], 'a network fails';
    my ($ban, @more) = @{ bans() };
    is @more, 0, 'one ban';
    is $ban->{network}, '192.0.2.7', 'of that network';
    is_deeply [ sort keys %$ban ], [qw(network seconds)], 'and nothing else';
    ok $ban->{seconds} > 90 && $ban->{seconds} <= 100, 'for so long';
    is shown()->{limit}{counters}, $before + 7, 'the network, three names and three credentials are counted';
    is right_from('192.0.2.7'), 429, 'it has to wait';

    my $none = lift('network=192.0.2.8');
    is $none->status, 404, 'DELETE of a ban that is not there: 404';
    is_deeply decoded($none), { lifted => JSON::PP::false }, 'nothing was lifted';
    is @{ bans() }, 1, 'the ban stands';
    my $lifted = lift('network=192.0.2.7');
    is $lifted->status, 200, 'DELETE: 200';
    is_deeply decoded($lifted), { lifted => JSON::PP::true }, 'it was lifted';
    is $lifted->header('Cache-Control'), 'no-store', 'not to be stored';
    is_deeply bans(), [], 'it is gone';
    is right_from('192.0.2.7'), 303, 'the network gets in';
    is lift('network=192.0.2.7')->status, 404, 'once';
    is_deeply [ map { wrong_from('192.0.2.7', "nobody-$_") } 4 .. 5 ], [ 403, 403 ], 'its failures are forgotten';
    is right_from('192.0.2.7'), 303, 'all of them';

    is_deeply [ map { wrong_from("2001:db8::$_", "other-$_") } 1 .. 3 ], [ 403, 403, 403 ], 'an IPv6 network fails';
    is bans()->[0]{network}, '2001:db8::/64', 'as nginx writes it';
    is lift('network=2001:db8::/64')->status, 200, 'DELETE of what is shown';
    is right_from('2001:db8::1'), 303, 'it gets in';
    is_deeply [ map { wrong_from("2001:db8::$_", "third-$_") } 1 .. 3 ], [ 403, 403, 403 ], 'it fails again';
    is lift('network=2001%3Adb8%3A%3A77')->status, 200, 'DELETE by any address of it, percent-encoded';
    is right_from('2001:db8::1'), 303, 'it gets in again';
}

# Bans of user names.
{
    is_deeply exhaust('alice'), [ (403) x 4 ], 'alice is failed from everywhere';
    my ($ban, @more) = @{ bans() };
    is @more, 0, 'one ban';
    is $ban->{user}, 'alice', 'of that name';
    is_deeply [ sort keys %$ban ], [qw(seconds user)], 'and nothing else';
    ok $ban->{seconds} > 90 && $ban->{seconds} <= 100, 'for so long';
    is right_from('203.0.113.200'), 429, 'alice has to wait';
    is_deeply exhaust('ghost'), [ (403) x 4 ], 'and a name that is not there';
    is_deeply [ sort map { $_->{user} // 'null' } @{ bans() } ], [qw(alice null)], 'which nobody wrote down';

    is lift('user=bob')->status, 404, 'DELETE of another name: 404';
    is lift('user=Alice')->status, 404, 'DELETE: names differ by case';
    is lift('network=203.0.113.201')->status, 404, 'DELETE of a network without failures: 404';
    is right_from('203.0.113.202'), 429, 'alice waits still';
    my @status = map {
        $server->client(worker => $_, headers => [])->request('DELETE', '/status?user=alice', undef)->status
    } $server->workers;
    is_deeply \@status, [ 200, 404, 404, 404 ], 'DELETE at one worker lifts it for all';
    is right_from('203.0.113.203'), 303, 'alice gets in';
    is lift('user=gh%6Fst')->status, 200, 'DELETE of a name that is not there, percent-encoded';
    is wrong_from('203.0.113.204', 'ghost'), 403, 'it is like any other again';
    is_deeply bans(), [], 'no bans';
}

# What is asked wrongly.
{
    is_deeply exhaust('bob'), [ (403) x 4 ], 'bob is banned';
    for my $query (
        '', 'user', 'name=bob', 'user=bob&user=alice', 'user=bob&network=192.0.2.7', 'network=', 'network=bob',
        'network=192.0.2', 'network=192.0.2.7/64', 'network=2001:db8::/48', 'User=bob', 'user=%zz', 'user=%ff', 'user=bob%',
        )
    {
        my $expected = $query eq 'user' ? 404 : 400;    # an empty name is a name
        is lift($query)->status, $expected, "DELETE ?$query: $expected";
    }
    is $client->request('DELETE', '/status', undef)->status, 400, 'DELETE without a query: 400';
    for my $method (qw(POST PUT PATCH OPTIONS)) {
        my $answer = $client->request($method, '/status?user=bob', $method eq 'OPTIONS' ? undef : '');
        is $answer->status, 405, "$method: 405";
        is $answer->header('Allow'), 'GET, HEAD, DELETE', "$method: what is allowed";
    }
    is lift('user=bob', @$_)->status, 403, "DELETE with $_->[0] $_->[1]: 403"
        for [ 'Sec-Fetch-Site' => 'cross-site' ], [ 'Sec-Fetch-Site' => 'same-site' ],
        [ Origin => 'http://evil.example' ], [ Origin => 'null' ];
    is lift('user=bob', 'X-Real-IP' => '192.0.2.99')->status, 403, 'DELETE from another machine: 403';
    is $client->get('/status?user=bob')->status, 200, 'GET with a query only shows';
    is @{ bans() }, 1, 'none of this has lifted anything';
    is lift('user=bob', 'Sec-Fetch-Site' => 'same-origin')->status, 200, 'DELETE from the same origin';
}

# Who may.
for my $address ('192.0.2.99', '10.0.0.1', '2001:db8::1', '::ffff:192.0.2.99', '128.0.0.1') {
    my $answer = $client->get('/status', 'X-Real-IP' => $address);
    is $answer->status, 403, "$address: 403";
    unlike $answer->body, qr/capacity|bans/, "$address: and nothing is told";
}
for my $address ('127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1') {
    is $client->get('/status', 'X-Real-IP' => $address)->status, 200, "$address: 200";
}
is decoded($server->client(unix => $server->path('socket'), headers => [])->get('/'))->{realm}, 'ops',
    'a unix socket is local';

# The gate of its location.
{
    is $client->get('/gated-status')->status, 401, 'it inherits the gate';
    is $client->request('DELETE', '/gated-status?user=bob', undef)->status, 401, 'for DELETE too';
    is $server->client->get('/gated-status')->status, 302, 'a browser is sent to the login';
    my $browser = $server->client;
    $browser->sign_in('carol');
    is decoded($browser->get('/gated-status'))->{realm}, 'ops', 'who is signed in sees it';
    is decoded($browser->get('/required-status'))->{realm}, 'dev', 'of another realm too';
    is $browser->get('/gated-status', 'X-Real-IP' => '192.0.2.99')->status, 403, 'but only from the machine itself';
    is $client->get('/required-status')->status, 401, 'with a gate of its own: 401';
    is $client->get('/nested/in')->body, "hello from behind the gate\n", 'a nested location is no status';
}

# The gate lets everyone come to its own pages: where the location covers them, they are still its pages.
{
    my $whole = $server->client(port => $server->port('whole'));
    for my $path ('/authgate/login', '/authgate/session') {
        unlike $whole->get($path)->body, qr/capacity|bans/, "$path shows no status without a login";
    }
    is $whole->request('DELETE', '/authgate/login?user=bob', undef)->status, 405, 'nor lifts a ban';
    is $whole->get('/anything')->status, 302, 'the rest needs it';
    $whole->sign_in('alice');
    is decoded($whole->get('/anything'))->{realm}, 'ops', 'and then there is the status';
}

# Mistakes.
for my $case (
    [ 'authgate_status nosuch;',                    'unknown realm "nosuch"' ],
    [ "authgate_status ops;\nauthgate_status ops;", '"authgate_status" directive is duplicate' ],
    [ 'authgate_status;',                           'invalid number of arguments in "authgate_status" directive' ],
    )
{
    my ($directive, $message) = @$case;
    my $broken = AuthGate::Server->prepare(<<"EOF_HTTP");
authgate_realm ops { users %%USERS%%; }
server { listen 127.0.0.1:%%PORT%%; location / {
$directive
} }
EOF_HTTP
    my @text = split /\n/, AuthGate::read_file($broken->path('nginx.conf'));
    my ($line) = reverse grep { $text[ $_ - 1 ] =~ /^authgate_status\b/ } 1 .. @text;
    my ($passed, $said) = $broken->check;
    ok !$passed, "$message: refused";
    like $said, qr/\[emerg\] \Q$message\E in \S+:$line$/m, "$message: with file and line";
}

done_testing;
