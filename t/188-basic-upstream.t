# B35: a Basic credential that the realm accepts reaches no application, over whichever protocol, gated or not.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; }
    authgate_realm form { users %%USERS%%; path /form/; cookie form; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        location /http { proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location /fastcgi { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; fastcgi_param REMOTE_USER $remote_user; }
        location /uwsgi { uwsgi_pass 127.0.0.1:%%PORT_uwsgi%%; uwsgi_param REMOTE_USER $remote_user; }
        location /scgi { scgi_pass 127.0.0.1:%%PORT_scgi%%; scgi_param REMOTE_USER $remote_user; }
        location /off/ { authgate off; proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location /optional/ { authgate ops optional; proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location /dry/ { authgate_dry_run on; proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location /mirrored { mirror /mirror; return 204; }
        location /mirrored2 { mirror /mirror; proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location = /mirror { internal; proxy_pass http://127.0.0.1:%%PORT_mirror%%; }
        location /elsewhere { authgate off; auth_request /external; proxy_pass http://127.0.0.1:%%PORT_http%%; }
        location = /external { internal; proxy_pass http://127.0.0.1:%%PORT_mirror%%; }
    }
    server {
        listen 127.0.0.1:%%PORT_form%%;
        authgate form;
        location / { authgate off; proxy_pass http://127.0.0.1:%%PORT_http%%; }
    }
EOF_HTTP
my %app = map { $_ => AuthGate::Upstream->start($server->port($_), protocol => $_) } qw(http fastcgi uwsgi scgi);
my $mirror = AuthGate::Upstream->start($server->port('mirror'));
$server->run;
my $client = $server->client(headers => []);
my $secret = encode_base64("alice:$PASSWORD{alice}", '');

for my $protocol (sort keys %app) {
    for my $time ('checked', 'remembered') {
        is $client->get("/$protocol", right('alice'), 'X-Kept' => 'kept')->status, 200, "$protocol, $time: let in";
        my $request = $app{$protocol}->last_request;
        unlike $request, qr/authorization|\Q$secret\E/i, "B35 $protocol, $time: no credential";
        like $request, qr/kept/, "B35 $protocol, $time: the others are there";
        like $request, qr/REMOTE_USER\W{0,4}alice/, "G82 $protocol, $time: the user" if $protocol ne 'http';
    }
}
for my $path (qw(/off/ /optional/ /dry/ /mirrored2 /elsewhere)) {
    for my $credential ([right('alice')], [basic('alice', 'canary-wrong')], [Authorization => 'bAsIc %%%']) {
        my $before = $app{http}->count;
        my $status = $client->get($path, @$credential)->status;
        if ($status == 200) { is $app{http}->count, $before + 1, "$path: reaches the application" }
        else                { is $app{http}->count, $before, "$path: does not" }
        unlike $app{http}->last_request, qr/authorization|\Q$secret\E/i, "B35 $path: no credential";
    }
}
$mirror->wait_for_request(0);
unlike $mirror->last_request, qr/authorization|\Q$secret\E/i, 'B35 nor in a subrequest';

# What the realm does not accept is the application's.
my $other = $server->client(headers => [], port => $server->port('form'));
$other->get('/', right('alice'));
is join('|', $app{http}->header_values('Authorization')), "Basic $secret", "G83 the application's own Basic passes";
$client->get('/off/', Authorization => 'Digest username="alice"');
is join('|', $app{http}->header_values('Authorization')), 'Digest username="alice"', 'G83 another scheme passes';
$client->get('/off/', Authorization => 'Basics x');
is join('|', $app{http}->header_values('Authorization')), 'Basics x', 'G83 a scheme of a like name passes';

done_testing;
