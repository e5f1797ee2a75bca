# authgate_endpoints: the pages in a location of one's own, and nothing opened by it.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location / { return 302 /hello.txt; }
        location /authgate/ {
            authgate_endpoints ops;
            add_header X-Own yes always;
        }
        # Wider than the realm's path.
        location /wide {
            authgate_endpoints ops;
            location /wide/inner { try_files /hello.txt =404; }
            location /wide/off   { authgate off; try_files /hello.txt =404; }
        }
        location /beside { }
    }
EOF_HTTP

my $server = AuthGate::Server->start($http);
my $client = $server->client;

my $page = $client->get('/authgate/login');
is $page->status, 200, 'the login page, where location / would have taken it';
is $page->header('X-Own'), 'yes', 'in a location of its own';
is $client->get('/authgate/nothing')->status, 404, 'a page that is none';
like $client->get('/wide/inner')->header('Location'), qr{\A/authgate/login\b}, 'H91 a location inside has the gate of the server';
unlike $client->get('/wide/inner')->body, qr/behind the gate/, 'H91 and shows nothing';
is $client->get('/wide/off')->status, 200, 'H91 unless it is off there';

(my $beside = $http) =~ s/location \/beside \{ \}/location \/beside { authgate ops; authgate_endpoints ops; }/;
my ($passed, $said) = AuthGate::Server->prepare($beside)->check;
ok !$passed, 'I100 authgate beside authgate_endpoints is an error';
like $said, qr/\[emerg\].*"authgate_endpoints" cannot stand beside "authgate" in one location in \S+:\d+/,
    'I100 with the line';

done_testing;
