# I100, J138: what nginx -t says of login_url, return_hosts and forwarded.

use v5.36;

use AuthGate;
use AuthGate::Mistakes ();
use Test::More;

my $LOGIN  = 'login_url https://login.example.test/authgate/login;';
my $KEYS   = 'keys %%KEYS%%;';
my $DOMAIN = 'cookie authgate domain=example.test;';

# A realm with these directives. A mistake is told of the line with the mark, else of the realm's end.
sub realm (@directives) {
    my $end = (grep { /# MARK/ } @directives) ? '' : ' # MARK';
    return join "\n", 'authgate_realm ops {', 'users %%USERS%%;', @directives, "}$end", 'server { listen 127.0.0.1:%%PORT%%; }';
}

sub is_mistake ($message, @directives) {
    AuthGate::Mistakes::is_mistake("@directives", realm(@directives), qr/\A\Q$message\E in /);
}

sub is_right (@directives) { AuthGate::Mistakes::is_right("@directives", realm(@directives)) }

is_right($LOGIN, $KEYS, $DOMAIN);
is_right($DOMAIN, $KEYS, $LOGIN, 'return_hosts .example.test *.Example.test example.test *.a.example.test;');
is_right($DOMAIN, 'return_hosts app.example.test;');
is_right('forwarded 127.0.0.1 ::1 192.0.2.0/24 2001:db8::/32 unix:;');

# J138: who is led to a host that the cookie does not go to has no session there.
my $NO_SESSION = 'is outside of the cookie\'s "domain=example.test": no session would be known there, '
    . 'name hosts of that domain (no IP address is in one) or another domain';
is_mistake(qq(host "$_" in "return_hosts" $NO_SESSION), $DOMAIN, $KEYS, $LOGIN, "return_hosts app.example.test $_; # MARK")
    for qw(app.example.net *.example.org .test anexample.test 192.0.2.7 localhost);
is_mistake(qq(host "$_" in "login_url" $NO_SESSION), $DOMAIN, $KEYS, "login_url https://$_:8443/authgate/login; # MARK")
    for qw(login.example.org test 192.0.2.7 [::1]);
for my $cookie ('', 'cookie authgate;') {
    my ($passed, $said, $place) = AuthGate::Mistakes::check(realm($cookie, 'return_hosts app.example.test .example.org; # MARK'));
    ok $passed, "J138 no domain: nginx -t passes: $cookie";
    my @told = $said =~ /\[warn\] (.*)$/mg;
    is_deeply \@told, ['"return_hosts" without "domain=" in "cookie": the session cookie stays with the host of the login '
            . 'page, and who is sent back to "app.example.test" has no session there; give the cookie a domain that has both '
            . "in $place"], 'J138 with a warning that names file and line';
}

is_mistake('"login_url" requires "keys" in realm "ops"',                          $LOGIN, $DOMAIN);
is_mistake('"login_url" requires "cookie" with "domain=" in realm "ops"',         $LOGIN, $KEYS);
is_mistake('"login_url" requires "cookie" with "domain=" in realm "ops"',         $LOGIN, $KEYS, 'cookie authgate;');
is_mistake('"login_url" requires "keys" and "cookie" with "domain=" in realm "ops"', $LOGIN);

for my $url (
    '/authgate/login',                               'login.example.test/authgate/login',
    'https://login.example.test',                    'ftp://login.example.test/authgate/login',
    'https://alice@login.example.test/authgate/login', 'https://login.example.test/authgate/login?rd=/',
    'https://login.example.test:99999/authgate/login', 'https://login.example.test//authgate/login',
) {
    is_mistake(
        qq(invalid URL "$url" in "login_url" directive: it must be an absolute http or https URL with a path, )
            . 'without user information, query and fragment',
        $KEYS, $DOMAIN, "login_url $url; # MARK"
    );
}

is_mistake(
    qq(invalid host name or wildcard "$_" in "return_hosts" directive),
    "return_hosts app.example.test $_; # MARK"
) for 'https://app.example.test', 'app.example.test:443', '*', 'app.*', '~^app', '127.1', '[::1]', 'app..example.test';

is_mistake(qq(invalid parameter "$_" in "forwarded" directive), "forwarded 127.0.0.1 $_; # MARK")
    for 'localhost', '192.0.2.0/33', '192.0.2', 'all', 'unix:/run/proxy', '127.0.0.1:80';

is_mistake(qq(invalid number of arguments in "$_" directive), "$_; # MARK") for qw(login_url return_hosts forwarded);
my %value = (login_url => 'https://a.example/', return_hosts => 'b.example', forwarded => '::1');
is_mistake(qq("$_" directive is duplicate), "$_ $value{$_};", "$_ $value{$_}; # MARK") for sort keys %value;

done_testing;
