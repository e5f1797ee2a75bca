# The gate's cookies never reach an application behind fastcgi_pass, uwsgi_pass, scgi_pass or grpc_pass.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        fastcgi_param REMOTE_USER $remote_user;
        uwsgi_param   REMOTE_USER $remote_user;
        scgi_param    REMOTE_USER $remote_user;
        location /fastcgi { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; }
        location /uwsgi   { uwsgi_pass   127.0.0.1:%%PORT_uwsgi%%; }
        location /scgi    { scgi_pass    127.0.0.1:%%PORT_scgi%%; }
        location /grpc    { grpc_pass    127.0.0.1:%%PORT_grpc%%; }
        location /open {
            authgate off;
            location /open/fastcgi { fastcgi_pass 127.0.0.1:%%PORT_fastcgi%%; }
            location /open/uwsgi   { uwsgi_pass   127.0.0.1:%%PORT_uwsgi%%; }
            location /open/scgi    { scgi_pass    127.0.0.1:%%PORT_scgi%%; }
            location /open/grpc    { grpc_pass    127.0.0.1:%%PORT_grpc%%; }
        }
    }
    server {    # what grpc_pass speaks to: shows what arrived
        listen 127.0.0.1:%%PORT_grpc%% http2;
        location / {
            add_header X-Cookie "<$http_cookie>";
            add_header X-Authorization "<$http_authorization>";
            return 200 "from the application\n";
        }
    }
EOF_HTTP
my %app = map { $_ => AuthGate::Upstream->start($server->port($_), protocol => $_) } qw(fastcgi uwsgi scgi);
$server->run;

my $browser = $server->client;
$browser->sign_in('alice');
my $alice  = $browser->cookie('authgate');
my $api    = AuthGate::Token::api(user => 'alice');
my $client = $server->client(headers => []);

# The cookies that arrived, lines joined by "; "; the status where nothing did.
sub arrived ($path, $field, @headers) {
    my ($protocol) = $path =~ m{(\w+)\z};
    my $app    = $app{$protocol};
    my $before = $app && $app->count;
    my $answer = $client->get($path, @headers);
    return $answer->status if $answer->body ne $AuthGate::Upstream::BODY;
    return $answer->header("X-$field") =~ s/\A<|>\z//gr if !$app;
    return "not asked" if $app->count == $before;
    return join '; ', $app->header_values($field);
}

for my $protocol (qw(fastcgi uwsgi scgi grpc)) {
    is arrived("/$protocol", 'Cookie', Cookie => "authgate=$alice"), '', "B35 $protocol: ours alone";
    is arrived("/$protocol", 'Cookie', Cookie => "a=1;  b=\"2\"; authgate=$alice; c==%00"), "a=1;  b=\"2\"; c==%00",
        "B35 $protocol: the others byte for byte";
    is arrived("/$protocol", 'Cookie', Cookie => 'a=1', Cookie => "authgate=$alice", Cookie => 'b=2'), 'a=1; b=2',
        "B35 $protocol: three lines";
    is arrived("/$protocol", 'Cookie', Cookie => "authgate=$alice; authgate-device=d; __Host-authgate=x; a=1"), 'a=1',
        "B35 $protocol: every name of ours";
    is arrived("/open/$protocol", 'Cookie', Cookie => "a=1; authgate=$alice"), 'a=1', "B35 $protocol: gate off";
    is arrived("/open/$protocol", 'Cookie', Cookie => 'authgate=garbage'), '', "B35 $protocol: gate off, invalid";
    is arrived("/$protocol", 'Cookie', Cookie => 'a=1'), 401, "B35 $protocol: refused without ours";
    is arrived("/$protocol", 'Authorization', Authorization => "Bearer $api"), '',
        "B35 $protocol: an API token is removed";
    my @own = (Cookie => "authgate=$alice", Authorization => 'Bearer app');
    is arrived("/$protocol", 'Authorization', @own), 'Bearer app',
        "G83 $protocol: the application's own Authorization is not";
}

# An emptied header is gone, not there with an empty value.
for my $protocol (qw(fastcgi uwsgi scgi)) {
    $client->get("/$protocol", Cookie => "authgate=$alice");
    unlike $app{$protocol}->last_request, qr/HTTP_COOKIE/, "B35 $protocol: no HTTP_COOKIE is left";
    like $app{$protocol}->last_request, qr/REMOTE_USER\W{0,4}alice/,
        "G82 $protocol: REMOTE_USER is the verified user";
    $client->get("/$protocol", Cookie => "authgate=$alice", Authorization => 'Basic Ym9iOng=');
    like $app{$protocol}->last_request, qr/REMOTE_USER\W{0,4}alice/, "G82 $protocol: whatever Basic says";
}

done_testing;
