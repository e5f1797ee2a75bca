# docs/migration.md: the old way and the gate at once, and what the pages for each say of it.

use v5.36;

use AuthGate;
use AuthGate::Examples;
use AuthGate::Server;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my @page = ('Sec-Fetch-Mode' => 'cors');
sub basic ($user, $password) { return (Authorization => 'Basic ' . encode_base64("$user:$password", '')) }

# With auth_basic, as the page has it before, after, and both at once.
{
    my @files = (
        '/etc/nginx/htpasswd' => '%%USERS%%', 'listen 443' => 'listen 127.0.0.1:%%PORT%%',
        '/etc/nginx/tls/example.com.pem' => '%%DIR%%/certificate.pem',
        '/etc/nginx/tls/example.com.key' => '%%DIR%%/certificate.key',
        'proxy_pass http://127.0.0.1:9090' => 'proxy_pass http://127.0.0.1:%%PORT_app%%',
    );
    my $before = AuthGate::Examples::of_page('docs/from-auth-basic.md', nginx => qr/auth_basic_user_file/, @files);
    my $after = AuthGate::Examples::of_page('docs/from-auth-basic.md', nginx => qr/authgate_realm/,
        @files, '/var/lib/authgate' => '%%DIR%%/state');
    my ($realm) = $after =~ /(authgate_realm.*?^\})/ms;
    my $both = $realm =~ s/accept cookie bearer basic/accept cookie bearer/r
        . $before =~ s/location \//authgate ops; authgate_dry_run on;\n    location \//r;

    my $server = AuthGate::Server->prepare($before);
    $server->make_certificate;
    my $app = AuthGate::Upstream->start($server->port('app'));
    $server->run;
    my $client = $server->client(tls => 1, headers => []);
    my @alice  = basic(alice => $PASSWORD{alice});
    is $client->get('/x')->status, 401, 'before: auth_basic asks';
    is $client->get('/x', @alice)->status, 200, 'and lets in';

    $server->reload($both);
    $server->wait_for_old_workers;
    is $client->get('/x')->status, 401, 'both: closed as before';
    is $client->get('/x', @alice)->status, 200, 'open as before';
    ok $server->wait_for_log(qr/dry run: would refuse, reason "missing"/), 'the log says whom the gate would refuse';
    is $client->get('/authgate/login', @alice)->status, 200, 'the login page can be tried';
    is $client->get('/-/healthy')->status, 200, 'what was open stays open';
    my $tried = $server->client(tls => 1);
    is $tried->login('alice', $PASSWORD{alice}, headers => \@alice)->status, 303, 'signing in, too';

    $server->reload($after);
    $server->wait_for_old_workers;
    is $client->get('/x')->status, 401, 'after: closed';
    is $client->get('/x', @alice)->status, 200, 'programs go on as they are';
    is join('', $app->header_values('Authorization')), '', 'but that the application sees no password any more';
    is $server->client(tls => 1)->get('/x')->status, 302, 'people get a page';
    is $client->get('/-/healthy')->status, 200, 'what was open stays open';
}

# With the article's auth_request, and its Flask program's stand-in.
{
    my @files = (
        'proxy_pass http://localhost:9090' => 'proxy_pass http://127.0.0.1:%%PORT_app%%',
        'listen 8080' => 'listen 127.0.0.1:%%PORT%%', 'http://localhost:5000' => 'http://127.0.0.1:%%PORT_flask%%',
    );
    my $before = AuthGate::Examples::of_page('docs/from-flask.md', nginx => qr/auth_request/, @files);
    my $both   = 'authgate_realm ops { users %%USERS%%; }'
        . $before =~ s/auth_request \/auth;/auth_request \/auth;\n authgate ops; authgate_dry_run on;/r;
    my $server = AuthGate::Server->prepare($both);
    my $app    = AuthGate::Upstream->start($server->port('app'));
    AuthGate::Upstream->start($server->port('flask'), reply => sub ($request) {
        my $status = $request =~ /^Cookie:.*token=ABCDE/mi ? '200 OK' : '401 Unauthorized';
        return "HTTP/1.1 $status\r\nContent-Length: 0\r\n\r\n";
    });
    $server->run;
    my $client = $server->client;
    is $client->get('/graph')->header('Location') =~ s{^https?://[^/]+}{}r, '/login', 'Flask: its own login, as before';
    is $app->count, 0, 'and nothing of Prometheus';
    is $client->get('/graph', Cookie => 'token=ABCDE')->status, 200, 'with its cookie: as before';
    ok $server->wait_for_log(qr/dry run: would refuse, reason "missing"/), 'the log says whom the gate would refuse';
    $client->sign_in('alice', headers => [ Cookie => 'token=ABCDE' ]);
    is $client->get('/graph', Cookie => 'token=ABCDE; ' . $client->cookie_header)->status, 200, 'both: in';
    is scalar(() = $server->error_log =~ /would refuse/g), 1, 'of whom the gate would not refuse';
}

done_testing;
