# A login form over 8 KiB is refused before any password is looked at (C46).

use v5.36;

use AuthGate;
use AuthGate::Http3;
use AuthGate::Nghttp;
use AuthGate::Server;
use Test::More;

my $has_http3 = AuthGate::Http3::is_there();
my $quic      = $has_http3 ? 'listen 127.0.0.1:%%PORT_h3%% quic;' : '';
note "without HTTP/3: $AuthGate::Http3::WITHOUT" if !$has_http3;

my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
    }
    server {
        listen 127.0.0.1:%%PORT_h2%% http2;
        $quic
        authgate ops;
        root %%DIR%%/html;
    }
    server {
        listen 127.0.0.1:%%PORT_unlimited%%;
        authgate ops;
        client_max_body_size 0;
        client_body_buffer_size 1m;
    }
EOF_HTTP
$server->make_certificate;
$server->run;

my $FORM = 'application/x-www-form-urlencoded';

# A right login, made `$length` bytes long.
sub body ($length) {
    my $body = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice} ]) . '&x=';
    return $body . 'x' x ($length - length $body);
}

my $client = $server->client;

sub by_length ($length, %option) {
    my $asking = $option{port} ? $server->client(port => $server->port($option{port})) : $client;
    return $asking->request('POST', '/authgate/login', body($length),
        'Content-Type' => $FORM, Cookie => undef);
}

sub by_chunks ($length, $size, %option) {
    my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", body($length);
    my $head   = "POST /authgate/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "Content-Type: $FORM\r\nAccept: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
    return $server->client(port => $server->port($option{port} // ''))->raw("$head${chunks}0\r\n\r\n");
}

sub by_http2 ($length, %option) {
    return AuthGate::Nghttp::request($server->port('h2'), 'POST', '/authgate/login', body($length),
        \%option, 'Content-Type' => $FORM, Accept => 'text/html');
}

my $http3 = $has_http3 && AuthGate::Http3->connect($server->port('h3'));

# In so many DATA frames of that size.
sub by_http3 ($length, $size, %option) {
    my @length = $option{no_length} ? () : ('content-length' => $length);
    my @headers = ('content-type' => $FORM, accept => 'text/html', @length);
    my $stream = $http3->request(POST => '/authgate/login', \@headers, undef);
    $http3->data($stream, $_) for unpack "(a$size)*", body($length);
    $http3->data($stream, '', 1);
    return $http3->answer($stream);
}

my @ways = (
    'Content-Length'                  => sub ($length) { by_length($length) },
    'Content-Length without limits'   => sub ($length) { by_length($length, port => 'unlimited') },
    'one chunk'                       => sub ($length) { by_chunks($length, 100_000) },
    'chunks'                          => sub ($length) { by_chunks($length, 1000) },
    'chunks of a byte'                => sub ($length) { by_chunks($length, 1) },
    'chunks without limits'           => sub ($length) { by_chunks($length, 4096, port => 'unlimited') },
    'HTTP/2 with a Content-Length'    => sub ($length) { by_http2($length) },
    'HTTP/2 without a Content-Length' => sub ($length) { by_http2($length, no_length => 1) },
);
push @ways, (
    'HTTP/3 with a Content-Length'    => sub ($length) { by_http3($length, 100_000) },
    'HTTP/3 without a Content-Length' => sub ($length) { by_http3($length, 100_000, no_length => 1) },
    'HTTP/3 in many frames'           => sub ($length) { by_http3($length, 500, no_length => 1) },
) if $http3;
while (my ($what, $post) = splice @ways, 0, 2) {
    is $post->(8192)->status, 303, "C46 $what: 8192 bytes are taken";
    for my $length (8193, 20_000, 200_000) {
        my $response;
        my @lines = $server->gate_lines_of(sub { $response = $post->($length) });
        is $response->status, 413, "C46 $what: $length bytes: 413";
        is $response->headers('Set-Cookie'), 0, "C46 $what: $length bytes: no cookie";
        is "@lines", '', "C46 $what: $length bytes: no password was looked at";
    }
}

# A length that is announced and never comes is answered at once.
my $early = $client->raw("POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: $FORM\r\n"
        . "Accept: text/html\r\nConnection: close\r\nContent-Length: 8193\r\n\r\n");
is $early->status, 413, 'C46 an announced length is enough';
my $huge = $client->raw("POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: $FORM\r\n"
        . "Accept: text/html\r\nConnection: close\r\nContent-Length: 9223372036854775807\r\n\r\n");
is $huge->status, 413, 'C46 whatever it is';
my $json = $client->request('POST', '/authgate/login', body(8193), 'Content-Type' => $FORM,
    Accept => 'application/json');
is $json->status, 413, 'C46 JSON: 413';
is $json->header('Content-Type'), 'application/json', 'C46 JSON: as JSON';

# What follows a body that is not read is no request.
my $socket = $client->connect;
print $socket "POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: $FORM\r\nContent-Length: 9000\r\n\r\n",
    substr("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" x 300, 0, 9000),
    "GET /authgate/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
is AuthGate::Response->read($socket, 'POST')->status, 413, 'C46 413 on a connection that is kept';
is AuthGate::Response->read($socket, 'GET')->status, 404, 'C46 the next request is the one behind the body';
unlike $server->access_log, qr/smuggled/, 'C46 the body is no request';

done_testing;
