# No password, token, key or cookie in any log, down to level info (I115).

use v5.36;

use AuthGate;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; limit off; keys %%KEYS%%; }
    log_format own '$remote_user $authgate_user $authgate_realm $authgate_method $authgate_session '
        '$authgate_status $request $status';
    access_log %%DIR%%/logs/own.log own;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        authgate ops;
        root %%DIR%%/html;
        location /down { proxy_pass http://127.0.0.1:1; }
        location /sets { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location /large {
            proxy_buffer_size 1k;
            proxy_buffers 2 1k;
            proxy_busy_buffers_size 1k;
            proxy_pass http://127.0.0.1:%%PORT_behind%%;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_behind%%;
        location / { add_header Set-Cookie "authgate=canary-cookie-of-the-application"; return 204; }
        location /large { add_header X-Large $arg_large; return 204; }
    }
EOF_HTTP
my $server = AuthGate::Server->prepare($http);
$server->make_certificate;
$server->run;

my @secrets = ('canary', 'Y2FuYXJ5');    # the second is how base64 begins it
my $FORM    = 'application/x-www-form-urlencoded';

for my $client ($server->client, $server->client(port => $server->port('tls'), tls => 1)) {
    my $name = $client->{tls} ? '__Host-authgate' : 'authgate';

    # Passwords, right and wrong, in every kind of body.
    $client->login('alice', 'canary-wrong');
    $client->login('nobody', $PASSWORD{alice});
    $client->login('alice', "$PASSWORD{alice}\0");
    $client->login('alice', $PASSWORD{alice} . 'x' x 1200);
    $client->login('alice', $PASSWORD{alice}, headers => [ Accept => 'application/json' ]);
    $client->login('alice', $PASSWORD{alice}, headers => [ 'Sec-Fetch-Site' => 'cross-site' ]);
    $client->post('/authgate/login', [ username => 'alice', password => $PASSWORD{alice}, password => 'x' ]);
    my $body = "username=alice&password=$PASSWORD{alice}";
    $client->request('POST', '/authgate/login', "$body%zz",          'Content-Type' => $FORM);
    $client->request('POST', '/authgate/login', $body . 'x' x 9000, 'Content-Type' => $FORM);
    $client->request('POST', '/authgate/login', $body, 'Content-Type' => 'application/json');
    $client->request('PUT', '/authgate/login', $body, 'Content-Type' => $FORM);
    $client->post('/hello.txt', [ password => $PASSWORD{alice} ], Cookie => undef);
    $client->post('/authgate/nothing', [ password => $PASSWORD{alice} ]);
    my $gone = $client->connect;    # a post that breaks off
    print $gone "POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: $FORM\r\n",
        "Content-Length: 100\r\n\r\n$body";
    close $gone;

    # Tokens, good and bad, in cookies and elsewhere.
    $client->sign_in('alice');
    my $token = $client->cookie($name);
    push @secrets, $token, (split /\./, $token)[ 2, 3 ];
    $client->get('/hello.txt');
    $client->get($_) for '/down', '/sets', '/large?large=' . 'x' x 3000, '/authgate/session', '/authgate/x';
    my $forged = $token =~ s/.\z/-/r;
    for my $bad ("${token}x", substr($token, 0, -1), "x$token", $forged, "$token.$token", 'canary-cookie') {
        $client->get('/hello.txt', Cookie => "$name=$bad");
        $client->get('/hello.txt', Cookie => "$name=$bad", 'Sec-Fetch-Mode' => 'cors');
        $client->get('/hello.txt', Authorization => "Bearer agt_$bad");
        $server->client(%$client, cookies => { $name => $bad })->sign_out;
    }
    $client->get('/hello.txt', Cookie => "$name=$token; $name=canary-cookie");
    $client->get('/hello.txt', Authorization => 'Basic ' . 'YWxpY2U6Y2FuYXJ5');
    $client->sign_out;
    $client->get('/hello.txt', Cookie => "$name=$token");
}

# Keys and users, when they are read and when they are wrong.
ok $server->reload, 'a reload';
my %mistakes = (
    keys => [
        "broken canary-key\n", "Y2FuYXJ5\n",
        "first Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=\n", "../x Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=\n",
        "a b Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=\n",
    ],
    users => [
        "canary-line-without-hash\n", "eve:canary-hash\n", "eve:\$2y\$99\$canary\n", "eve:{PLAIN}canary\n",
        "eve:pbkdf2:sha256:canary\n", "alice:canary-hash\n",
    ],
);
for my $name (sort keys %mistakes) {
    $server->expect_alert(qr/\[emerg\].*\/$name:\d+": /);
    my $right = AuthGate::read_file($server->path($name));
    for my $mistake ($mistakes{$name}->@*) {
        AuthGate::append_file($server->path($name), $mistake);
        ok !$server->reload, "I115 a reload with a mistake in $name is refused";
        AuthGate::write_file($server->path($name), $right);
    }
}

for my $log (qw(error access own output)) {
    my $text  = AuthGate::read_file($server->path("logs/$log.log"));
    my @lines = split /^/, $text;
    ok @lines > 0, "I115 the $log log was written" if $log ne 'output';
    for my $secret (@secrets) {
        my @found = grep { index($_, $secret) >= 0 } @lines;
        is "@found", '', 'I115 no ' . substr($secret, 0, 8) . "… in the $log log";
    }
}
my $error = $server->error_log;
my @events = (
    qr/\[info\] .*authgate: login ok/, qr/\[error\] .*authgate: login failed/, qr/authgate: logout/,
    qr/token refused, reason "malformed"/, qr/token refused, reason "bad_signature"/,
    qr/token refused, reason "revoked"/,
    qr/upstream sets a cookie of the gate's name/, qr/connect\(\) failed/, qr/upstream sent too big header/,
);
ok $error =~ $_, "I115 there were lines to look at: $_" for @events;

done_testing;
