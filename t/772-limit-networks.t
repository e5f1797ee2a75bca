# F70, F71, F77: whose failures are counted together.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

# One realm: failures count whichever of the server's addresses they come in by.
my $server = AuthGate::Server->start(<<'EOF_HTTP', workers => 4);
    authgate_realm ops {
        users %%USERS%%;
        limit retries=4 user_retries=100000;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen [::]:%%PORT_mapped%% ipv6only=off;
        root %%DIR%%/html;
        authgate ops;
    }
    server {
        listen 127.0.0.1:%%PORT_real%%;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

# A login that is said to come from an address, by a proxy that is believed.
sub login_from ($address, $password) {
    return $server->client(port => $server->port('real'))
        ->login('alice', $password, headers => [ 'X-Real-IP' => $address ])->status;
}
sub wrong_from ($address) { return login_from($address, wrong_password()) }
sub right_from ($address) { return login_from($address, $PASSWORD{alice}) }

sub wrong ($client, @headers) {
    return $client->login('alice', wrong_password(), headers => \@headers)->status;
}
sub right ($client, @headers) {
    return $client->login('alice', $PASSWORD{alice}, headers => \@headers)->status;
}

# F70: of 2001:db8:0:1::/64.
{
    my @statuses = map { wrong_from(sprintf '2001:db8:0:1:%x:%x::%x', rand 65536, rand 65536, $_) } 1 .. 1000;
    is_deeply [ @statuses[ 0 .. 3 ] ], [ (403) x 4 ], 'F70 four addresses of one /64 fail';
    is scalar(grep { $_ == 429 } @statuses), 996, 'F70 996 others of it have to wait';
    is right_from('2001:db8:0:1::ffff'), 429, 'F70 and so has one that comes first';
    is right_from('2001:db8:0:1:ffff:ffff:ffff:ffff'), 429, 'F70 and the last';
    is right_from('2001:db8:0:2::1'), 303, 'F70 the next network does not';
    is right_from('2001:db8:0:0:ffff:ffff:ffff:ffff'), 303, 'F70 nor does the one before';
}
{
    is_deeply [ map { wrong_from('::ffff:192.0.2.7') } 1 .. 4 ], [ (403) x 4 ], 'F70 a v4-mapped address fails';
    is right_from('192.0.2.7'), 429, 'F70 it is the IPv4 address';
    is right_from('192.0.2.8'), 303, 'F70 no other';
    is right_from('::ffff:192.0.2.8'), 303, 'F70 mapped or not';
    is right_from('::192.0.2.7'), 303, 'F70 an IPv4-compatible address is something else';
    is_deeply [ map { wrong_from('192.0.2.9') } 1 .. 4 ], [ (403) x 4 ], 'F70 an IPv4 address fails';
    is right_from('::ffff:192.0.2.9'), 429, 'F70 mapped it is banned too';
    is right_from('::ffff:c000:209'), 429, 'F70 however it is written';
}
{
    my $mapped = $server->client(from => '127.0.1.1', port => $server->port('mapped'));
    my $plain  = $server->client(from => '127.0.1.1');
    is_deeply [ wrong($mapped), wrong($plain), wrong($mapped), wrong($plain) ], [ (403) x 4 ],
        'F70 over a socket for both, and one for IPv4';
    is right($mapped), 429, 'F70 that is one count';
    is right($plain), 429, 'F70 at both';
    is right($server->client(from => '127.0.1.2', port => $server->port('mapped'))), 303, 'F70 for that client alone';
}

# F71: forged addresses.
{
    my $client = $server->client(from => '127.0.2.1');
    my $number = 0;
    my $forged = sub {
        my $address = '198.51.100.' . ++$number;
        return (
            'X-Forwarded-For' => $address,
            'X-Real-IP'       => $address,
            'Forwarded'       => "for=$address",
            'X-Client-IP'     => $address,
            'True-Client-IP'  => $address,
        );
    };
    is_deeply [ map { wrong($client, $forged->()) } 1 .. 6 ], [ (403) x 4, (429) x 2 ],
        'F71 who forges addresses is one network';
    is right($client, $forged->()), 429, 'F71 and banned';
    is right_from('198.51.100.1'), 303, 'F71 the forged addresses are not';
    is right($server->client(from => '127.0.2.2'), 'X-Forwarded-For' => '127.0.2.1'), 303,
        'F71 nor does one take the blame of another';

    # Where the peer is not believed, realip changes nothing.
    my $stranger = $server->client(from => '127.0.2.3', port => $server->port('real'));
    is_deeply [ map { wrong($stranger, $forged->()) } 1 .. 5 ], [ (403) x 4, 429 ],
        'F71 realip: from a peer that is not believed';
    is_deeply [ map { wrong_from('198.51.101.1') } 1 .. 5 ], [ (403) x 4, 429 ], 'F71 realip: its address counts';
    is right_from('198.51.101.2'), 303, 'F71 realip: and no other';
    is right($server->client), 303, "F71 realip: nor the proxy's own";
    like $server->error_log, qr/authgate: login limited, user "alice", reason "network", realm "ops", client: 198\.51\.101\.1,/,
        'F71 realip: the log has it too';
}
$server->stop;

# F77: clients of a unix socket.
my $UNIX = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        limit LIMIT;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
    server { # SERVER
        listen unix:%%DIR%%/socket;
        root %%DIR%%/html;
        REALIP
        AUTHGATE
    }
EOF_HTTP

sub unix ($limit, $realip, $authgate = 'authgate ops;') {
    return $UNIX =~ s/LIMIT/$limit/r =~ s/REALIP/$realip/r =~ s/AUTHGATE/$authgate/r;
}

my $WARNING = qr/\[warn\] .*clients of "unix:[^"]*socket" have no address: realm "ops" limits/;
{
    my $checked = AuthGate::Server->prepare(unix('retries=2', ''));
    my @text    = split /\n/, AuthGate::read_file($checked->path('nginx.conf'));
    my ($line)  = grep { $text[ $_ - 1 ] =~ /# SERVER$/ } 1 .. @text;
    my ($passed, $said) = $checked->check;
    ok $passed, 'F77 listen unix: with a limit is right';
    like $said, qr/$WARNING.* in \Q@{[ $checked->path('nginx.conf') ]}\E:$line$/m, 'F77 but warned of, at the server';
    is scalar(() = $said =~ /\[warn\]/g), 1, 'F77 once, not for the server with an address';

    for my $case ([ 'limit off', unix('off', '') ], [ 'no realm there', unix('retries=2', '', '') ]) {
        my ($name, $http) = @$case;
        $checked->configure($http);
        ($passed, $said) = $checked->check;
        ok $passed, "F77 $name: right";
        unlike $said, qr/\[warn\]/, "F77 $name: nothing to warn of";
    }
}
{
    my $behind = AuthGate::Server->start(unix('retries=2 user_retries=5', ''), workers => 2);
    my $socket = sub { return $behind->client(unix => $behind->path('socket')) };
    is_deeply [ map { wrong($socket->()) } 1 .. 5 ], [ (403) x 5 ], 'F77 clients of a unix socket are no network';
    is right($socket->()), 429, 'F77 but their user names are counted';
    like $behind->error_log, qr/login limited, user "alice", reason "user", realm "ops", client: unix:/,
        'F77 the log says so';
    is $socket->()->login('bob', $PASSWORD{bob})->status, 303, 'F77 other names are not banned';
    is_deeply [ map { $behind->client(from => '127.0.3.1')->login('nobody', wrong_password())->status } 1 .. 3 ],
        [ 403, 403, 429 ], 'F77 (networks with an address are)';
    $behind->stop;
}
{
    my $realip = 'set_real_ip_from unix:; real_ip_header X-Real-IP;';
    my $behind = AuthGate::Server->start(unix('retries=2', $realip), workers => 2);
    my $from   = sub ($address) {
        my $client = $behind->client(unix => $behind->path('socket'));
        return $client->login('bob', wrong_password(), headers => [ 'X-Real-IP' => $address ])->status;
    };
    is_deeply [ map { $from->('192.0.2.1') } 1 .. 3 ], [ 403, 403, 429 ], 'F77 with realip there are networks';
    is $from->('192.0.2.2'), 403, 'F77 of which others go on';
}

done_testing;
