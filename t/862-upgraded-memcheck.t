# E57: valgrind finds no error in a worker that closes upgraded connections, and whose clients go at the same time.

use v5.36;

use AuthGate;
use AuthGate::Memcheck;
use AuthGate::WebSocket;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        location / {
            proxy_pass http://127.0.0.1:%%PORT_app%%;
            proxy_http_version 1.1;
            proxy_set_header Upgrade    $http_upgrade;
            proxy_set_header Connection upgrade;
        }
        location = /status { authgate off; stub_status; access_log off; }
    }
EOF_HTTP
AuthGate::WebSocket::serve($server->port('app'));

$server->run;

my $url = 'ws://127.0.0.1:' . $server->port . '/live';
for my $round (1 .. 6) {
    my $browser = $server->client;
    $browser->sign_in('alice');
    my @sockets = map { AuthGate::WebSocket->connect($url, Cookie => $browser->cookie_header) } 1 .. 6;
    is_deeply [map { $_->echo('hello') } @sockets], [('hello') x 6], "round $round: six connections";
    $browser->sign_out;
    Time::HiRes::sleep(rand 0.3);    # some are closed by nginx and some by the client
    $_->close for splice @sockets, 0, 3;
    is_deeply [map { $_->is_closed(20) } @sockets], [1, 1, 1], "round $round: nginx closes those that are left";
}
$server->nothing_is_left('six rounds');
$server->is_clean;

done_testing;
