package AuthGate::Users;

# Hashes at a cost of the test's choice, made by crypt(3).

use v5.36;

use Carp ();
use Exporter 'import';

our @EXPORT = qw(bcrypt sha512_crypt);

sub bcrypt ($password, $cost) {
    return hash($password, sprintf '$2b$%02d$%s', $cost, 'abcdefghijklmnopqrstuu');
}

sub sha512_crypt ($password, $rounds = 1000) { return hash($password, "\$6\$rounds=$rounds\$saltsalt\$") }

sub hash ($password, $setting) {
    my $hash = crypt $password, $setting;
    Carp::croak("crypt(3) does not know $setting") if !defined $hash || length $hash < 40;
    return $hash;
}

1;
