# authgate_dry_run: the verdict is found and told, and nobody is refused.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Pending;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; accept cookie bearer basic; limit retries=3 find=1h ban=1h; }
    add_header X-Seen "$authgate_user|$authgate_method|$authgate_status|$authgate_groups|$remote_user" always;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        authgate_dry_run on;
        location = /sre { authgate_require group=sre; try_files /hello.txt =404; }
        location = /strict { authgate_dry_run off; try_files /hello.txt =404; }
        location = /off { authgate off; try_files /hello.txt =404; }
        location = /app { proxy_pass http://127.0.0.1:%%PORT_app%%; proxy_set_header Remote-User $authgate_user; }
        location = /any { satisfy any; deny all; try_files /hello.txt =404; }
        location = /verify { authgate_verify ops; authgate_require group=sre; }
        location = /asked { authgate off; auth_request /verify; auth_request_set $who $upstream_http_remote_user;
                            auth_request_set $user $authgate_user; add_header X-Who $user always; try_files /hello.txt =404; }
        location = /page { error_page 401 403 /strict; try_files /hello.txt =404; }
    }
EOF_HTTP
my $app = AuthGate::Upstream->start($server->port('app'));
my ($passed, $said) = $server->check;
ok $passed, 'nginx -t passes';
my @warnings = $said =~ /\[warn\] (.*)/g;
is scalar @warnings, 1, 'nginx -t warns once';
like $warnings[0] // '', qr/"authgate_dry_run" is on.* in \S+:\d+\z/, 'with file and line';
$server->run;

my $network = 0;
sub fresh () { return $server->client(from => '127.0.4.' . ++$network, headers => []) }
my $client = fresh();
my $browser = $server->client;
is $browser->get('/authgate/login')->status, 200, "the gate's pages work";
$browser->sign_in('bob');
my @bob = (Cookie => 'authgate=' . $browser->cookie('authgate'));

sub told (@request) {
    my $answer;
    my @lines = $server->gate_lines_of(sub { $answer = $client->get(@request) });
    my @told = map { /\[(\w+)\].*authgate: dry run: would refuse, reason "(\w+)", realm "ops", client: / ? "$1 $2" : () } @lines;
    return ($answer, "@told");
}

sub is_told ($name, $seen, $told, @request) {
    my ($answer, $line) = told(@request);
    is $answer->status, 200, "$name: goes on";
    is $answer->header('X-Seen'), $seen, "$name: variables";
    is $line, $told, "$name: line";
    is $answer->header($_), undef, "$name: no $_" for qw(WWW-Authenticate Location Set-Cookie Retry-After);
    return $answer;
}

is_told('nobody', '||missing||', 'warn missing', '/hello.txt');
is_told('a navigation', '||missing||', 'warn missing', '/hello.txt', 'Sec-Fetch-Mode' => 'navigate');
is_told('a cookie', 'bob|cookie|ok|dev|bob', '', '/hello.txt', @bob);
is_told('a bad cookie', '||malformed||', 'warn malformed', '/hello.txt', Cookie => 'authgate=x');
is_told('an expired token', '||expired||', 'warn expired', '/hello.txt',
    Authorization => 'Bearer ' . AuthGate::Token::api(user => 'bob', issued_at => 1000, expires_at => 2000));
is_told('Basic', 'alice|basic|ok|ops,sre|alice', '', '/hello.txt', right('alice'));
is_told('Basic again', 'alice|basic|ok|ops,sre|alice', '', '/hello.txt', right('alice'));
is_told('a wrong password', '||bad_password||', 'warn bad_password', '/hello.txt', basic('alice', 'canary-1'));
is_told('an unknown user', '||unknown_user||', 'warn unknown_user', '/hello.txt', basic('nobody', 'canary-2'));
is_told('no Basic credential', '||malformed||', 'warn malformed', '/hello.txt', Authorization => 'Basic %');
is_told('not in the group', '||forbidden||', 'warn forbidden', '/sre', @bob);
is_told('in the group', 'alice|basic|ok|ops,sre|alice', '', '/sre', right('alice'));
is_told('satisfy any, a user', 'bob|cookie|ok|dev|bob', '', '/any', @bob);
is $client->get('/hello.txt', basic('alice', 'canary-3'))->status, 200, 'a third wrong one';
is_told('limited', '||limited||', 'warn limited', '/hello.txt', basic('alice', 'canary-4'));
$client = fresh();

# It opens nothing that something else closes.
is $client->get('/any')->status, 403, 'satisfy any: deny still denies nobody';
is $client->get('/strict')->status, 401, 'off again in a location';
is $client->get('/strict', @bob)->status, 200, 'off again: bob';
is $client->get('/off')->header('X-Seen'), '||off||', 'a location that is off';
is $client->get('/page')->status, 200, 'error_page is not asked';

# The application gets the user only where the verdict is ok, and never the credential.
for my $case ([[@bob], 'bob'], [[right('alice')], 'alice'], [[basic('alice', 'canary-5')], ''], [[], '']) {
    my ($headers, $user) = @$case;
    is $client->post('/app', [a => 1], @$headers)->status, 200, "the application, '$user'";
    is join('|', $app->header_values('Remote-User')), $user, "the application is told '$user'";
    is join('|', $app->header_values('Authorization')), '', 'without the credential';
    is scalar(grep { /authgate/ } $app->header_values('Cookie')), 0, 'without the cookie';
}

# verify
for my $case ([[], undef], [[right('alice')], 'alice'], [[@bob], undef], [[basic('alice', 'canary-5')], undef]) {
    my ($headers, $user) = @$case;
    my $answer = $client->get('/verify', @$headers);
    is $answer->status, 204, 'verify lets pass';
    is $answer->header('Remote-User'), $user, 'verify tells only who may';
    is $answer->header('X-Forwarded-Groups'), $user && 'ops,sre', 'and of which groups';
    $answer = $client->get('/asked', @$headers);
    is $answer->status, 200, 'auth_request lets pass';
    is $answer->header('X-Who') || undef, $user, 'auth_request tells only who may';
}

# Checks are made and bounded as ever.
{
    my @pending = map { pending($client, '/hello.txt', basic('carol', $PASSWORD{carol})) } 1 .. 30;
    is_deeply [map { $_->answer->status } @pending], [(200) x 30], 'thirty at once go on';
    is scalar(() = $server->error_log =~ /login ok, user "carol"/g), 1, 'G80 after one check';
}

done_testing;
