# The keys file: the first key signs, all verify; a rotation keeps sessions, a removal ends them.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use MIME::Base64 ();
use Test::More;

my ($FIRST, $SECOND) = ($AuthGate::Token::FIRST, $AuthGate::Token::SECOND);
my $THIRD = 'third ' . MIME::Base64::encode_base64('canary-key-of-the-third-signing-', '');

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; session idle=10s max=1h; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        root %%DIR%%/html;
        authgate ops;
        location = /pid { add_header X-Pid $pid always; try_files /hello.txt =404; }
    }
EOF_HTTP
my $server = AuthGate::Server->start($http, workers => 4);
my $client = $server->client(headers => []);

sub keys_are (@lines) {
    AuthGate::write_file($server->path('keys'), join '', map { "$_\n" } @lines);
    return $server->reload && $server->wait_for_old_workers;
}

sub id_of ($token) { return AuthGate::Token::read($token)->{id} }

sub signed_in () {
    my $browser = $server->client;
    $browser->sign_in('alice');
    return $browser->cookie('authgate');
}

# What a request gets, once every worker that runs now has answered it.
sub by_all_workers (@header) {
    my (%status, %seen);
    AuthGate::Server::wait_until {
        my $answer = $client->get('/pid', @header);
        $status{ $answer->status } = $seen{ $answer->header('X-Pid') } = 1;
        keys %seen == 4;
    }
    20, 'all workers to answer';
    return join ' ', sort keys %status;
}

sub cookie ($token) { return (Cookie => "authgate=$token") }
sub bearer ($key)   { return (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', key => $key)) }

my $by_first = signed_in();
is id_of($by_first), 'first', 'A6 the first key signs';
is $client->get('/pid', bearer($FIRST))->status,  200, 'A6 a token of the first key is taken';
is $client->get('/pid', bearer($SECOND))->status, 200, 'A6 a token of a key that only verifies is taken';
is $client->get('/pid', bearer($THIRD))->status,  401, 'A6 a token of a key that is not there is refused';
my $impostor = $THIRD =~ s/^third/second/r;
is $client->get('/pid', bearer($impostor))->status, 401, 'A6 another key of the same name is refused';

ok keys_are($FIRST, $THIRD), 'A6 rotation: a key is added at the end';
is $client->get('/pid', cookie($by_first))->status, 200, 'A6 the session goes on';
is id_of(signed_in()), 'first', 'A6 and the first key still signs';

ok keys_are($THIRD, $FIRST), 'A6 rotation: the new key is moved to the front';
is by_all_workers(cookie($by_first)), 200, 'A6 the session of the old key goes on in all workers';
my $by_third = signed_in();
is id_of($by_third), 'third', 'A6 the new key signs';

AuthGate::Server::wait_until { AuthGate::Token::now() > AuthGate::Token::read($by_first)->{issued_at} } 5,
    'a tenth of idle to pass';
my ($renewed) = ($client->get('/pid', cookie($by_first))->header('Set-Cookie') // '') =~ /^authgate=(v1[^;]+)/;
is id_of($renewed), 'third', 'A6 a session of the old key is renewed with the new one';
is AuthGate::Token::read($renewed)->{session}, AuthGate::Token::read($by_first)->{session},
    'A6 it is the same session';

ok keys_are($THIRD), 'A7 the old key is removed';
is by_all_workers(cookie($by_first)), 401, 'A7 its sessions are refused by every new worker';
is by_all_workers(bearer($FIRST)),    401, 'A7 its API tokens are refused by every new worker';
is by_all_workers(cookie($by_third)), 200, 'A7 those of the key that stays are taken';
is by_all_workers(cookie($renewed)),  200, 'A7 also the session that was renewed before';
like $server->error_log, qr/token refused, reason "unknown_key"/, 'A7 and the log says why';

my ($nameless) = $SECOND =~ /(\S+)$/;
ok keys_are($nameless), 'A6 a key without a name';
like id_of(signed_in()), qr/\A[A-Za-z0-9_-]{8}\z/, 'A6 gets one that is derived from it';
is $client->get('/pid', bearer($nameless))->status, 200, 'A6 the same as anybody derives';

done_testing;
