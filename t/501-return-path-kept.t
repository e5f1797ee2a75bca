# What is a path of this host comes back byte for byte (D53), but for the gate's own pages and what is too
# long (D54); nothing of it becomes a header line (D52).

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::ReturnPath qw(coded);
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops   { users %%USERS%%; }
    authgate_realm moved { users %%USERS%%; path /gate/; cookie moved; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
        merge_slashes off;
    }
    server { listen 127.0.0.1:%%PORT_moved%%; authgate moved; root %%DIR%%/html; }
EOF_HTTP

# The whole way: asked for, sent to the login page, through its form, and back.
sub comes_back ($path, $expected = $path, %option) {
    my $client = $server->client(%option);
    my $asked  = $client->get($path);
    return 'no redirect: ' . $asked->status unless $asked->status == 302;
    my $page  = $client->get($asked->header('Location'));
    return 'no login page: ' . $page->status unless $page->status == 200;
    my $form = AuthGate::Page->parse($page->body);
    return 'the form has ' . $form->field('rd') unless $form->field('rd') eq $expected;
    my $in = $client->post($form->action,
        [ rd => $form->field('rd'), username => 'alice', password => $PASSWORD{alice} ]);
    return $in->header('Location');
}

for my $path (
    '/', '/a/b?x=1&y=2', '/a%20b', '/a?u=https://x/', '/caf%C3%A9', '/graph?g0.expr=up{job=%22x%22}',
    '/graph?g0.expr=sum|a^b[5m]&q=\'x\'', '/a/', "/a/b/;v=1/(x)!\$&'*+,=:\@~", '/.well-known/x', '/...',
    '/a..b/c.', '/?//evil.com', '/?/../x', '/100%25', '/a?', '/a??b', '/a?rd=/b&rd=/c', '/a?b=%26%3d%2B+c',
    '/a?x=%zz', '/x/authgate/login', '/login',
) {
    is comes_back($path), $path, "D53 $path: there and back";
}
my $alice = $server->client;
$alice->sign_in('alice');
for my $path ('/a#/alerts?silenced=false', '/authgate/session', '/authgate', '/authgate/logins', '/#') {
    is $alice->get('/authgate/login?rd=' . coded($path))->header('Location'), $path, "D53 $path as rd";
}

# Characters that belong to the query alone.
for my $character (split //, '{}|^[]') {
    is $alice->get('/authgate/login?rd=' . coded("/a${character}b"))->header('Location'), '/',
        "D53 $character in the path: /";
    is $alice->get('/authgate/login?rd=' . coded("/a?b${character}c"))->header('Location'), "/a?b${character}c",
        "D53 $character in the query";
}

# Dead ends.
for my $path (
    '/authgate/login', '/authgate/logout', '/authgate/login?rd=/x', '/authgate/logout?x', '/authgate/login#x',
    '/authgate/login/', '/authgate/%6cogin', '/%61uthgate/logou%74', '/%2561uthgate/login',
    '/authgate/login%2fx', '/authgate/login%3fx',
) {
    is $alice->get('/authgate/login?rd=' . coded($path))->header('Location'), '/', "D54 GET, $path: /";
    is $server->client->login('alice', $PASSWORD{alice}, rd => $path)->header('Location'), '/',
        "D54 POST, $path: /";
}
my $moved = $server->client(port => $server->port('moved'), path => '/gate/');
is $moved->login('alice', $PASSWORD{alice}, rd => '/gate/login')->header('Location'), '/',
    'D54 another path: its login page';
is $moved->login('alice', $PASSWORD{alice}, rd => '/authgate/login')->header('Location'), '/authgate/login',
    'D54 another path: not the usual one';

my $longest = '/' . 'a' x 2047;
is $alice->get("/authgate/login?rd=$longest")->header('Location'), $longest, 'D54 2048 bytes';
is $alice->get("/authgate/login?rd=${longest}a")->header('Location'), '/', 'D54 2049 bytes: /';
is $server->client->login('alice', $PASSWORD{alice}, rd => $longest)->header('Location'), $longest,
    'D54 POST, 2048 bytes';
is $server->client->login('alice', $PASSWORD{alice}, rd => "${longest}a")->header('Location'), '/',
    'D54 POST, 2049 bytes: /';
is comes_back("${longest}aaa", '/'), '/', 'D54 a path of 2051 bytes is asked for: back to /';

# Encoded once more an address grows: the login page must still be there behind the redirect.
for my $path ('/' . 'a' x 7000, '/a?q=' . '%7B' x 2400, '/a?q=' . '{' x 7000, '/' . '%C3%A9' x 1200) {
    my $what = length($path) . ' bytes, ' . substr($path, 0, 12) . '…';
    is comes_back($path, '/'), '/', "D54 $what: to the login and back to /";
}
is comes_back('/a?q=' . '%7B' x 680), '/a?q=' . '%7B' x 680, 'D53 2045 bytes of codes: there and back';

# The original path in the redirect.
my $plain = $server->client;
my @NAMES = map { $_->[0] } $plain->get('/x')->{headers}->@*;
for my $path (
    '/x%0d%0aSet-Cookie:a=b', '/x?%0d%0aSet-Cookie:a=b', '/x%0aSet-Cookie:a=b', '/%0d%0a%0d%0a<script>',
    "/x\xe5\x98\x8d\xe5\x98\x8aSet-Cookie:a=b", '/x%E5%98%8D%E5%98%8ASet-Cookie:a=b', "/caf\xc3\xa9", "/\xff\xfe",
    '//evil.com', '//evil.com/%2f..', '/%5cevil.com', '/a?b=c&rd=/d', '/a"b', "/a'b", '/a<b>', '/a|b', '/a`b', '/a%zz',
    '/a?b#c', '/%00',
) {
    my $what     = $path =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    my $response = $plain->get($path);
    if ($path =~ /%zz|%00/ && $path !~ /\?/) {
        is $response->status, 400, "D52 $what: nginx refuses it";
        next;
    }
    is $response->status, 302, "D52 $what: 302";
    is_deeply [ map { $_->[0] } $response->{headers}->@* ], \@NAMES, "D52 $what: no header line more";
    is $response->header('Location'), '/authgate/login?rd=' . coded($path, '/'), "D52 $what: percent-encoded";
    my $refused = $plain->get($path, 'Sec-Fetch-Mode' => 'cors', Accept => 'application/json');
    unlike $refused->body, qr/[^ -~\n]/, "D52 $what: as JSON it is plain";
}
is comes_back('//evil.com', '/'), '/', 'D50 //evil.com is asked for: back to /';
is comes_back('/x%0d%0aSet-Cookie:a=b', '/'), '/', 'D52 a path with CR and LF is asked for: back to /';
is comes_back("/caf\xc3\xa9", '/'), '/', 'D53 bytes from 0x80 as they stand are no path: back to /';

done_testing;
