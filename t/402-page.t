# What the gate's pages say in their headers and show of what a visitor typed (C40). Header fields hold
# whatever `expires` and `add_header` say, which shows the filter's place too.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use Digest::SHA ();
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
    }
    server {
        listen 127.0.0.1:%%PORT_dressed%%;
        authgate ops;
        root %%DIR%%/html;
        expires 1d;
        etag on;
        add_header Referrer-Policy no-referrer always;
        add_header Cache-Control public always;
        add_header Content-Security-Policy "default-src *" always;
        add_header X-Frame-Options ALLOWALL always;
        add_header X-Content-Type-Options sniff always;
        add_header X-Own own always;
    }
EOF_HTTP

# A page's style is allowed by its hash: exactly this, and nothing else of a page's.
sub policy_of ($html) {
    my ($style) = $html =~ m{<style>(.*?)</style>}s;
    my $hash = Digest::SHA::sha256_base64($style // '');
    return "default-src 'none'; style-src 'sha256-$hash='; img-src data:; form-action 'self'; "
        . "frame-ancestors 'none'; base-uri 'none'";
}

my @SECURITY = qw(Cache-Control Content-Security-Policy Expires Pragma Referrer-Policy
    X-Content-Type-Options X-Frame-Options);

sub security_of ($response) {
    return { map { $_ => [ $response->headers($_) ] } grep { $response->headers($_) } @SECURITY };
}

sub is_page ($response, $status, $what) {
    is $response->status, $status, "C40 $what: $status";
    is $response->header('Content-Type'), 'text/html; charset=utf-8', "C40 $what: HTML";
    is_deeply security_of($response), {
        'Cache-Control'           => ['no-store'],
        'Content-Security-Policy' => [ policy_of($response->body) ],
        'Referrer-Policy'         => ['same-origin'],
        'X-Content-Type-Options'  => ['nosniff'],
        'X-Frame-Options'         => ['DENY'],
    }, "C40 $what: its security headers";
}

# What is no page: the rest of its header fields are the configuration's.
sub is_other ($response, $status, $what) {
    is $response->status, $status, "C40 $what: $status";
    my $security = security_of($response);
    my %never    = map { $_ => $security->{$_} } qw(Cache-Control Expires Pragma X-Content-Type-Options);
    is_deeply \%never, {
        'Cache-Control'          => ['no-store'],
        'Expires'                => undef,
        'Pragma'                 => undef,
        'X-Content-Type-Options' => ['nosniff'],
    }, "C40 $what: never stored, never guessed at";
}

my $form = 'application/x-www-form-urlencoded';
for my $port ('', 'dressed') {
    my $in     = $port ? ', under expires and add_header' : '';
    my $client = $server->client(port => $server->port($port));
    is_page $client->get('/authgate/login'), 200, "GET login$in";
    is_page $client->login('alice', 'wrong'), 403, "a wrong password$in";
    is_page $client->login('alice', $PASSWORD{alice}, headers => [ 'Sec-Fetch-Site' => 'cross-site' ]), 403,
        "a post from another site$in";
    is_page $client->post('/authgate/login', [ rd => '/', rd => '/' ]), 400, "a bad form$in";
    is_page $client->request('POST', '/authgate/login', 'x', 'Content-Type' => 'text/plain'), 415,
        "no form$in";
    is_page $client->request('POST', '/authgate/login', 'x' x 8193, 'Content-Type' => $form), 413,
        "a body too large$in";
    is_page $client->get('/authgate/nothing'), 404, "an unknown name$in";
    is_page $client->request('PUT', '/authgate/login', ''), 405, "another method$in";
    is_page $client->get('/hello.txt', 'Sec-Fetch-Mode' => 'cors'), 401, "a refusal as HTML$in";

    is_other $client->login('alice', 'wrong', headers => [ Accept => 'application/json' ]), 403, "JSON$in";
    is_other $client->get('/authgate/session'), 401, "no session$in";
    is_other $client->get('/authgate/logout'), 303, "GET logout when signed out$in";
    is_other $client->sign_in('alice'), 303, "a login$in";
    is_other $client->get('/authgate/login'), 303, "GET login when signed in$in";
    is_other $client->get('/authgate/session'), 200, "the session$in";
    is_page $client->get('/authgate/logout'), 200, "GET logout$in";
    is_other $client->sign_out, 303, "a logout$in";
}

# Where the gate does not answer itself, the configuration holds.
my $dressed = $server->client(port => $server->port('dressed'));
is $dressed->get('/authgate/login')->header('X-Own'), 'own', 'C40 other header fields are added to a page';
is $dressed->get('/hello.txt')->header('Cache-Control'), 'no-store',
    'C40 a redirect to the login is not stored';
is $dressed->get('/hello.txt')->header('Expires'), undef, 'C40 and does not expire in a day';
$dressed->sign_in('alice');
my $file = $dressed->get('/hello.txt');
is join(',', $file->headers('Cache-Control')), 'max-age=86400,public', 'C40 a file has what is configured';
is $file->header('Referrer-Policy'), 'no-referrer', 'C40 all of it';
is $file->header('Content-Security-Policy'), 'default-src *', 'C40 and nothing of the gate';

# What a visitor typed.
my $client = $server->client;
my @typed = (
    'a tag'          => '"><script>alert(1)</script>',
    'single quotes'  => q{' onfocus='alert(1)},
    'double quotes'  => q{" autofocus onfocus="alert(1)},
    'backquotes'     => '`onfocus=alert(1)`',
    'end of form'    => '</form><form action=//evil.example>',
    'end of title'   => '</title></style><script>',
    'U+2028'         => "a\xe2\x80\xa8b",
    'a server-side include' => '<!--#include virtual="/hello.txt" -->',
    'a comment'      => '<!-- x --> ]]> <![CDATA[ <?php ?>',
    'entities'       => '&lt;b&gt; &amp;quot; &#34;',
    'a template'     => '{{ realm }} {% raw %} ${7*7}',
    'right to left'  => "\xe2\x80\xaeabc",
    'other scripts'  => "J\xc3\xbcrgen \xe5\xb1\xb1\xe7\x94\xb0",
);
my $shape = AuthGate::Page->parse($client->login('alice', 'wrong')->body)->shape;
while (my ($what, $text) = splice @typed, 0, 2) {
    my $answer = $client->login($text, 'wrong');
    my $page   = AuthGate::Page->parse($answer->body);
    is $page->field('username'), $text, "C40 $what as the user name: shown as typed";
    is $page->shape, $shape, "C40 $what: the page keeps its shape";
    unlike $answer->body, qr/\Q$text\E/, "C40 $what: escaped" if $text =~ /[<>"'&]/;

    # rd is held to be a path, so text comes in its query.
    my $rd = "/x?$text";
    my $by_post = AuthGate::Page->parse($client->login('x', 'wrong', rd => $rd)->body);
    my $query   = AuthGate::Client::form([ rd => $rd ]);
    my $by_get  = AuthGate::Page->parse($client->get("/authgate/login?$query")->body);
    is $by_get->field('rd'), $by_post->field('rd'), "C40 $what as rd: GET and POST agree";
    like $by_post->field('rd'), $text =~ /[^!-~]|["<>\\`]/ ? qr{\A/\z} : qr{\A\Q$rd\E\z}, "C40 $what as rd";
    is $by_post->shape, $shape, "C40 $what as rd: the page keeps its shape";
}
is AuthGate::Page->parse($client->login('x', 'wrong', rd => q{/x?a='b'&c=d&amp;e})->body)->field('rd'),
    q{/x?a='b'&c=d&amp;e}, 'C40 an rd with quotes and ampersands comes back whole';

# A refusal as HTML names the way back.
my $refusal = $client->get(q{/a'b&amp;"<script>?x='"}, 'Sec-Fetch-Mode' => 'cors');
is $refusal->status, 401, 'C40 a path with quotes and tags';
is AuthGate::Page->parse($refusal->body)->link,
    '/authgate/login?rd=/a%27b%26amp%3B%22%3Cscript%3E%3Fx%3D%27%22', 'C40 the link is escaped';
unlike $refusal->body, qr/<script/, 'C40 no script';

done_testing;
