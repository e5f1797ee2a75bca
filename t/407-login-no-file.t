# The password never reaches a file, whatever the location says of buffers and files (C47).
#
# A file that comes and goes leaves its mark in the directory's times; one that stays is found.

use v5.36;

use AuthGate;
use AuthGate::Nghttp;
use AuthGate::Server;
use File::Find ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    client_body_buffer_size 1;
    client_body_in_file_only on;
    client_body_in_single_buffer on;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_h2%% http2;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        ssl_buffer_size 1k;
        authgate ops;
        root %%DIR%%/html;
        location = /cleaned {
            authgate off;
            client_body_in_file_only clean;
            proxy_pass http://127.0.0.1:%%PORT_behind%%;
        }
        location = /filed { authgate off; proxy_pass http://127.0.0.1:%%PORT_behind%%; }
        location /authgate/ { proxy_pass http://127.0.0.1:%%PORT_behind%%; }
    }
    server { listen 127.0.0.1:%%PORT_behind%%; return 204; }
EOF_HTTP
$server->make_certificate;
$server->run;

my $body = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice}, rd => '/hello.txt' ]);
my $FORM = 'application/x-www-form-urlencoded';

# When the directory of bodies changed last.
sub changed () { return join ' ', (Time::HiRes::stat($server->path('body')))[ 9, 10 ] }

sub files_with ($text) {
    my @found;
    File::Find::find(
        { no_chdir => 1, wanted => sub { push @found, $_ if -f && index(AuthGate::read_file($_), $text) >= 0 } },
        $server->path('.'));
    return @found;
}

# A post in pieces: the next is sent when nginx has taken the one before, which a worker that has gone
# back to waiting shows.
sub in_pieces ($client, $size, $framing) {
    my $socket = $client->connect;
    my $head   = "POST /authgate/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: $FORM\r\n";
    my @pieces = unpack "(a$size)*", $body;
    if ($framing eq 'chunked') {
        $head .= "Transfer-Encoding: chunked\r\n\r\n";
        @pieces = ((map { sprintf "%x\r\n%s\r\n", length, $_ } @pieces), "0\r\n\r\n");
    }
    else {
        $head .= 'Content-Length: ' . length($body) . "\r\n\r\n";
    }
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    for my $piece ($head, @pieces) {
        print $socket $piece;
        my $probe = $server->client->get('/authgate/nothing');    # the one worker has been around
        $probe->status == 404 or die 'no answer between two pieces';
    }
    return AuthGate::Response->read($socket, 'POST');
}

my $plain = $server->client;
my $tls   = $server->client(port => $server->port('tls'), tls => 1);
my $quiet = changed();
my @type  = ('Content-Type' => $FORM);
my @ways  = (
    'at once'                     => sub { $plain->request('POST', '/authgate/login', $body, @type) },
    'at once on TLS'              => sub { $tls->request('POST', '/authgate/login', $body, @type) },
    'byte by byte'                => sub { in_pieces($plain, 1, 'length') },
    'in pieces'                   => sub { in_pieces($plain, 20, 'length') },
    'in chunks'                   => sub { in_pieces($plain, 7, 'chunked') },
    'byte by byte on TLS'         => sub { in_pieces($tls, 1, 'length') },
    'in chunks on TLS'            => sub { in_pieces($tls, 7, 'chunked') },
    'HTTP/2'                      => sub { http2({}) },
    'HTTP/2 without a length'     => sub { http2({ no_length => 1 }) },
);

sub http2 ($option) {
    return AuthGate::Nghttp::request($server->port('h2'), 'POST', '/authgate/login', $body, $option,
        'Content-Type' => $FORM, Accept => 'text/html');
}

while (my ($what, $post) = splice @ways, 0, 2) {
    $_->forget_cookies for $plain, $tls;
    is $post->()->status, 303, "C47 $what: signed in";
    is changed(), $quiet, "C47 $what: no file came or went";
}
is $plain->request('POST', '/authgate/login', "$body&x=" . 'x' x 9000, 'Content-Type' => $FORM)->status, 413,
    'C47 a body too large: 413';
is $plain->request('POST', '/authgate/login', $body, 'Content-Type' => 'text/plain')->status, 415,
    'C47 a body of another type: 415';
is $plain->login('alice', 'wrong canary-typed-by-mistake')->status, 403,
    'C47 a wrong password: 403';
$plain->sign_in('alice');
is $plain->post('/authgate/logout', [ password => $PASSWORD{alice} ])->status, 303,
    'C47 a logout with a body';
is changed(), $quiet, 'C47 no file came or went for any of these';
is_deeply [ glob $server->path('body') . '/*' ], [], 'C47 the directory of bodies is empty';
is_deeply [ files_with($PASSWORD{alice}) ], [], 'C47 the password is in no file';
is_deeply [ files_with('canary-typed-by-mistake') ], [], 'C47 nor is one that was wrong';

# The same settings do write a file elsewhere, and this test would have seen it.
my $cleaned = $server->client->post('/cleaned', [ password => 'canary-for-the-application' ]);
is $cleaned->status, 204, 'C47 another location under the same settings';
isnt changed(), $quiet, 'C47 writes a file, and though it is gone that is seen';
$server->client->post('/filed', [ password => 'canary-for-the-application' ]);
is scalar(files_with('canary-for-the-application')), 1, 'C47 and one that stays is found';

done_testing;
