# D50 with hosts that a login may return to: nothing but these, whatever it is written as.

use v5.36;

use AuthGate;
use AuthGate::ReturnPath qw(coded hostile outcome spellings);
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; return_hosts gate.example .tools.example.test 192.0.2.7; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        server_name login.example.test;
        authgate ops;
    }
EOF_HTTP
$server->make_certificate;
$server->run;

my @HOST   = (Host => 'login.example.test');
my $alice  = $server->client;
my $secure = $server->client(port => $server->port('tls'), tls => 1);
$_->sign_in('alice', headers => [@HOST]) for $alice, $secure;
my @MOVED = sort qw(Cache-Control Connection Content-Length Date Location Server X-Content-Type-Options);

sub names ($response) { return [ sort map { $_->[0] } $response->{headers}->@* ] }
sub shown ($string) { return substr($string =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger, 0, 80) }

# GET and POST, and where they lead.
sub leads_to ($client, $rd) {
    my $get  = $client->get('/authgate/login?rd=' . coded($rd), @HOST);
    my $post = $client->login('alice', $PASSWORD{alice}, rd => $rd, headers => [@HOST]);
    is_deeply names($get), \@MOVED, 'D52 no header line more: ' . shown($rd);
    my ($got, $posted) = map { $_->header('Location') } $get, $post;
    is $posted, $got, 'D50 POST leads where GET does: ' . shown($rd) if $post->status == 303;
    return $got;
}

for my $rd (
    'http://gate.example/',            'https://gate.example:8443/a?b=//c', 'https://GATE.example/x#y',
    'http://tools.example.test/',      'https://a.b.tools.example.test:1/', 'http://192.0.2.7:8080/x',
    'http://login.example.test/x',     'https://login.example.test:444/',   'https://gate.example/caf%C3%A9',
) {
    is leads_to($alice, $rd), $rd, "D50 listed, or its own host: $rd";
    is leads_to($secure, $rd), $rd =~ /^https/ ? $rd : '/', "D50 a cookie for TLS alone leads to https alone: $rd";
}

# The strings of group D. gate.example is listed here, and still each of them stays here.
for my $string (grep { length coded($_) < 4000 } hostile()) {
    for my $rd (grep { !/\xc0/ } spellings($string)) {
        is leads_to($alice, $rd), outcome($rd), 'D50 ' . shown($rd);
    }
}

# The same with hosts that are listed.
my @TRICKS = (
    'https://gate.example@evil.com/', 'https://gate.example:443@evil.com/', 'https://evil.com@gate.example/',
    'https://@gate.example/', 'https://a:b@gate.example/', 'https://gate.example%40evil.com/',
    'https://evil.com%2f.tools.example.test/', 'https://evil.com%5c.tools.example.test/',
    'https://evil.com%00.tools.example.test/', 'https://evil.com\\.tools.example.test/',
    'https://evil.com\\@gate.example/', 'https://gate.example\\.evil.com/', 'https://gate.example\\/',
    'https:\\\\gate.example/', 'https:/gate.example/', 'https:gate.example/', 'https:///gate.example/',
    'https://evil.com#.tools.example.test/', 'https://evil.com?.tools.example.test/',
    'https://evil.com/.tools.example.test', 'https://evil.com/gate.example/', 'https://gate.example.evil.com/',
    'https://gate.exampleevil.com/', 'https://eviltools.example.test/', 'https://x.gate.example/',
    'https://gate.example./', 'https://.tools.example.test/', 'https://a..tools.example.test/',
    'https://gate.example:/', 'https://gate.example:99999/', 'https://gate.example:+443/',
    'https://gate.example:443:443/', 'https://gate.example:%34/', 'https://gate.example', 'https://gate.example?x',
    'https://gate.example#x', 'HTTPS://gate.example/', 'ftp://gate.example/',
    'javascript://gate.example/%0aalert(1)', '//gate.example/', '/\\gate.example/', 'gate.example/',
    ' https://gate.example/', "\thttps://gate.example/", "ht\ttps://gate.example/", "https:/\t/gate.example/",
    "https://evil.com\t.tools.example.test/", "https://evil.com\n.tools.example.test/",
    "https://evil.com\r\n.tools.example.test/", 'https://evil.com .tools.example.test/',
    "https://gate.example\xe3\x80\x82evil.com/", "https://evil\xe3\x80\x82com\xe3\x80\x82tools.example.test/",
    "https://gate\xef\xbc\x8eexample/", "https://evil.com\xef\xbc\x8f.tools.example.test/",
    "https://gate.example\xc2\xad/", 'https://%67ate.example/', 'https://192.0.2.07/', 'https://0xc0000207/',
    'https://3221225991/', 'https://192.0.519/', 'https://1.2.tools.example.test.1/', 'https://[::ffff:192.0.2.7]/',
    'https://gate.example//evil.com', 'https://gate.example/\\evil.com', 'https://gate.example/..//evil.com',
    'https://gate.example/%2f/evil.com', 'https://gate.example/a/../b', "https://gate.example/x\r\nSet-Cookie:a=b",
    'https://gate.example/x%0d%0aSet-Cookie:a=b', 'https://gate.example/authgate/login',
    'https://gate.example/authgate/logout', 'https://login.example.test/authgate/%6cogin',
    'https://login.example.test.evil.com/', 'https://login.example.test@evil.com/',
    'https://gate.example/' . 'a' x 2048,
);
is leads_to($alice, $_), '/', 'D50 ' . shown($_) for @TRICKS;

# What Host says is nobody's word but for its own host.
for my $host ('login.example.test', 'other.test') {
    my $get = $alice->get('/authgate/login?rd=' . coded("http://$host/x"), Host => $host);
    is $get->header('Location'), "http://$host/x", "D55 Host: $host is its own host";
}
my $get = $alice->get('/authgate/login?rd=' . coded('http://evil.com/x'), @HOST, 'X-Forwarded-Host' => 'evil.com');
is $get->header('Location'), '/', 'D55 X-Forwarded-Host is nobody';

done_testing;
