package AuthGate::Examples;

# The examples of nginx-conf/ with a test's own ports and files, to be run as they are written:
#
#     AuthGate::Examples::adapted('forward-auth.conf', '192.0.2.2:8082' => '127.0.0.1:%%PORT%%', …)
#
# Dies when something that is to be replaced is not there.

use v5.36;

use AuthGate;
use Carp ();

sub adapted ($name, @replacements) {
    my $text = AuthGate::read_file("$AuthGate::ROOT/nginx-conf/$name") || Carp::croak("no $name");
    while (my ($from, $to) = splice @replacements, 0, 2) {
        $text =~ s/\Q$from\E/$to/g or Carp::croak("$name has no $from");
    }
    return $text;
}

1;
