# What the variables say of a Basic credential that nobody has had checked.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Seen "$authgate_user|$authgate_method|$authgate_status|$remote_user" always;
        location = /any { satisfy any; allow all; try_files /hello.txt =404; }
        location = /early { set $early "$authgate_user/$remote_user"; add_header X-Early $early; try_files /hello.txt =404; }
        location = /returns { return 200 "$authgate_user|$remote_user\n"; }
        location = /off { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP
my $client = $server->client(headers => []);

sub seen ($path, @headers) { return $client->get($path, @headers)->header('X-Seen') }

# Cold: nobody is named, right or wrong.
for my $user (qw(alice bob)) {
    like seen('/any', right($user)), qr/\A\|\|\w+\|\z/, "G82 satisfy any, $user, cold: nobody is named";
    is $client->get('/returns', right($user))->body, "|\n", "G82 return, $user, cold: nobody is named";
}
unlike seen('/any', basic('alice', 'canary-wrong')), qr/alice/, 'G82 satisfy any, wrong: nobody is named';
is $client->get('/early', right('alice'))->header('X-Early'), '/', 'G82 before the access phase, cold: nobody';

# Remembered: neither, or right and wrong would differ where nobody counts what is tried (J120).
is seen('/any', right('alice')), '||missing|', 'J120 satisfy any, remembered: nobody is named';
is $client->get('/early', right('alice'))->header('X-Early'), '/', 'J120 before the access phase, remembered: nobody';
is $client->get('/returns', right('alice'))->body, "|\n", 'J120 return, remembered: nobody is named';
is seen('/off', right('alice')), '||off|', 'off: nobody';
is scalar(() = $server->error_log =~ /authgate: login/g), 1, 'one check, by the one gate that asked';

done_testing;
