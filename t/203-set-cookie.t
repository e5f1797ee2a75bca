# The session cookie byte for byte, on plain HTTP and on TLS, and which name is read where.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my %directive = (
    default => '',
    named   => 'cookie sid;',
    domain  => 'cookie authgate domain=example.com;',
    on      => 'cookie authgate secure=on;',
    insecure => 'cookie authgate secure=off;',
    strict  => 'cookie authgate samesite=strict;',
    none    => 'cookie authgate samesite=none secure=on;',
    lax     => 'cookie authgate samesite=lax secure=auto;',
    brief   => 'session idle=10s;',
    short   => 'session max=5m;',
);

my $http = join '', map { <<"EOF_REALM" } sort keys %directive;
    authgate_realm $_ { users %%USERS%%; $directive{$_} }
    server {
        listen 127.0.0.1:%%PORT_$_%%;
        listen 127.0.0.1:%%PORT_tls_$_%% ssl;
        root %%DIR%%/html;
        authgate $_;
    }
EOF_REALM
my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
$http
EOF_HTTP
$server->make_certificate;
$server->run;

sub client ($realm, $tls) {
    my $port = $server->port($tls ? "tls_$realm" : $realm);
    return $server->client(headers => [], port => $port, tls => $tls);
}

# What sign-in and sign-out set, the token as TOKEN.
sub cookies ($realm, $tls) {
    my $client = client($realm, $tls);
    my @set    = $client->sign_in('alice')->headers('Set-Cookie');
    @set = grep { !/^(?:__Host-)?\w+-device=/ } @set;
    s/=v1\.[^;]+/=TOKEN/ for @set;
    return (join("\n", @set), join "\n", $client->sign_out->headers('Set-Cookie'));
}

sub sorted ($text) { return join '; ', sort split /; /, $text }

my @cases = (
    [default => 0, 'authgate', 'Path=/; HttpOnly; SameSite=Lax', 'plain HTTP'],
    [default => 1, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=Lax', 'TLS'],
    [lax => 0, 'authgate', 'Path=/; HttpOnly; SameSite=Lax', 'the defaults written out, plain HTTP'],
    [lax => 1, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=Lax', 'the defaults written out, TLS'],
    [named => 0, 'sid', 'Path=/; HttpOnly; SameSite=Lax', 'another name, plain HTTP'],
    [named => 1, '__Host-sid', 'Path=/; Secure; HttpOnly; SameSite=Lax', 'another name, TLS'],
    [on => 0, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=Lax', 'secure=on, plain HTTP'],
    [on => 1, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=Lax', 'secure=on, TLS'],
    [insecure => 0, 'authgate', 'Path=/; HttpOnly; SameSite=Lax', 'secure=off, plain HTTP'],
    [insecure => 1, 'authgate', 'Path=/; HttpOnly; SameSite=Lax', 'secure=off, TLS'],
    [strict => 0, 'authgate', 'Path=/; HttpOnly; SameSite=Strict', 'samesite=strict, plain HTTP'],
    [strict => 1, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=Strict', 'samesite=strict, TLS'],
    [none => 0, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=None', 'samesite=none secure=on, plain HTTP'],
    [none => 1, '__Host-authgate', 'Path=/; Secure; HttpOnly; SameSite=None', 'samesite=none secure=on, TLS'],
);
for (@cases) {
    my ($realm, $tls, $name, $attributes, $what) = @$_;
    my ($set, $cleared) = cookies($realm, $tls);
    is $set,     "$name=TOKEN; $attributes; Max-Age=3600", "B34 Set-Cookie: $what";
    is $cleared, "$name=; $attributes; Max-Age=0",         "B34 cleared with the same attributes: $what";
}

my ($set, $cleared) = cookies('domain', 0);
is sorted($set), sorted('authgate=TOKEN; Path=/; Domain=example.com; HttpOnly; SameSite=Lax; Max-Age=3600'),
    'B34 Set-Cookie: domain, plain HTTP';
is sorted($cleared), sorted('authgate=; Path=/; Domain=example.com; HttpOnly; SameSite=Lax; Max-Age=0'),
    'B34 cleared with the same attributes: domain, plain HTTP';
($set, $cleared) = cookies('domain', 1);
is sorted($set), sorted('authgate=TOKEN; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=3600'),
    'B34 Set-Cookie: domain has no prefix, TLS';
is sorted($cleared), sorted('authgate=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=0'),
    'B34 cleared with the same attributes: domain, TLS';
like +(cookies('short', 0))[0], qr/; Max-Age=300\z/, 'B34 Max-Age is no longer than the session';

my $brief = client('brief', 1);
$brief->sign_in('alice');
my $renewed;
AuthGate::Server::wait_until { $renewed = $brief->get('/hello.txt')->header('Set-Cookie') } 5, 'a renewal';
is $renewed =~ s/=v1\.[^;]+/=TOKEN/r,
    '__Host-authgate=TOKEN; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=10', 'B34 Set-Cookie: renewed on TLS';

# Which of both names is read, on plain HTTP and on TLS.
sub read_names ($realm, $tls) {
    my $client = client($realm, $tls);
    $client->sign_in('alice');
    my ($token) = map { $client->cookies->{$_} } grep { !/-device/ } keys $client->cookies->%*;
    my @names = grep { $client->get('/hello.txt', Cookie => "$_=$token")->status == 200 }
        qw(authgate __Host-authgate __Secure-authgate __host-authgate __HOST-authgate);
    return "@names";
}

is read_names('default', 0), 'authgate',        'B34 on plain HTTP the unprefixed name is read alone';
is read_names('default', 1), '__Host-authgate', 'B34 on TLS the unprefixed name is not read';
is read_names('domain',  0), 'authgate',        'B34 with domain= the unprefixed name is read on plain HTTP';
is read_names('domain',  1), 'authgate',        'B34 with domain= the unprefixed name is read on TLS';
is read_names('on',      0), '__Host-authgate', 'B34 secure=on: the prefixed name on plain HTTP';
is read_names('on',      1), '__Host-authgate', 'B34 secure=on: the prefixed name on TLS';
is read_names('insecure', 0), 'authgate',        'B34 secure=off: the unprefixed name on plain HTTP';
is read_names('insecure', 1), 'authgate',        'B34 secure=off: the unprefixed name on TLS';

# A cookie that another host of the domain plants beside ours changes nothing.
my ($alice, $bob) = map { client('default', 1) } 1, 2;
$alice->sign_in('alice');
$bob->sign_in('bob');
my ($hers, $his) = map { $_->cookie('__Host-authgate') } $alice, $bob;
is $alice->get('/hello.txt', Cookie => "authgate=$his; __Host-authgate=$hers")->status, 200,
    'B34 a planted cookie of the unprefixed name does no harm on TLS';
is $alice->get('/hello.txt', Cookie => "authgate=$his")->status, 401, 'B34 nor does it sign anybody in';

my $browser = client('default', 0);
my $wrong   = $browser->login('alice', 'canary-wrong');
is $wrong->header('Set-Cookie'), undef, 'B34 a failed login sets no cookie';
is $browser->get('/hello.txt', Cookie => 'authgate=v1.x.y.z')->header('Set-Cookie'), undef,
    'B34 a refused cookie is not cleared';
like $browser->sign_out->header('Set-Cookie'), qr/^authgate=; .*Max-Age=0\z/,
    'B34 signing out without a session clears the cookie too';

done_testing;
