# A post from another site is refused before its password is looked at (C37), and so is a logout (C42).

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        authgate ops;
        root %%DIR%%/html;
    }
EOF_HTTP
$server->make_certificate;
$server->run;

my $here = '127.0.0.1:' . $server->port;
my $tls  = $server->port('tls');

# What the client says of where the post comes from: nothing but this.
my @foreign = (
    'Sec-Fetch-Site: cross-site' => [ 'Sec-Fetch-Site' => 'cross-site' ],
    'Sec-Fetch-Site: same-site'  => [ 'Sec-Fetch-Site' => 'same-site' ],
    'Sec-Fetch-Site: nonsense'   => [ 'Sec-Fetch-Site' => 'nonsense' ],
    'Sec-Fetch-Site: empty'      => [ 'Sec-Fetch-Site' => '' ],
    'Sec-Fetch-Site: a list'     => [ 'Sec-Fetch-Site' => 'same-origin, cross-site' ],
    'cross-site with our Origin' => [ 'Sec-Fetch-Site' => 'cross-site', Origin => "http://$here" ],
    'a foreign Origin'           => [ Origin => 'https://evil.example' ],
    'Origin: null'               => [ Origin => 'null' ],
    'an empty Origin'            => [ Origin => '' ],
    'our host, another port'     => [ Origin => 'http://127.0.0.1:1' ],
    'our host without the port'  => [ Origin => 'http://127.0.0.1' ],
    'our name as a prefix'       => [ Origin => "http://$here.evil.example" ],
    'our name as user info'      => [ Origin => "http://$here\@evil.example" ],
    'another scheme'             => [ Origin => "file://$here" ],
);
while (my ($what, $headers) = splice @foreign, 0, 2) {
    my $client = $server->client(headers => [ Accept => 'text/html', @$headers ]);
    my $response;
    my @lines = $server->gate_lines_of(sub { $response = $client->login('alice', $PASSWORD{alice}) });
    is $response->status, 403, "C37 $what, with the right password: 403";
    is $response->headers('Set-Cookie'), 0, "C37 $what: no Set-Cookie";
    is "@lines", '', "C37 $what: no password was looked at";
}

my @ours = (
    'same-origin'                  => [ 'Sec-Fetch-Site' => 'same-origin' ],
    'Sec-Fetch-Site: none'         => [ 'Sec-Fetch-Site' => 'none' ],
    'our Origin'                   => [ Origin => "http://$here" ],
    'same-origin with Origin null' => [ 'Sec-Fetch-Site' => 'same-origin', Origin => 'null' ],
    'neither header'               => [],
);
while (my ($what, $headers) = splice @ours, 0, 2) {
    my $client = $server->client(headers => [ Accept => 'text/html', @$headers ]);
    is $client->login('alice', $PASSWORD{alice})->status, 303, "C37 $what: signed in";
}

my $on_tls = $server->client(port => $tls, tls => 1, headers => [ Origin => "https://127.0.0.1:$tls" ]);
is $on_tls->login('alice', $PASSWORD{alice})->status, 303, 'C37 our Origin on TLS: signed in';
my $mixed = $server->client(port => $tls, tls => 1, headers => [ Origin => "http://$here" ]);
is $mixed->login('alice', $PASSWORD{alice})->status, 403, 'C37 another port of this host on TLS: 403';

# JSON, and a body that is no form: the site is looked at first.
my $api = $server->client(headers => [ Accept => 'application/json', Origin => 'null' ]);
my $refused = $api->login('alice', $PASSWORD{alice});
is $refused->status, 403, 'C37 JSON: 403';
is $refused->header('Content-Type'), 'application/json', 'C37 JSON: and JSON';
unlike $refused->body, qr/invalid_credentials/, 'C37 JSON: not a matter of credentials';
my $text = $server->client(headers => [ 'Sec-Fetch-Site' => 'cross-site' ]);
is $text->request('POST', '/authgate/login', '{}', 'Content-Type' => 'text/plain')->status, 403,
    'C37 before the type of the body';

# Who is signed in stays so.
my $alice = $server->client;
$alice->sign_in('alice');
my $out = $alice->post('/authgate/logout', [], 'Sec-Fetch-Site' => 'cross-site');
is $out->status, 403, 'C42 a logout from another site: 403';
is $out->headers('Set-Cookie'), 0, 'C42 the cookie stays';
is $alice->get('/hello.txt')->status, 200, 'C42 and the session';
is $alice->post('/authgate/logout', [], 'Sec-Fetch-Site' => 'same-site')->status, 403, 'C42 same-site: 403';
is $alice->post('/authgate/logout', [], 'Sec-Fetch-Site' => undef, Origin => 'null')->status, 403,
    'C42 Origin null: 403';
is $alice->post('/authgate/login', [ username => 'bob', password => $PASSWORD{bob} ],
    'Sec-Fetch-Site' => 'cross-site')->headers('Set-Cookie'), 0, 'C37 nobody is signed in as another';
is $alice->get('/hello.txt')->status, 200, 'C42 still signed in';

done_testing;
