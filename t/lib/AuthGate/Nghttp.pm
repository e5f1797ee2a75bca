package AuthGate::Nghttp;

# HTTP/2 without TLS, spoken by nghttp (nghttp2-client): unlike curl it takes an answer that comes before
# the body has been sent.
#
#     my $response = AuthGate::Nghttp::request($server->port, 'POST', '/authgate/login', $body,
#         { no_length => 1 }, 'Content-Type' => '…');
#
# The answer has status and headers as an AuthGate::Response; its body is not kept. no_length: no
# Content-Length is sent.

use v5.36;

use AuthGate;
use AuthGate::Response;
use IPC::Run ();

sub request ($port, $method, $path, $body, $option = {}, @headers) {
    my @command = (qw(nghttp --verbose --timeout=60), "--header=:method: $method");
    push @command, '--no-content-length' if $option->{no_length};
    push @command, '--data=-'            if defined $body;
    while (my ($name, $value) = splice @headers, 0, 2) {
        push @command, "--header=$name: $value";
    }
    my $said = '';
    IPC::Run::run([@command, "http://127.0.0.1:$port$path"], '<', \($body // ''), '>', \$said)
        or die "nghttp failed: $said";
    my @fields = map { [ split /: /, $_, 2 ] } $said =~ /recv \(stream_id=\d+\) (:?[^:\n]+: [^\n]*)/g;
    my ($status) = map { $_->[1] } grep { $_->[0] eq ':status' } @fields;
    return bless { status => $status // 0, headers => \@fields, head => '', body => '' }, 'AuthGate::Response';
}

1;
