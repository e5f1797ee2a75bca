package AuthGate::Examples;

# The examples of nginx-conf/ with a test's own ports and files, to be run as they are written:
#
#     AuthGate::Examples::adapted('forward-auth.conf', '192.0.2.2:8082' => '127.0.0.1:%%PORT%%', …)
#
# The same with a block of a page:
#
#     AuthGate::Examples::of_page('docs/alertmanager.md', nginx => qr/server_name/, …)
#
# Dies when something that is to be replaced is not there.

use v5.36;

use AuthGate;
use Carp ();

sub adapted ($name, @replacements) {
    my $text = AuthGate::read_file("$AuthGate::ROOT/nginx-conf/$name") || Carp::croak("no $name");
    return replaced($name, $text, @replacements);
}

# The first block of that language that the pattern fits.
sub of_page ($name, $language, $pattern, @replacements) {
    my ($block) = grep { $_->{text} =~ $pattern } blocks("$AuthGate::ROOT/$name", $language);
    Carp::croak("$name has no such block: $pattern") if !$block;
    return replaced($name, $block->{text}, @replacements);
}

# The fenced blocks of one language, with the line that each begins on.
sub blocks ($path, $language) {
    my (@blocks, $block);
    my $line = 0;
    for (split /^/, AuthGate::read_file($path)) {
        $line++;
        if    (/^\s*```(\S*)/ && !$block) { $block = { line => $line, language => $1, text => '' } }
        elsif (/^\s*```\s*$/) { push @blocks, $block; undef $block }
        elsif ($block)        { $block->{text} .= $_ }
    }
    die "$path: a block does not end" if $block;
    return grep { $_->{language} eq $language } @blocks;
}

sub replaced ($name, $text, @replacements) {
    while (my ($from, $to) = splice @replacements, 0, 2) {
        $text =~ s/\Q$from\E/$to/g or Carp::croak("$name has no $from");
    }
    return $text;
}

1;
