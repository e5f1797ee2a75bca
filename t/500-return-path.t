# Where a login returns to: a path of this host, or / (D50). Each string as it stands and percent-encoded
# once and twice, in a login by POST and in the login page of one who is signed in.

use v5.36;

use AuthGate;
use AuthGate::ReturnPath qw(coded harmless hostile outcome spellings);
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP

cmp_ok scalar keys harmless()->%*, '>', 20, 'the list of what is harmless';

# A header line more than these would be one that rd has made.
my @LOGIN = qw(Cache-Control Connection Content-Length Date Location Server Set-Cookie Set-Cookie X-Content-Type-Options);
my @MOVED = grep { $_ ne 'Set-Cookie' } @LOGIN;
sub names ($response) { return [ sort map { $_->[0] } $response->{headers}->@* ] }

sub shown ($string) {
    my $text = length $string > 60 ? substr($string, 0, 20) . '… (' . length($string) . ' bytes)' : $string;
    return $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
}

my $stranger = $server->client;
my $alice    = $server->client;
$alice->sign_in('alice');
my $signed_in = { $alice->cookies->%* };

for my $string (hostile()) {
    for my $rd (spellings($string)) {
        my $what = shown($rd);
        $stranger->forget_cookies;
        my $post = $stranger->login('alice', $PASSWORD{alice}, rd => $rd);
        if (length coded($rd) > 8000) {
            is $post->status, 413, "D50 POST, $what: too large";
            next;
        }
        if ($rd =~ /\xc0/) {
            is $post->status, 400, "D50 POST, $what: no UTF-8 is no form";
        }
        else {
            is $post->header('Location'), outcome($rd), "D50 POST, $what";
            is_deeply names($post), \@LOGIN, "D52 POST, $what: no header line more";
        }
        my $get = $alice->get('/authgate/login?rd=' . coded($rd));
        is $get->header('Location'), outcome($rd), "D50 GET, $what";
        is_deeply names($get), \@MOVED, "D52 GET, $what: no header line more";
    }

    # In the address as it stands, decoded once on the way: what a mail or another site would link to.
    next if $string =~ /[\0-\x20\x7f]/;
    my $get = $alice->get("/authgate/login?rd=$string");
    my $to  = $get->header('Location');
    ok $to eq '/' || harmless()->{$to}, 'D50 GET, as it stands: ' . shown($string) or diag $to;
    is_deeply names($get), \@MOVED, 'D52 GET, as it stands: ' . shown($string);
}
is_deeply $alice->cookies, $signed_in, 'D50 no cookie came of it';

# rd in a query that is none: twice there, a broken code.
for my $query (
    'rd=/a&rd=/a', 'rd=/a&rd=/b', 'rd=%zz', 'rd=/a%', 'rd=/a&x=%4', 'rd=%C0%AF', 'rd=/%FF', 'rd', '', 'RD=/a',
) {
    is $alice->get("/authgate/login?$query")->header('Location'), '/', "D50 GET, ?$query";
}

done_testing;
