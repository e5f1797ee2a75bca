# Filters that rewrite bodies leave the gate's pages alone; told to take every type, they expand nothing
# that a visitor typed (C41).

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use IO::Uncompress::Gunzip ();
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    charset_map koi8-r utf-8 { C1 D0B0; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
    }
    server {
        listen 127.0.0.1:%%PORT_default%%;
        authgate ops;
        root %%DIR%%/html;
        ssi on;
        sub_filter_once off;
        sub_filter 'Sign in' 'SUBSTITUTED';
        gzip on;
        gzip_min_length 0;
        charset koi8-r;
        source_charset utf-8;
        add_before_body /included.html;
        add_after_body /included.html;
        location = /included.html { authgate off; }
    }
    server {
        listen 127.0.0.1:%%PORT_every%%;
        authgate ops;
        root %%DIR%%/html;
        ssi on;
        ssi_types *;
        ssi_silent_errors off;
        sub_filter_types *;
        sub_filter_once off;
        sub_filter 'INNOCENT' '<!--#echo var="request_uri" -->';
        location = /included.html { authgate off; }
    }
    server {
        listen 127.0.0.1:%%PORT_gzip%%;
        authgate ops;
        gzip on;
        gzip_types *;
        gzip_min_length 0;
    }
EOF_HTTP
AuthGate::write_file($server->path('html/included.html'),
    'INCLUDED <!--#echo var="request_method" --> Sign in');

my @gzip = ('Accept-Encoding' => 'gzip');

# Everything that makes a page, as one request for each.
my @requests = (
    'the login page' => sub ($client) { $client->get('/authgate/login?rd=/a', @gzip) },
    'a failed login' => sub ($client) { $client->login('alice', 'wrong', headers => \@gzip) },
    'a bad form'     => sub ($client) { $client->post('/authgate/login', [ rd => '/', rd => '/' ], @gzip) },
    'an unknown name' => sub ($client) { $client->get('/authgate/nothing', @gzip) },
    'JSON' => sub ($client) { $client->get('/authgate/session', @gzip) },
    'a refusal as HTML' => sub ($client) { $client->get('/x', 'Sec-Fetch-Mode' => 'cors', @gzip) },
    'the logout page' => sub ($client) { $client->sign_in('alice'); $client->get('/authgate/logout', @gzip) },
);
while (my ($what, $ask) = splice @requests, 0, 2) {
    my $plain    = $ask->($server->client);
    my $filtered = $ask->($server->client(port => $server->port('default')));
    is $filtered->status, $plain->status, "C41 $what: the same status under default types";
    is $filtered->body, $plain->body, "C41 $what: the same bytes";
    is $filtered->header('Content-Encoding'), undef, "C41 $what: not coded";
    is $filtered->header('Content-Type'), $plain->header('Content-Type'), "C41 $what: the same type";
    is $filtered->header('Content-Length'), length $plain->body, "C41 $what: the same length";
}

# The filters are there.
my $open = $server->client(port => $server->port('default'));
my $file = $open->get('/included.html')->body;
like $file, qr/INCLUDED GET SUBSTITUTED/, 'C41 another page is filtered';
is $open->get('/included.html', @gzip)->header('Content-Encoding'), 'gzip', 'C41 and coded';

my $every = $server->client(port => $server->port('every'));
like $every->get('/included.html')->body, qr/INCLUDED GET Sign in/,
    'C41 every type: another page is filtered';
my @typed = (
    'echo'    => '<!--#echo var="request_method" -->',
    'include' => '<!--#include virtual="/included.html" -->',
    'set'     => '<!--#set var="a" value="b" --><!--#echo var="a" -->',
    'if'      => '<!--#if expr="$request_method = POST" -->yes<!--#endif -->',
    'block'   => '<!--#block name="x" -->yes<!--#endblock -->',
    'half'    => '<!--#',
    'coded'   => '%3C!--%23echo%20var%3D%22request_method%22--%3E',
    'entity'  => '&lt;!--#echo var="request_method" --&gt;',
);
while (my ($what, $text) = splice @typed, 0, 2) {
    my $page = AuthGate::Page->parse($every->login($text, 'wrong')->body);
    is $page->field('username'), $text, "C41 every type: $what as the user name is not expanded";
    for my $rd ("/x?$text", "/x?" . $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger) {
        my $query    = AuthGate::Client::form([ rd => $rd ]);
        my $expected = $rd =~ /[ <>"]/ ? '/' : $rd;
        is AuthGate::Page->parse($every->get("/authgate/login?$query")->body)->field('rd'), $expected,
            "C41 every type: $what as rd is not expanded in a GET";
        is AuthGate::Page->parse($every->login('x', 'wrong', rd => $rd)->body)->field('rd'), $expected,
            "C41 every type: $what as rd is not expanded in a POST";
    }
}
my $refusal = $every->get('/<!--#echo%20var="request_method"%20-->', 'Sec-Fetch-Mode' => 'cors');
is $refusal->status, 401, 'C41 every type: an include in the path';
unlike $refusal->body, qr/rd=\S*GET/, 'C41 every type: is not expanded';

# gzip of every type: the same page, coded.
my $coded = $server->client(port => $server->port('gzip'))->get('/authgate/login?rd=/a', @gzip);
my $page  = '';
is $coded->header('Content-Encoding'), 'gzip', 'C41 gzip of every type: coded';
IO::Uncompress::Gunzip::gunzip(\$coded->body, \$page);
is $page, $server->client->get('/authgate/login?rd=/a')->body, 'C41 gzip of every type: the same page';

done_testing;
