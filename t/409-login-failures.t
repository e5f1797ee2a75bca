# Whatever was wrong with a login, the answer is the same (C49): only the log tells.

use v5.36;

use AuthGate;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; limit off; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP

my $long   = 'canary-' . 'x' x 65;                      # 72 bytes: all that bcrypt takes
my $alice  = AuthGate::bcrypt($PASSWORD{alice});
my $server = AuthGate::Server->prepare($http);
my %ACCEPT = (HTML => 'text/html', JSON => 'application/json', text => '*/*');
my %answer;    # of each format, how each cause is answered

sub users (%users) { AuthGate::write_file($server->path('users'), JSON::PP::encode_json(\%users)) }

# Has the new users be read, and the old worker out of the way.
sub reload ($what) {
    ok $server->reload, "reload: $what";
    AuthGate::Server::wait_until { $server->workers == 1 } 20, 'the old worker to stop listening';
}

my $networks = 0;

# Posts as `alice`, whoever that is, and keeps the answers.
sub fails ($cause, $password, $reason) {
    for my $format (sort keys %ACCEPT) {
        my ($response, @lines);
        @lines = $server->gate_lines_of(
            sub {
                # From a network each: of one that has failed before the log has its line already.
                my $from = '127.0.5.' . ++$networks;
                my $client = $server->client(from => $from, headers => [ Accept => $ACCEPT{$format} ]);
                $response = $client->login('alice', $password, rd => '/a?b=c');
            }
        );
        is @lines, 1, "C49 $cause, $format: one line in the log";
        like $lines[0], qr/login failed, user "alice", reason "$reason", realm "ops"/,
            "C49 $cause, $format: its reason";
        $answer{$format}{$cause} = $response->raw =~ s/^Date: [^\r]*/Date: then/mr;
    }
}

users(other => AuthGate::bcrypt('x'));
$server->run;
fails 'unknown user', $PASSWORD{alice}, 'unknown_user';
fails 'unknown user, no password', '', 'unknown_user';
fails 'unknown user, a long password', 'x' x 2000, 'unknown_user';

users(alice => { password => $alice, disabled => JSON::PP::true() }, other => AuthGate::bcrypt('x'));
reload 'alice is disabled';
fails 'disabled', $PASSWORD{alice}, 'unknown_user';
fails 'disabled, wrong password', 'wrong', 'unknown_user';

users(alice => { password => $alice });
reload 'alice may sign in';
fails 'wrong password', 'wrong', 'bad_password';
fails 'no password', '', 'bad_password';
fails 'NUL behind the right password', "$PASSWORD{alice}\0", 'bad_password';
fails 'NUL and more behind it', "$PASSWORD{alice}\0x", 'bad_password';
fails 'NUL before it', "\0$PASSWORD{alice}", 'bad_password';
fails 'NUL alone', "\0", 'bad_password';
fails 'no UTF-8', "\xff\xfe", 'bad_password';
fails '1024 bytes', 'x' x 1024, 'bad_password';
fails '1025 bytes', 'x' x 1025, 'bad_password';
is $server->client->login('alice', $PASSWORD{alice})->status, 303, 'the right password signs in';

users(alice => AuthGate::bcrypt($long));
reload 'a password as long as bcrypt takes';
is $server->client->login('alice', $long)->status, 303, 'C49 72 bytes sign in';
fails '73 bytes with bcrypt', "${long}x", 'bad_password';
fails '71 bytes of 72', substr($long, 0, 71), 'bad_password';

for my $format (sort keys %ACCEPT) {
    my %same  = $answer{$format}->%*;
    my $first = $same{'wrong password'};
    like $first, qr{\AHTTP/1\.1 403 }, "C49 $format: 403";
    unlike $first, qr/^Set-Cookie:/mi, "C49 $format: no cookie";
    is $same{$_}, $first, "C49 $format, $_: the same bytes as for a wrong password" for sort keys %same;
}

done_testing;
