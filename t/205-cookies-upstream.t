# The gate's cookies never reach an application behind proxy_pass; the others do, byte for byte.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    authgate_realm dev { users %%USERS%%; path /dev/; cookie sid; }
    upstream app { server 127.0.0.1:%%PORT_app%%; }
    large_client_header_buffers 8 32k;
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        root %%DIR%%/html;
        authgate ops;
        location / { proxy_pass http://app; }
        location /dev-only  { authgate dev; proxy_pass http://app; }
        location /optional  { authgate ops optional; proxy_pass http://app; }
        location /open      { authgate off; proxy_pass http://app; }
        location /try       { try_files /nowhere @app; }
        location @app       { proxy_pass http://app; }
        location /rewritten { rewrite ^ /app last; }
        location /accel     { authgate off; proxy_pass http://app; }
        location /explicit  { proxy_set_header Cookie $http_cookie; proxy_pass http://app; }
        location /basic     { proxy_set_header Authorization $http_authorization; proxy_pass http://app; }
        location /any       { satisfy any; allow all; proxy_pass http://app; }
        location /mirrored  { mirror /mirror; try_files /hello.txt =404; }
        location = /mirror  { internal; proxy_pass http://app; }
        location /asked     { auth_request /ask; proxy_pass http://app; }
        location = /ask     { internal; authgate off; proxy_pass http://app; }
        location /asked-explicit {
            auth_request /ask;
            proxy_set_header Cookie $http_cookie;
            proxy_pass http://app;
        }
        location /asked-open { authgate off; auth_request /ask; proxy_pass http://app; }
        location /page      { authgate off; ssi on; ssi_types *; try_files /page.html =404; }
        location /post      { client_max_body_size 1m; proxy_pass http://app; }
    }
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location / { proxy_pass http://app; }
    }
EOF_HTTP
$server->make_certificate;
AuthGate::write_file($server->path('html/page.html'), '<!--#include virtual="/open/part" -->');
my $app = AuthGate::Upstream->start(
    $server->port('app'),
    reply => sub ($request) {
        my $accel = $request =~ m{^GET /accel} ? "X-Accel-Redirect: /app\r\n" : '';
        return "HTTP/1.1 200 OK\r\n$accel\r\n$AuthGate::Upstream::BODY";
    }
);
$server->run;

my $client = $server->client(headers => []);

sub token_of ($user, %option) {
    my $browser = $server->client(%option);
    $browser->sign_in($user);
    return (map { $browser->cookies->{$_} } grep { !/-device/ } keys $browser->cookies->%*)[0];
}

my $alice = token_of('alice');
my $dev   = token_of('alice', path => '/dev/');

# The Cookie lines that the application got, joined by |; the status where it was not asked.
sub sent ($path, @lines) { return sent_by($client, $path, @lines) }

sub sent_by ($by, $path, @lines) {
    my $before = $app->count;
    my $status = $by->get($path, map { (Cookie => $_) } @lines)->status;
    return $status if $app->count == $before;
    return join '|', map { "<$_>" } $app->header_values('Cookie');
}

is sent('/', "authgate=$alice"), '', 'B35 ours alone: the header goes wholly';
is sent('/', "authgate=$alice; a=1"), '<a=1>', 'B35 ours first';
is sent('/', "a=1; authgate=$alice"), '<a=1>', 'B35 ours last';
is sent('/', "a=1; authgate=$alice; b=2"), '<a=1; b=2>', 'B35 ours in the middle';
is sent('/', "authgate=$alice; a=1; authgate=x; b=2; authgate="), '<a=1; b=2>', 'B35 several of ours';
is sent('/', "authgate=$alice; authgate-device=d; __Host-authgate=h; __Host-authgate-device=hd; a=1"), '<a=1>',
    'B35 the device and the TLS names as well';
is sent('/', "authgate=$alice; sid=$dev; __Host-sid=x; sid-device=y; a=1"), '<a=1>',
    'B35 those of every realm of the server';

my %bytes = (
    'no blank'        => 'a=1;b=2',
    'two blanks'      => 'a=1;  b=2',
    'a tab'           => "a=1;\tb=2",
    'quotes'          => 'a="x y"; b=\'z\'',
    'a comma'         => 'a=1, b=2',
    'equals'          => 'a==1=; b',
    'no name'         => '=1; =',
    'empty pieces'    => 'a=1;; ;b=2',
    'percent'         => 'a=%3B%00; b=+',
    'high bytes'      => "a=\xff\xfe; b=\xc3\xa9",
    'other case'      => 'AuthGate=x; AUTHGATE=y',
    'similar names'   => 'authgate2=x; xauthgate=y; authgat=z; authgate-devices=w; __Secure-authgate=v',
    'our name as value' => 'x=authgate; y=authgate=z',
    'quoted name'     => '"authgate"=x',
    'the same twice'  => 'a=1; a=1',
    'a trailing semicolon' => 'a=1;',
    'JSON'            => 'a={"b":[1,2]}',
);
for my $what (sort keys %bytes) {
    my $cookies = $bytes{$what};
    is sent('/', "$cookies; authgate=$alice"), "<$cookies>", "B35 others byte for byte: $what, ours last";
    is sent('/', "authgate=$alice; $cookies"), "<$cookies>", "B35 others byte for byte: $what, ours first";
}
my $many = join '; ', map { "c$_=" . 'x' x $_ } 1 .. 150;
is sent('/', "$many; authgate=$alice"), "<$many>", 'B35 others byte for byte: 150 of them';

for my $name ('cookie', 'COOKIE', 'cOoKiE') {
    my $before = $app->count;
    $client->get('/', $name => "a=1; authgate=$alice");
    is $app->count, $before + 1, "B35 a header written $name";
    is join('|', $app->header_values('Cookie')), 'a=1', "B35 is cleared as well ($name)";
}

is sent('/', 'a=1', "authgate=$alice", 'b=2'), '<a=1>|<b=2>', 'B35 three lines, ours between';
is sent('/', "authgate=$alice", 'a=1'), '<a=1>', 'B35 two lines, ours first';
is sent('/', 'a=1', "authgate=$alice"), '<a=1>', 'B35 two lines, ours last';
is sent('/', "authgate=$alice; a=1", "b=2; authgate=x"), '<a=1>|<b=2>', 'B35 two lines, ours in both';
is sent('/', "authgate=$alice", 'authgate=x'), '', 'B35 two lines of ours';
my @headers = map { ("X-Header-$_", $_) } 1 .. 60;
my $before  = $app->count;
$client->get('/', @headers[0 .. 59], Cookie => "authgate=$alice", @headers[60 .. 119]);
is $app->count, $before + 1, 'B35 among 60 headers';
is join('|', $app->header_values('Cookie')), '', 'B35 ours is removed';
is join(' ', grep { join('', $app->header_values("X-Header-$_")) ne $_ } 1 .. 60), '', 'B35 and they are all there';

# nginx keeps headers in lists of 20: wherever in them ours stands, it goes, and the others stay.
my $api = AuthGate::Token::api(user => 'alice');
for my $case ([Cookie => "authgate=$alice"], [Authorization => "Bearer $api"]) {
    my ($name, $value) = @$case;
    my (@left, @lost);
    for my $ahead (0 .. 45) {
        for my $behind (0, 1, 25) {
            my @others = map { "X-$_" } 1 .. $ahead + $behind;
            my @fields = map { ($_ => 'kept') } @others;
            $client->get('/', @fields[0 .. 2 * $ahead - 1], $name, $value, @fields[2 * $ahead .. $#fields]);
            push @left, "$ahead+$behind" if $app->header_values($name);
            my $kept = grep { /^X-/ } map { $_->[0] } $app->fields($app->last_request);
            push @lost, "$ahead+$behind" if $kept != @others;
        }
    }
    is "@left", '', "B35 $name is removed, whatever stands before and behind it";
    is "@lost", '', "B35 and nothing else ($name)";
}
my @left = grep { sent('/', (map { "c$_=1" } 1 .. $_), ("authgate=$alice") x 3) =~ /<>|authgate/ } 0 .. 45;
is "@left", '', 'B35 three lines of ours behind up to 45 others are removed';
@left = grep { sent('/', ("authgate=$alice") x ($_ + 1), 'z=1') ne '<z=1>' } 0 .. 45;
is "@left", '', 'B35 up to 46 lines of ours are removed';

is sent('/explicit', "a=1; authgate=$alice"), '<a=1>', 'B35 $http_cookie is without ours';
is sent('/explicit', "authgate=$alice"), '', 'B35 $http_cookie is empty where ours was alone';
is sent('/explicit', 'a=1', "authgate=$alice", 'b=2'), '<a=1; b=2>', 'B35 $http_cookie of three lines';
is sent('/try',       "a=1; authgate=$alice"), '<a=1>', 'B35 through try_files and a named location';
is sent('/rewritten', "a=1; authgate=$alice"), '<a=1>', 'B35 through rewrite last';
is sent('/any',       "a=1; authgate=$alice"), '<a=1>', 'B35 where satisfy any lets in';
is sent('/optional',  "a=1; authgate=$alice"), '<a=1>', 'B35 where it is optional';
is sent('/optional',  'a=1; authgate=garbage'), '<a=1>', 'B35 where it is optional, an invalid one too';
is sent('/optional',  'authgate=garbage'), '', 'B35 where it is optional, an invalid one alone';
is sent('/open',      "a=1; authgate=$alice"), '<a=1>', 'B35 where the gate is off, a valid one';
is sent('/open',      'a=1; authgate=garbage'), '<a=1>', 'B35 where the gate is off, an invalid one';
is sent('/open',      "authgate=$alice"), '', 'B35 where the gate is off, ours alone';
is sent('/dev-only',  "a=1; authgate=$alice; sid=$dev"), '<a=1>', 'B35 in a location of the other realm';
is sent('/dev-only',  "a=1; authgate=$alice"), 401, 'B35 (whose cookie is needed there)';
is sent('/page',      "a=1; authgate=$alice"), '<a=1>', 'B35 in a subrequest of a page';
is sent('/accel',     "a=1; authgate=$alice"), '<a=1>', 'B35 after X-Accel-Redirect';

$before = $app->count;
is $client->get('/mirrored', Cookie => "a=1; authgate=$alice")->status, 200, 'B35 a mirrored request';
$app->wait_for_request($before);
is join('|', $app->header_values('Cookie')), 'a=1', 'B35 in the mirror as well';

# auth_request asks before the gate speaks.
for my $path ('/asked', '/asked-open') {
    is sent($path, "a=1; authgate=$alice"), '<a=1>', "B35 $path: in one line";
    is sent($path, "authgate=$alice"), '', "B35 $path: ours alone";
    is sent($path, "authgate=$alice", 'a=1'), '<a=1>', "B35 $path: two lines, ours first";
    is sent($path, 'a=1', "authgate=$alice"), '<a=1>', "B35 $path: two lines, ours last";
    is sent($path, 'a=1', "authgate=$alice", 'b=2'), '<a=1>|<b=2>', "B35 $path: three lines";
}
is sent('/asked-explicit', "authgate=$alice"), '', 'B35 /asked-explicit: ours alone';
is sent('/asked-explicit', "authgate=$alice", 'a=1', 'b=2'), '<a=1; b=2>',
    'B35 /asked-explicit: three lines, ours first';
is sent('/asked-explicit', 'a=1', "authgate=$alice", 'b=2'), '<a=1; b=2>', 'B35 /asked-explicit: ours in the middle';
is $client->get('/asked', Cookie => 'a=1')->status, 401, 'B35 /asked: (without ours it is refused)';

my $posted = $client->post('/post', [text => 'x' x 20_000], Cookie => "a=1; authgate=$alice");
is $posted->status, 200, 'B35 a POST with a body';
is join('|', $app->header_values('Cookie')), 'a=1', 'B35 without ours';
like $app->last_request, qr/text=x{20000}\z/, 'B35 and with its whole body';

my $tls = $server->client(headers => [], port => $server->port('tls'), tls => 1);
my $on_tls = token_of('alice', port => $server->port('tls'), tls => 1);
is sent_by($tls, '/', "a=1; __Host-authgate=$on_tls; authgate=x"), '<a=1>', 'B35 on TLS both names';

my $plain = $server->client(headers => [], port => $server->port('plain'));
is sent_by($plain, '/', "a=1; authgate=$alice"), "<a=1; authgate=$alice>", 'a server without a realm changes nothing';

sub authorization ($path, @headers) {
    my $before = $app->count;
    my $status = $client->get($path, @headers)->status;
    return $status if $app->count == $before;
    return join '|', map { "<$_>" } $app->header_values('Authorization');
}
is authorization('/', Authorization => "Bearer $api"), '', 'B35 an accepted API token is removed';
is authorization('/basic', Authorization => "Bearer $api"), '', 'B35 $http_authorization is empty then';
is authorization('/basic', Cookie => "authgate=$alice", Authorization => 'Basic Ym9iOng='), '<Basic Ym9iOng=>',
    "B35 and else the application's own";
is authorization('/open', Authorization => "Bearer $api"), '', 'B35 where the gate is off as well';
is authorization('/asked', Authorization => "Bearer $api"), '', 'B35 behind auth_request as well';
is authorization('/open', Authorization => 'Bearer app'), '<Bearer app>', "B35 the application's own is not";
is authorization('/open', Authorization => 'Basic Ym9iOng='), '<Basic Ym9iOng=>',
    'B35 nor is Basic, which is not accepted';

done_testing;
