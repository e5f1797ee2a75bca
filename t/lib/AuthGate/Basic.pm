package AuthGate::Basic;

# Basic credentials, and many requests with them at once.
#
#     $client->get('/hello.txt', basic('alice', $PASSWORD{alice}))
#     my @pending = map { pending($client, '/hello.txt', basic('alice', 'x')) } 1 .. 200;
#     $_->answer->status for @pending;

use v5.36;

use AuthGate;
use AuthGate::Pending;
use Exporter 'import';
use MIME::Base64 qw(encode_base64);

our @EXPORT = qw(basic right get_bytes pending);

sub basic ($user, $password) { return (Authorization => 'Basic ' . encode_base64("$user:$password", '')) }

# The credential of a user of AuthGate.
sub right ($user) { return basic($user, $PASSWORD{$user}) }

# A request as text; the last "header" without a name is what follows the head.
sub get_bytes ($client, $path, @headers) {
    my $bytes = "$path HTTP/1.1\r\nHost: $client->{address}:$client->{port}\r\n";
    $bytes = "GET $bytes" if $path =~ m{\A/};
    push @headers, Connection => 'close' if !grep { $_ eq 'Connection' } @headers;
    my $rest = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        if   (length $name) { $bytes .= "$name: $value\r\n" }
        else                { $rest = $value }
    }
    return "$bytes\r\n$rest";
}

sub pending ($client, @request) { return AuthGate::Pending->send($client, get_bytes($client, @request)) }

1;
