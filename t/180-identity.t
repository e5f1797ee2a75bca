# G84: with nginx-conf/identity.conf an application hears who has signed in once, and nothing that a client says of it.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $IDENTITY = "$AuthGate::ROOT/nginx-conf/identity.conf";
my $FASTCGI  = "$AuthGate::ROOT/nginx-conf/identity-fastcgi.conf";
my $uwsgi    = AuthGate::write_file("$AuthGate::DIRECTORY/uwsgi.conf",
    AuthGate::read_file($FASTCGI) =~ s/fastcgi_param/uwsgi_param/gr);

my $PASS = "proxy_pass http://127.0.0.1:%%PORT_app%%; include $IDENTITY;";
my $locations = <<"EOF_LOCATIONS";
        authgate ops;
        location / { $PASS }
        location /optional { authgate ops optional; $PASS }
        location /off { authgate off; $PASS }
        location /dry { authgate_dry_run on; authgate_require group=sre; $PASS }
        location /sre { authgate_require group=sre; error_page 403 = \@explain; $PASS }
        location \@explain { authgate off; $PASS }
        location /page { authgate_require group=sre; error_page 403 /explained; $PASS }
        location /any { satisfy any; allow all; authgate_require group=sre; $PASS }
        location /fastcgi { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; include $FASTCGI; }
        location /fastcgi-optional { authgate ops optional; fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; include $FASTCGI; }
        location /uwsgi { uwsgi_pass 127.0.0.1:%%PORT_uwsgi%%; include $uwsgi; }
EOF_LOCATIONS
my %headers = (
    default    => '',
    underscore => 'underscores_in_headers on;',
    both       => 'underscores_in_headers on; ignore_invalid_headers off;',
    invalid    => 'ignore_invalid_headers off;',
);
my $servers = join '', map { "server { listen 127.0.0.1:%%PORT_$_%%; $headers{$_}\n$locations }\n" } sort keys %headers;
my $server  = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit off; }
    $servers
    server {    # the trap: a proxy_set_header of a location's own
        listen 127.0.0.1:%%PORT_trap%%;
        authgate ops;
        include $IDENTITY;
        location / { proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /own { proxy_set_header X-Own x; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location /both { proxy_set_header X-Own x; include $IDENTITY; proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
$PASSWORD{'Zoë B.'} = 'canary-password-of-zoe';
AuthGate::append_file($server->path('users'),
    'Zoë B.:' . AuthGate::bcrypt('canary-password-of-zoe') . ":groups=sre,Über uns\n");
my %app = (http => AuthGate::Upstream->start($server->port('app')));
$app{$_} = AuthGate::Upstream->start($server->port($_), protocol => $_) for qw(fastcgi uwsgi);
$server->run;

# Every way to write each of the names that a program may read as the same one.
my @FORGED;
for my $name (qw(X-Forwarded-User X-Forwarded-Groups Remote-User Remote-Groups)) {
    my @parts = split /-/, $name;
    for my $choice (0 .. 2**$#parts - 1) {
        my $spelt = $parts[0];
        $spelt .= ($choice >> ($_ - 1) & 1 ? '_' : '-') . $parts[$_] for 1 .. $#parts;
        push @FORGED, $spelt;
    }
}
is scalar @FORGED, 12, 'G84 twelve names';
my @IN_ANY_CASE = map { ($_, lc, uc) } @FORGED;

# What arrived of who it is, by the names that a program sees.
sub arrived ($client, $path, @headers) {
    my $app    = $app{ $path =~ m{^/(fastcgi|uwsgi)} ? $1 : 'http' };
    my $before = $app->count;
    my $answer = $client->get($path, @headers);
    return $answer->status if $app->count == $before;
    my @named = map { [lc($_->[0]) =~ tr/_/-/r, $_->[1]] } $app->fields($app->last_request);
    return join ' ', sort map { "$_->[0]=$_->[1]" } grep { $_->[0] =~ /user\b(?!-agent)|groups/ } @named;
}

sub is_told ($client, $path, $expected, $name) {
    is arrived($client, $path), $expected, "G84 $name";
    for my $spelt (@FORGED) {
        is arrived($client, $path, $spelt => 'mallory'), $expected, "G84 $name, $spelt" or return;
    }
    is arrived($client, $path, map { ($_ => 'mallory') x 2 } @IN_ANY_CASE), $expected, "G84 $name, all of them twice";
    is arrived($client, $path, map { ($_ => '') } @IN_ANY_CASE), $expected, "G84 $name, all of them empty";
}

sub told ($user, $groups) {
    return join ' ', map({ "$_-groups=$groups" } grep { length $groups } 'remote'), "remote-user=$user",
        map({ "$_-groups=$groups" } grep { length $groups } 'x-forwarded'), "x-forwarded-user=$user";
}
my $ALICE = told('alice', 'ops,sre');

for my $kind (grep { $_ ne 'invalid' } sort keys %headers) {
    my %user;
    for my $name (qw(alice bob carol)) {
        $user{$name} = $server->client(port => $server->port($kind));
        $user{$name}->sign_in($name);
    }
    my $nobody = $server->client(port => $server->port($kind), headers => []);
    is_told($user{alice}, '/', $ALICE, "$kind: signed in");
    is_told($user{carol}, '/', told('carol', ''), "$kind: signed in, without groups");
    is_told($nobody, '/', '401', "$kind: nobody");
    is_told($user{alice}, '/optional', $ALICE, "$kind: optional, signed in");
    is_told($nobody, '/optional', '', "$kind: optional, nobody");
    is_told($user{alice}, '/off', '', "$kind: off, signed in");
    is_told($nobody, '/off', '', "$kind: off, nobody");
    is_told($user{alice}, '/dry', $ALICE, "$kind: dry run, allowed");
    is_told($user{bob}, '/dry', '', "$kind: dry run, would be refused");
    is_told($nobody, '/dry', '', "$kind: dry run, nobody");
    is_told($user{alice}, '/sre', $ALICE, "$kind: allowed");
    is_told($user{bob}, '/sre', '', "$kind: forbidden, an error_page without a gate");
    is_told($user{bob}, '/page', told('bob', 'dev'), "$kind: forbidden, an error_page for all users");
    is_told($user{alice}, '/any', $ALICE, "$kind: let in by address, and allowed");
    is_told($user{bob}, '/any', '', "$kind: let in by address, and not allowed");
    is_told($nobody, '/any', '', "$kind: let in by address, nobody");
    is_told($user{alice}, '/fastcgi', $ALICE, "$kind: FastCGI");
    is_told($nobody, '/fastcgi-optional', '', "$kind: FastCGI, nobody");
    is_told($user{carol}, '/uwsgi', told('carol', ''), "$kind: uwsgi, without groups");
}

my $plain = $server->client(port => $server->port('default'), headers => []);
my $basic = sub ($user, $password) { (Authorization => 'Basic ' . encode_base64("$user:$password", '')) };
my $token = AuthGate::Token::api(user => 'alice', methods => ['GET'], paths => ['/metrics']);
is arrived($plain, '/', $basic->('alice', $PASSWORD{alice})), $ALICE, 'G84 Basic';
is arrived($plain, '/optional', $basic->('alice', 'canary-wrong')), '', 'G84 Basic, wrong, optional';
is arrived($plain, '/any', $basic->('alice', 'canary-wrong')), '', 'G84 Basic, wrong, let in by address';
is arrived($plain, '/metrics', Authorization => "Bearer $token"), $ALICE, 'G84 API token';
is arrived($plain, '/optional', Authorization => "Bearer $token"), '', 'G84 API token for another path, optional';
is arrived($plain, '/any', Authorization => "Bearer $token"), '', 'G84 API token for another path, let in by address';

my $zoe = $server->client(port => $server->port('default'));
$zoe->sign_in('Zoë B.');
is_told($zoe, '/', told('Zoë B.', 'sre,Über uns'), 'UTF-8');
is_told($zoe, '/fastcgi', told('Zoë B.', 'sre,Über uns'), 'UTF-8, FastCGI');

# REMOTE_USER is no header field: a client has no way to it.
my %parameter;
arrived($zoe, '/fastcgi', 'Remote-User' => 'mallory', 'REMOTE_USER' => 'mallory');
%parameter = AuthGate::Upstream::fastcgi_parameters($app{fastcgi}->last_request);
is $parameter{REMOTE_USER}, 'Zoë B.', 'G84 REMOTE_USER';
is $parameter{REMOTE_GROUPS}, 'sre,Über uns', 'G84 REMOTE_GROUPS';
arrived($plain, '/fastcgi-optional', 'Remote-User' => 'mallory', 'REMOTE_USER' => 'mallory');
%parameter = AuthGate::Upstream::fastcgi_parameters($app{fastcgi}->last_request);
is $parameter{REMOTE_USER}, '', 'G84 REMOTE_USER, nobody';

# The trap that the file warns of is there, and its way out works.
my $trapped = $server->client(port => $server->port('trap'));
$trapped->sign_in('alice');
is_told($trapped, '/', $ALICE, 'inherited from the server');
is arrived($trapped, '/own', 'X-Forwarded-User' => 'mallory'), 'x-forwarded-user=mallory',
    'G84 a proxy_set_header of its own loses them all';
is_told($trapped, '/both', $ALICE, 'included again');


# Another: names that nginx has kept as invalid, and does not look up as it should. FastCGI does.
my $invalid = $server->client(port => $server->port('invalid'));
$invalid->sign_in('alice');
is arrived($invalid, '/'), $ALICE, 'G84 ignore_invalid_headers off';
is arrived($invalid, '/off', 'X_Forwarded_User' => 'mallory'), 'x-forwarded-user=mallory',
    'G84 ignore_invalid_headers off lets names with underscores through';
is_told($invalid, '/fastcgi', $ALICE, 'ignore_invalid_headers off, FastCGI');

done_testing;
