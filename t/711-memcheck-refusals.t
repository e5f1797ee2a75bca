# E57: valgrind finds no error in a worker that refuses, signs in and out, and keeps a state.

use v5.36;

use AuthGate;
use AuthGate::Memcheck;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        limit off;
        users %%USERS%%;
        state %%DIR%%/state;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /optional/ { authgate ops optional; try_files /hello.txt =404; }
        location = /own/      { error_page 401 /own/page; try_files /hello.txt =404; }
        location = /own/page  { authgate off; return 401 "own\n"; }
    }
EOF_HTTP

$server->run;

my %curl = (headers => []);
my $nobody = 'authgate=v1.none.AAAA.AAAA';
for my $round (1, 2) {
    is $server->client->get('/hello.txt')->status, 302, 'a navigation is refused';
    is $server->client(%curl)->get('/hello.txt')->status, 401, 'anything else is refused';
    is $server->client(%curl)->get('/hello.txt', Cookie => $nobody)->status, 401, 'a cookie is refused';
    is $server->client(%curl)->get('/hello.txt', Authorization => 'Bearer agt_x')->status, 401,
        'an API token is refused';
    is $server->client(%curl)->post('/hello.txt', [a => 'b' x 9000])->status, 401, 'a post is refused';
    is $server->client(%curl)->get('/own/')->status, 401, 'the location has its own page';
    is $server->client(%curl)->get('/optional/')->status, 200, 'nobody is refused where it is optional';

    my $alice = $server->client;
    $alice->sign_in('alice');
    my $first = $alice->cookie('authgate');
    is $alice->get('/hello.txt')->status, 200, 'alice gets in';
    $alice->sign_in('alice');
    is $alice->get('/hello.txt', Cookie => "authgate=$first")->status, 302, 'her former session has ended';
    my $second = $alice->cookie('authgate');
    is $alice->sign_out->status, 303, 'she signs out';
    is $server->client(%curl)->get('/hello.txt', Cookie => "authgate=$second")->status, 401,
        'her session has ended';
    is $server->client->post('/authgate/logout', [], 'Sec-Fetch-Site' => 'cross-site')->status,
        403, 'a post from another site';
    is $server->client(%curl)->get('/authgate/nothing')->status, 404, 'no page';
}
AuthGate::Server::wait_until { -s $server->path('state/ops.ended') == 4 * 48 } 20, 'the journal';

$server->is_clean;

done_testing;
