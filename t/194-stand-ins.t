# docs/elasticsearch.md and docs/consul.md as they are written. The programs themselves are not in Debian: what is
# tested is what reaches them.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my @common = (
    '/etc/nginx/authgate/users' => '%%USERS%%', '/var/lib/authgate' => '%%DIR%%/state; keys %%KEYS%%',
    '/etc/nginx/tls/example.com.pem' => '%%DIR%%/certificate.pem',
    '/etc/nginx/tls/example.com.key' => '%%DIR%%/certificate.key',
);
my @page = ('Sec-Fetch-Mode' => 'cors', Accept => 'application/json');

sub basic ($user) { return (Authorization => 'Basic ' . encode_base64("$user:$PASSWORD{$user}", '')) }
sub bearer (%token) { return (Authorization => 'Bearer ' . AuthGate::Token::api(%token)) }

{
    my $example = AuthGate::Examples::of_page('docs/elasticsearch.md', nginx => qr/authgate_realm/,
        @common, 'listen 443' => 'listen 127.0.0.1:%%PORT%%', 'group=elastic' => 'group=ops',
        'proxy_pass http://127.0.0.1:5601' => 'proxy_pass http://127.0.0.1:%%PORT_kibana%%',
        'proxy_pass http://127.0.0.1:9200' => 'proxy_pass http://127.0.0.1:%%PORT_elastic%%');
    my $server = AuthGate::Server->prepare($example);
    $server->make_certificate;
    my $kibana  = AuthGate::Upstream->start($server->port('kibana'));
    my $elastic = AuthGate::Upstream->start($server->port('elastic'));
    $server->run;
    my $at = sub ($name) { return (Host => "$name.example.com") };

    my $browser = $server->client(tls => 1);
    is $browser->get('/app/home', $at->('kibana'))->status, 302, 'Kibana: the login';
    $browser->sign_in('bob');
    is $browser->get('/app/home', $at->('kibana'))->status, 200, 'and in';
    my $import = $browser->request('POST', '/api/saved_objects/_import', 'x' x 2_000_000, @page, 'kbn-xsrf' => 'true');
    is $import->status, 200, 'two megabytes';
    is join('', $kibana->header_values('kbn-xsrf')), 'true', "Kibana's own field";
    is join('', $kibana->header_values('Cookie')), '', "without the gate's cookie";

    my $client = $server->client(tls => 1, headers => []);
    my $ask = sub ($method, $path, $body, @headers) {
        return $client->request($method, $path, $body, $at->('elasticsearch'), @headers)->status;
    };
    is $ask->('GET', '/_search', undef), 401, 'Elasticsearch: not without a credential';
    is $ask->('GET', '/_search', undef, Authorization => 'ApiKey eA=='), 401, 'nor with one of its own';
    is $ask->('GET', '/_search', undef, basic('bob')), 403, 'nor for who is not in the group';
    is $elastic->count, 0, 'of all that it hears nothing';
    is $ask->('GET', '/_search', undef, basic('alice')), 200, 'with a password';
    is join('', $elastic->header_values('Authorization')), '', 'which stays here';
    my %writer = (user => 'alice', methods => ['POST'], paths => [ '/logs/_bulk', '/logs/_doc' ]);
    is $ask->('POST', '/logs/_bulk', 'x' x 5_000_000, bearer(%writer)), 200, 'a token for one index';
    is length($elastic->last_request =~ s/.*?\r\n\r\n//sr), 5_000_000, 'all of it';
    is $ask->('POST', '/other/_bulk', 'x', bearer(%writer)), 403, 'and for no other';
    is $ask->('DELETE', '/logs/_bulk', undef, bearer(%writer)), 403, 'nor to delete it';
}

{
    my @consul = ('proxy_pass http://127.0.0.1:8500' => 'proxy_pass http://127.0.0.1:%%PORT_consul%%');
    my $plain = AuthGate::Examples::of_page('docs/consul.md', nginx => qr/authgate_realm/, @common, @consul,
        'listen 443' => 'listen 127.0.0.1:%%PORT%%');
    my $acls = AuthGate::Examples::of_page('docs/consul.md', nginx => qr/consul_token/, @consul,
        'server {' => 'server { listen 127.0.0.1:%%PORT_acls%%;');
    my $server = AuthGate::Server->prepare("$plain\n$acls");
    $server->make_certificate;
    my $consul = AuthGate::Upstream->start($server->port('consul'));
    $server->run;

    my $bob = $server->client(tls => 1);
    is $bob->get('/ui/')->status, 302, 'Consul: the login';
    $bob->sign_in('bob');
    is $bob->get('/ui/')->status, 200, 'reading is for everybody';
    is $bob->request('PUT', '/v1/kv/x', 'y', @page)->status, 403, 'writing is not';
    is $consul->count, 1, 'and does not reach it';
    $consul->hold;
    my $socket = $bob->connect;
    my $cookie = $bob->cookie_header;
    print $socket "GET /v1/kv/x?index=1&wait=10m HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: $cookie\r\n\r\n";
    AuthGate::Server::wait_until { $consul->count == 2 } 10, 'the query that waits';
    $bob->sign_out;
    is $bob->get('/v1/kv/x', @page)->status, 401, 'signed out, a new query is 401';
    $consul->release;
    like AuthGate::Response->read($socket, 'GET')->status, qr/200/, 'and the one that waited has its answer';
    my $alice = $server->client(tls => 1);
    $alice->sign_in('alice');
    is $alice->request('PUT', '/v1/kv/x', 'y', @page, 'X-Consul-Token' => 'hers')->status, 200, 'the group may write';
    is join('|', $consul->header_values('X-Consul-Token')), 'hers', "Consul's own token passes";
    my $program = $server->client(tls => 1, headers => []);
    is $program->get('/v1/kv/x', basic('bob'))->status, 200, 'the command, with user name and password';
    my %catalog = (user => 'bob', methods => ['GET'], paths => [ '/v1/agent/self', '/v1/catalog/', '/v1/health/' ]);
    is $program->get('/v1/catalog/services?index=1', bearer(%catalog))->status, 200, 'service discovery, with a token';
    is $program->get('/v1/kv/x', bearer(%catalog))->status, 403, 'which opens nothing else';

    my ($write, $read) = ('11111111-2222-3333-4444-555555555555', '66666666-7777-8888-9999-000000000000');
    for ([ alice => $write ], [ bob => $read ]) {
        my ($user, $token) = @$_;
        my $client = $server->client(port => $server->port('acls'));
        $client->sign_in($user);
        my @claims = map { ($_ => $write) } qw(X-Consul-Token x_consul_token);
        $client->get('/v1/kv/x', @claims, Authorization => "Bearer $write");
        my @got = grep { $_->[0] =~ /token|authorization/i } $consul->fields($consul->last_request);
        is join('|', map { $_->[1] } @got), $token, "$user has the token of the group, and no other";
    }
}

done_testing;
