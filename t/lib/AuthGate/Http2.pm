package AuthGate::Http2;

# HTTP/2 without TLS, spoken by curl:
#
#     my $response = AuthGate::Http2::request($server->port, 'POST', '/authgate/login', $body,
#         { chunked => 1 }, 'Content-Type' => '…');
#
# The answer has status, header and body as an AuthGate::Response. chunked: no Content-Length is sent.

use v5.36;

use AuthGate;
use AuthGate::Response;
use IPC::Run ();

sub request ($port, $method, $path, $body, $option = {}, @headers) {
    my @command = (
        qw(curl --silent --show-error --include --http2-prior-knowledge --max-time 20 --path-as-is),
        '--request', $method
    );
    while (my ($name, $value) = splice @headers, 0, 2) {
        push @command, '--header', "$name: $value";
    }
    if (defined $body) {
        push @command, $option->{chunked} ? ('--upload-file', '-') : ('--data-binary', '@-');
    }
    my $answer = '';
    IPC::Run::run([@command, "http://127.0.0.1:$port$path"], '<', \($body // ''), '>', \$answer)
        or die "curl failed: $answer";
    $answer =~ s{\AHTTP/\S+ 100.*?\r\n\r\n}{}s;
    my ($head, $content) = split /\r\n\r\n/, $answer, 2;
    my ($status_line, @lines) = split /\r\n/, $head;
    my ($status) = $status_line =~ m{\AHTTP/2 (\d{3})} or die "no HTTP/2: $status_line";
    return bless {
        status  => $status,
        head    => "$head\r\n\r\n",
        headers => [ map { [ split /:[ \t]*/, $_, 2 ] } @lines ],
        body    => $content // '',
    }, 'AuthGate::Response';
}

1;
