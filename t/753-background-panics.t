# J131: work in a background thread that panics has come to its end: it is tried again, and the alert names the
# place. J140: what cannot be decided is refused. For the module that fails on request.

use v5.36;

my $module;

BEGIN {
    require Cwd;
    my $target = $ENV{CARGO_TARGET_DIR} // Cwd::abs_path(__FILE__ =~ s{[^/]*\z}{..}r) . '/target';
    $module = $ENV{AUTHGATE_FAULTS_MODULE} // "$target/nginx-faults/ngx_http_authgate_module.so";
    $ENV{AUTHGATE_MODULE} = $module if -e $module;
}

use AuthGate;
use AuthGate::Server;
use Test::More;

plan skip_all => "no $module: run scripts/build --faults first" if !-e $module;

my $faults = "$AuthGate::DIRECTORY/faults";
AuthGate::write_file($faults, '');
chmod 0644, $faults;

my $server = AuthGate::Server->start(<<'EOF_HTTP', main => 'env AUTHGATE_FAULTS;', env => { AUTHGATE_FAULTS => $faults });
    authgate_realm ops {
        limit off;
        users %%USERS%%;
        state %%DIR%%/state;
    }
    server { listen 127.0.0.1:%%PORT%%; root %%DIR%%/html; authgate ops; }
EOF_HTTP
my ($worker) = $server->workers;

sub alerts ($pattern) { return scalar grep { /\[alert\].*$pattern/ } split /^/, $server->error_log }

# The users file: read again at the next look, by the same worker.
AuthGate::write_file($faults, 'users');
AuthGate::append_file($server->path('users'), $AuthGate::USERS =~ s/\A.*?:/dave:/r =~ s/\n.*//sr . "\n");
$server->wait_for_log(qr/\[alert\]/);
my $place = qr{authgate: panic at \S+\.rs:\d+$}m;
AuthGate::Server::wait_until { alerts($place) >= 2 } 10, 'another try';
pass 'J131 users: tried again, and each time the alert names the place';
is $server->client->login('dave', $PASSWORD{alice})->status, 403, 'J131 users: dave is not there yet';
is $server->client->login('alice', $PASSWORD{alice})->status, 303, 'J131 users: the others hold';
AuthGate::write_file($faults, '');
AuthGate::Server::wait_until { $server->client->login('dave', $PASSWORD{alice})->status == 303 } 10, 'dave';
pass 'J131 users: the file is read again';

# The journal: written anew when the panic is over.
my $browser = $server->client;
$browser->sign_in('bob');
is $browser->sign_out->status, 303, 'J131 journal: bob signs out';
$browser->sign_in('alice');
my $journal = $server->path('state/ops.ended');
ok -s $journal, 'J131 journal: which it says';
AuthGate::write_file($faults, 'journal');
my $before = alerts($place);
unlink $journal or die $!;
AuthGate::Server::wait_until { alerts($place) > $before } 10, 'a panic';
ok !-s $journal, 'J131 journal: removed, and not written anew yet';
AuthGate::write_file($faults, '');
AuthGate::Server::wait_until { -s $journal } 10, 'the journal to be written anew';
pass 'J131 journal: it is written anew';

is $browser->get('/hello.txt')->status, 200, 'J131 and alice is let in all the while';
is_deeply [$server->workers], [$worker], 'J131 by the same worker';

# A password check, in the same words.
is $server->client->login('panic-in-check', 'canary-wrong')->status, 500, 'J131 a check: 500';
is alerts(qr{authgate: panic at \S+\.rs:\d+ in a password check$}m), 1, 'J131 a check: the alert names the place';
unlike AuthGate::read_file($server->path('logs/output.log')), qr/panicked|on request/,
    'J131 nothing is printed';
$server->expect_alert(qr/authgate: panic at \S+\.rs:\d+/);

done_testing;
