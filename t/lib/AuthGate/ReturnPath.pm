package AuthGate::ReturnPath;

# The strings of group D: what leads others astray when it is taken as the place to go back to.
#
#     for my $string (AuthGate::ReturnPath::hostile()) { for (spellings($string)) { … } }
#     outcome($spelling)     # where a login with it as rd must lead

use v5.36;

use AuthGate;
use Exporter 'import';

our @EXPORT_OK = qw(hostile spellings outcome harmless coded);

sub hostile () {
    return (
        '//evil.com', '///evil.com', '////evil.com/%2f..', '/\\evil.com', '/\\/evil.com', '\\\\evil.com',
        '\\/evil.com', '/\\\\\\evil.com', "/\t/evil.com", "/\n/evil.com", "/\r\\evil.com", "/\x0b/evil.com",
        "/\x0c/evil.com", '/ /evil.com', ' //evil.com', "\t//evil.com", '/%09/evil.com', '/%0a/evil.com',
        '/%5cevil.com', '/%5c%5cevil.com', '/%2f/evil.com', '/%2f%2fevil.com', '/%252f%252fevil.com',
        '/%255cevil.com', '/./\\evil.com', '/.//evil.com', '/../..//evil.com', '/..;//evil.com',
        'http://evil.com', 'https:evil.com', 'https:/evil.com', 'https:\\\\evil.com', 'http:///evil.com',
        'HtTp://evil.com', 'https://gate.example@evil.com', 'https://gate.example.evil.com',
        'https://gate.example\\.evil.com', 'https://evil.com#gate.example', 'https://gate.example%00.evil.com',
        'evil.com', '@evil.com', '?//evil.com', '#//evil.com', '.evil.com', 'javascript:alert(1)',
        'java%0ascript:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil%E3%80%82com',
        "/\xe3\x80\x80/evil.com", "/\xef\xbc\x8f/evil.com", "/\xe2\x81\x84/evil.com", '//[::ffff:1.2.3.4]',
        '//0x7f000001', 'http:3627734734', '//evil.com:80?@gate.example', '/x%0d%0aSet-Cookie:a=b',
        '/x%E5%98%8D%E5%98%8ASet-Cookie:a=b', '/x%00//evil.com', "\xef\xbb\xbf//evil.com", '', '/' x 2049,
        '/' . 'a' x 2048, "\xc0\xaf", "/\xc0\xaf/evil.com", '/;@x', '/@evil.com', '/../evil.com', '/a/..',
    );
}

# Percent-encoded but for letters, digits and `-._~`, and, on request, slashes.
sub coded ($string, $but = '') { return $string =~ s/([^A-Za-z0-9._~$but-])/sprintf '%%%02X', ord $1/ger }

# The string as it stands and percent-encoded once and twice, its slashes with the rest and without.
sub spellings ($string) {
    my %seen = ($string => 1);
    my @all  = ($string);
    for my $but ('', '/') {
        my $once = coded($string, $but);
        push @all, grep { !$seen{$_}++ } $once, coded($once, $but);
    }
    return @all;
}

# The list of crates/core/tests/return_path.rs: spellings that remain a plain path of this host, judged
# there by a browser's parser.
my %harmless;

sub harmless () {
    return \%harmless if %harmless;
    my $source = AuthGate::read_file("$AuthGate::ROOT/crates/core/tests/return_path.rs");
    my ($list) = $source =~ /^const HARMLESS: &\[&str\] = &\[\n(.*?)^\];/ms or die 'no list of harmless strings';
    %harmless = map { $_ => 1 } $list =~ /^    "(.*)",$/mg;
    return \%harmless;
}

sub outcome ($spelling) { return harmless()->{$spelling} ? $spelling : '/' }

1;
