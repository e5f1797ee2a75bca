package AuthGate::Malformed;

# H93 in HTTP/2 and HTTP/3: heads of requests that no client should send, as lists of fields.
#
#     for my $case (AuthGate::Malformed::heads()) {
#         my ($what, $fields, $body) = @$case;      # [[name, value], …]
#     }
#
# All are for /hello.txt, and none has a valid credential.

use v5.36;

my @pseudo = ([':method', 'GET'], [':scheme', 'https'], [':authority', 'localhost'], [':path', '/hello.txt']);

# The usual pseudo-header fields, but for these: other values, or undef for none.
sub with (%other) {
    return map { my ($name, $value) = @$_; $value = $other{$name} if exists $other{$name}; [$name, $value] }
        grep { !exists $other{ $_->[0] } || defined $other{ $_->[0] } } @pseudo;
}

sub heads () {
    my %head;
    for my $field (@pseudo) {
        my $name = $field->[0];
        $head{"no $name"}       = [with($name => undef)];
        $head{"an empty $name"} = [with($name => '')];
        $head{"$name twice"}    = [@pseudo, $field];
    }
    $head{"the path \"$_\""} = [with(':path' => $_)]
        for 'hello.txt', '*', 'https://localhost/hello.txt', '//hello.txt', '/../hello.txt', '/x/../../hello.txt',
        "/hello.txt\0", '/hello.txt%00', "/hello.txt\r\nx: y", '/hello.txt#authgate/login', '/authgate/login/../../hello.txt',
        '/authgate/login%2f..%2f..%2fhello.txt', '/hello.txt?/authgate/login', "/\xff\xfe", '/%', '/' . 'x' x 20_000;
    $head{"the method \"$_\""} = [with(':method' => $_)] for 'get', 'GET /hello.txt', "GET\r\n", 'CONNECT', 'PRI', 'X' x 300;
    $head{"the scheme \"$_\""} = [with(':scheme' => $_)] for 'file', 'h ttp', "https\0", '://';
    $head{"the authority \"$_\""} = [with(':authority' => $_)]
        for "local\0host", 'local/host', 'user@localhost', 'localhost:x', '..', '[::1', 'x' x 5000;
    $head{'a pseudo-header field that does not exist'} = [@pseudo, [':status', '200']];
    $head{'a pseudo-header field behind others'} = [@pseudo[0 .. 2], ['accept', '*/*'], $pseudo[3]];
    $head{'a head of nothing'} = [];
    $head{'Host that contradicts'} = [@pseudo, ['host', 'other.example']];
    $head{'Host twice'} = [with(':authority' => undef), ['host', 'localhost'], ['host', 'localhost']];
    $head{'Authorization twice'} = [@pseudo, (['authorization', 'Basic YWxpY2U6eA==']) x 2];
    $head{"the field \"$_->[0]: $_->[1]\""} = [@pseudo, $_]
        for ['Cookie', 'authgate=x'], ['coo kie', 'authgate=x'], ['cookie:', 'authgate=x'], ["cookie\0", 'authgate=x'],
        ['', 'x'], ["x\r\ncookie", 'authgate=x'], ['cookie', "authgate=x\r\nx: y"], ['cookie', "authgate=x\0"],
        ['cookie', "\x80\xff=\xfe"], ['authorization', ''], ['authorization', "Basic \0"], ['authorization', 'Basic ' . 'A' x 5000],
        ['authorization', "Bearer agt_v1.\xff"], ['connection', 'close'], ['connection', 'cookie'], ['keep-alive', 'x'],
        ['transfer-encoding', 'chunked'], ['te', 'gzip'], ['upgrade', 'websocket'], ['expect', '100-continue'],
        ['content-length', 'x'], ['content-length', '-1'], ['content-length', '9' x 40], ['x-original-url', '/authgate/login'],
        ['early-data', '1'];
    $head{'Content-Length twice'} = [@pseudo, ['content-length', '1'], ['content-length', '2']];
    $head{'a Cookie of 100,000 bytes'} = [@pseudo, ['cookie', 'authgate=' . 'x' x 100_000]];
    $head{'2,000 cookies'} = [@pseudo, (['cookie', 'authgate=x']) x 2000];
    $head{'3,000 fields'} = [@pseudo, map { ["x-$_", 'y'] } 1 .. 3000];
    return map { [printable($_), $head{$_}] } sort keys %head;
}

sub printable ($text) { return substr $text =~ s/[^ -~]/sprintf '\\x%02x', ord $&/ger, 0, 80 }

1;
