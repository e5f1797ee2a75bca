package AuthGate::Mistakes;

# What nginx -t says of a configuration:
#
#     my $server = AuthGate::Mistakes->server;      # to put files there
#     is_mistake('a name', $http, 'a pattern');     # $http has "# MARK" at the end of the mistaken line
#     is_right('a name', $http);
#
# Both may be given text for the main context as well.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(check is_mistake is_right);

sub server ($class = undef) {
    state $server = AuthGate::Server->prepare('');
    return $server;
}

# Whether nginx -t passes, what it says, and where the line with the mark is.
sub check ($http, $main = '') {
    my ($server, $conf) = (server(), server()->path('nginx.conf'));
    $server->{option}{main} = $main;
    $server->configure($http);
    my @lines = split /\n/, AuthGate::read_file($conf);
    my ($line) = grep { $lines[ $_ - 1 ] =~ /# MARK$/ } 1 .. @lines;
    return ($server->check, $line && "$conf:$line");
}

# Refused, told once, in one line, with file and line of the mark if there is one, and without a secret.
sub is_mistake ($name, $http, $message = '', $main = '') {
    my ($passed, $said, $place) = check($http, $main);
    ok !$passed, "I100 $name: refused";
    my @told = $said =~ /^nginx: \[emerg\] (.*)$/mg;
    is scalar @told, 1, "I100 $name: told once" or diag $said;
    like $told[0] // '', qr/$message/, "I100 $name: said";
    like $told[0] // '', qr/ in \Q$place\E\z/, "I100 $name: with file and line" if $place;
    unlike $said, qr/canary|Y2FuYXJ5|panic/, "I100 $name: no secret is told";
    return $said;
}

sub is_right ($name, $http, $main = '', $warnings = 0) {
    my ($passed, $said) = check($http, $main);
    ok $passed, "I100 $name: right" or diag $said;
    is scalar(() = $said =~ /\[(?:emerg|alert|warn)\]/g), $warnings, "I100 $name: warnings" or diag $said;
}

1;
