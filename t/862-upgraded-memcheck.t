# E57: valgrind finds no error in a worker that closes upgraded connections, and whose clients go at the same time.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::WebSocket;
use Test::More;
use Time::HiRes ();

my ($valgrind) = grep { -x } map { "$_/valgrind" } split /:/, $ENV{PATH};
plan skip_all => 'no valgrind' if !$valgrind;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 0, main => "master_process off;\n");
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

my $report = $server->path('logs/valgrind');
{
    my $wrapper = AuthGate::write_file($server->path('valgrind'), <<"EOF_WRAPPER");
#!/bin/sh
exec $valgrind --quiet --error-exitcode=99 --log-file=$report --num-callers=24 $AuthGate::NGINX "\$@"
EOF_WRAPPER
    chmod 0755, $wrapper;
    local $AuthGate::NGINX = $wrapper;
    $server->run;
}

my $url = 'ws://127.0.0.1:' . $server->port . '/live';
for my $round (1 .. 6) {
    my $browser = $server->client(timeout => 60);
    $browser->sign_in('alice');
    my @sockets = map { AuthGate::WebSocket->connect($url, Cookie => $browser->cookie_header) } 1 .. 6;
    is_deeply [map { $_->echo('hello') } @sockets], [('hello') x 6], "round $round: six connections";
    $browser->sign_out;
    Time::HiRes::sleep(rand 0.3);    # some are closed by nginx and some by the client
    $_->close for splice @sockets, 0, 3;
    is_deeply [map { $_->is_closed(20) } @sockets], [1, 1, 1], "round $round: nginx closes those that are left";
}
ok eval { AuthGate::Server::wait_until { connections($server->client)->{active} == 0 } 20, 'connections to end' },
    'E57 no connection is left';
$server->stop('QUIT');
is AuthGate::read_file($report), '', 'E57 valgrind has nothing to say';

done_testing;
