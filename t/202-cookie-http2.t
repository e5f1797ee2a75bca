# Over HTTP/2 and HTTP/3, where a Cookie line may come in crumbs, the verdict is that of HTTP/1.

use v5.36;

use AuthGate;
use AuthGate::Http2;
use AuthGate::Http3;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $has_http3 = AuthGate::Http3::is_there();
my $quic      = $has_http3 ? 'listen 127.0.0.1:%%PORT_h3%% quic;' : '';
note "without HTTP/3: $AuthGate::Http3::WITHOUT" if !$has_http3;

my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; cookie authgate secure=off; }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        $quic
        root %%DIR%%/html;
        authgate ops;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
$server->make_certificate;
$server->run;
my ($worker) = $server->workers;
my $client = $server->client(headers => []);

sub token_of ($user) {
    my $browser = $server->client;
    $browser->sign_in($user);
    return $browser->cookie('authgate');
}

my ($alice, $bob) = map { token_of($_) } qw(alice bob);

my $http3 = $has_http3 && AuthGate::Http3->connect($server->port('h3'));

# The status for the same Cookie lines over HTTP/1, HTTP/2 and HTTP/3; once where they are the same.
sub statuses (@lines) {
    my @crumbs = map { (cookie => $_) } @lines;
    my @statuses = (
        $client->get('/', map { (Cookie => $_) } @lines)->status,
        AuthGate::Http2::get($server->port('h2'), '/', @crumbs)->{status},
        $http3 ? $http3->get('/', @crumbs)->status : (),
    );
    return $statuses[0] if !grep { $_ != $statuses[0] } @statuses;
    return "@statuses over HTTP/1, HTTP/2 and HTTP/3";
}

sub sent_on () { return join '|', $app->header_values('Cookie') }

my $garbage = 'authgate=v1.first.AAAA.BBBB';
is statuses(), 401, 'B29 no cookie';
is statuses("authgate=$alice"), 200, 'B29 one crumb';
is sent_on(), '', 'B35 a crumb of ours goes nowhere';
is statuses('a=1', "authgate=$alice", 'b=2'), 200, 'B29 three crumbs, ours between';
is sent_on() =~ s/\|/; /gr, 'a=1; b=2', 'B35 the other crumbs go on';
is statuses("a=1; authgate=$alice", 'b=2'), 200, 'B29 two crumbs of several cookies';
is sent_on() =~ s/\|/; /gr, 'a=1; b=2', 'B35 the rest of a crumb goes on';
is statuses($garbage, "authgate=$alice"), 200, 'B29 crumbs [garbage, valid]';
is sent_on(), '', 'B35 both are removed';
is statuses("authgate=$alice", $garbage), 200, 'B29 crumbs [valid, garbage]';
is statuses("authgate=$alice", "authgate=$bob"), 401, 'B28 crumbs of two users';
is statuses(($garbage) x 3, "authgate=$alice"), 200, 'B27 the fourth crumb';
is statuses(($garbage) x 4, "authgate=$alice"), 401, 'B27 the fifth crumb';
is statuses('auth', "gate=$alice"), 401, 'B29 crumbs are not joined to one cookie';
is statuses('authgate=' . substr($alice, 0, 50), substr $alice, 50), 401, 'B29 nor to one value';
is statuses("Authgate=$alice"), 401, 'B30 other case';
is statuses(map { "c$_=$_" } 1 .. 60), 401, 'B32 60 crumbs of others';
is statuses((map { "c$_=$_" } 1 .. 60), "authgate=$alice"), 200, 'B29 and ours behind them';
is sent_on() =~ s/\|/; /gr, join('; ', map { "c$_=$_" } 1 .. 60), 'B35 those go on, in their order';
is statuses((map { ("authgate=$alice", "c$_=$_") } 1 .. 60)), 200, 'B29 60 of ours between 60 others';
is sent_on() =~ s/\|/; /gr, join('; ', map { "c$_=$_" } 1 .. 60), 'B35 ours are removed, all of them';
is statuses($_), 401, "B32 odd crumb \"$_\"" for '=', ';;=;', '&=', 'authgate', ';';

my $before = $app->count;
my $body   = AuthGate::Http2::get($server->port('h2'), '/', cookie => $garbage)->{body};
unlike $body, qr/from the application/, 'G86 a refusal over HTTP/2 has nothing of the application';
is $app->count, $before, 'G86 which is not asked';
is_deeply [$server->workers], [$worker], 'B32 the worker lives';

done_testing;
