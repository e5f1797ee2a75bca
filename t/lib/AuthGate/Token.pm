package AuthGate::Token;

# Tokens written by hand, as docs/TOKEN.md lays them out: what a gate must refuse cannot be had from
# the gate itself.
#
#     AuthGate::Token::sign(user => 'alice')                          # v1.…, an API token for an hour
#     AuthGate::Token::sign(purpose => 'device', realm => 'ops', key => 'KID base64', …)
#     AuthGate::Token::api(user => 'alice', …)                        # the same with agt_ before it
#     AuthGate::Token::api(user => 'alice', methods => ['GET'], paths => ['/metrics', …])
#     AuthGate::Token::read($token)->{expires_at}                     # without verifying anything
#
# Sessions can be signed only where their salt is known, so not for a server that runs.

use v5.36;

use AuthGate;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64url);
use Time::HiRes ();

our ($FIRST, $SECOND) = split /\n/, $AuthGate::KEYS;

# The second that nginx sees: perl's own time may be some milliseconds behind.
sub now () { return int Time::HiRes::time() }

# RFC 5869; all that is derived here fits into one block.
sub hkdf ($secret, $salt, $info, $length) {
    my $extracted = hmac_sha256($secret, length $salt ? $salt : "\0" x 32);
    return substr hmac_sha256("$info\x01", $extracted), 0, $length;
}

# The name and the secret of a line of a keys file.
sub key ($line) {
    my ($secret, $id) = reverse split ' ', $line;
    $secret = decode_base64($secret);
    return ($id // encode_base64url(hkdf($secret, '', "authgate v1\0kid", 6)), $secret);
}

sub payload (%claim) {
    return $claim{tag} . $claim{session}
        . pack('Q>4', @claim{qw(issued_at expires_at ends_at epoch)})
        . pack('C', $claim{user_length} // length $claim{user}) . $claim{user}
        . join '', map({ pack 'C C/a*', 1, $_ } @{ $claim{methods} }), map({ pack 'C C/a*', 2, $_ } @{ $claim{paths} });
}

# Every claim can be given; mac_key and payload (bytes) replace what is derived.
sub sign (%given) {
    my %claim = (
        version   => 'v1',
        purpose   => 'api',
        realm     => 'ops',
        key       => $FIRST,
        salt      => '',
        session   => join('', map { chr int rand 256 } 1 .. 16),
        issued_at => now(),
        epoch     => 0,
        %given,
    );
    $claim{expires_at} //= $claim{issued_at} + 3600;
    $claim{ends_at}    //= $claim{expires_at};
    my ($id, $secret) = key($claim{key});
    $claim{tag} //= hkdf($secret, '', "authgate v1\0realm\0$claim{realm}", 4);
    my $mac_key = $claim{mac_key}
        // hkdf($secret, $claim{salt}, "authgate v1\0$claim{purpose}\0$claim{realm}", 32);
    $id = $claim{id} if defined $claim{id};
    my $signed = "$claim{version}.$id." . encode_base64url($claim{payload} // payload(%claim));
    return "$signed." . encode_base64url(hmac_sha256($signed, $mac_key));
}

sub api (%given) { return 'agt_' . sign(%given) }

sub read ($token) {
    my ($version, $id, $payload) = split /\./, $token;
    my %claim = (version => $version, id => $id, methods => [], paths => []);
    (@claim{qw(tag session issued_at expires_at ends_at epoch user)}, my $limits) =
        unpack 'a4 a16 Q> Q> Q> Q> C/a a*', decode_base64url($payload);
    while (length $limits) {
        (my ($kind, $text), $limits) = unpack 'C C/a a*', $limits;
        push @{ $claim{ $kind == 1 ? 'methods' : 'paths' } }, $text;
    }
    $claim{session} = unpack 'H*', $claim{session};
    return \%claim;
}

1;
