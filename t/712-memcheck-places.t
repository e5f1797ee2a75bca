# E57: valgrind finds no error in whatever else a worker does: API tokens, renewed cookies, variables, subrequests that
# verify, other access modules, limits, forms of any shape, edits of the users file, pages that tell of it all.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Memcheck;
use AuthGate::Streams;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;

my $server = AuthGate::Memcheck->prepare(<<'EOF_HTTP');
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        accept cookie bearer basic;
        session idle=1m max=1h;
        limit off;
    }
    authgate_realm few {
        users %%USERS%%;
        keys %%KEYS%%;
        path /few/;
        cookie few;
        limit retries=2 find=1m ban=1m;
    }
    log_format all '$uri $status $authgate_user $authgate_groups $authgate_realm $authgate_method $authgate_session '
                   '$authgate_expires $authgate_status $remote_user $http_cookie $http_authorization';
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root %%DIR%%/html;
        access_log %%DIR%%/logs/all.log all;
        authgate ops;
        location /app           { proxy_set_header X-User $authgate_user; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /inside      { rewrite ^ /app last; }
        location = /page        { ssi on; ssi_types *; try_files /page.html =404; }
        location = /sre         { authgate_require group=sre; try_files /hello.txt =404; }
        location = /dry         { authgate_dry_run on; authgate_require user=carol; try_files /hello.txt =404; }
        location = /any         { satisfy any; deny all; try_files /hello.txt =404; }
        location = /own         { error_page 401 403 = @own; authgate_require user=carol; try_files /hello.txt =404; }
        location @own           { authgate off; add_header X-Why $authgate_status; try_files /hello.txt =404; }
        location = /later       { error_page 404 /hello.txt; try_files /nowhere =404; }
        location = /verify      { authgate_verify ops; }
        location = /verify-sre  { authgate_verify ops redirect; authgate_require group=sre; }
        location = /asked       { authgate off; auth_request /verify; auth_request_set $who $authgate_user;
                                  add_header X-Who $who; mirror /verify; try_files /hello.txt =404; }
        location = /asked-sre   { authgate off; auth_request /verify-sre; try_files /hello.txt =404; }
        location = /late        { auth_delay 200ms; error_page 401 /later-page; try_files /hello.txt =404; }
        location = /later-page  { authgate off; return 401 "late\n"; }
        location = /few         { authgate few; try_files /hello.txt =404; }
        location = /status      { authgate off; authgate_status ops; }
        location = /metrics     { authgate off; authgate_metrics; }
        location = /small       { client_max_body_size 10; proxy_pass http://127.0.0.1:%%PORT_app%%; }
    }
EOF_HTTP
AuthGate::write_file($server->path('html/page.html'),
    'a<!--# include virtual="/hello.txt" -->b<!--# include virtual="/verify" -->c<!--# include virtual="/sre" -->');
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $curl = $server->client(headers => []);
sub bearer (%token) { return (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'alice', %token)) }

# The session is renewed meanwhile.
my $alice = $server->client(headers => []);
$alice->sign_in('alice');
my $ended = $server->client(headers => []);
$ended->sign_in('bob');
my $ended_cookie = 'a=1; ' . $ended->cookie_header . '; b=2';
$ended->sign_out;

my %credential = (
    'an ended session'       => [Cookie => $ended_cookie],
    'an API token'           => [bearer()],
    'an API token for paths' => [bearer(paths => ['/app'], methods => ['GET'])],
    'Basic'                  => [right('alice')],
    'a wrong Basic'          => [basic('alice', wrong_password())],
    'nobody'                 => [],
    'many cookies'           => [map { (Cookie => $_) } 'a=1', 'authgate=x', 'authgate=', 'b=2; authgate="'],
    'no credential'          => [Authorization => 'Basic !'],
);
my @paths = qw(/hello.txt /app /inside /page /sre /dry /any /own /later /verify /verify-sre /asked /asked-sre /nowhere
    /authgate/login /authgate/session /status /metrics /small);
my @inside = qw(200 200 200 200 200 200 200 200 404 204 204 200 200 404 200 200 200 200 200);
my @outside = qw(401 401 401 401 401 200 401 200 401 401 401 401 401 401 200 401 200 200 401);
my @signed_in = map { $_ == 14 ? 303 : $inside[$_] } 0 .. $#inside;    # away from the login page
my %expected = ('a session' => \@signed_in, 'an API token' => \@inside, Basic => \@inside);

sub everywhere ($name, $client, @headers) {
    is_deeply [map { $client->get($_, @headers)->status } @paths], $expected{$name} // \@outside, "$name, everywhere";
}
for my $name (sort keys %credential) {
    everywhere($name, $curl, $credential{$name}->@*) if $name ne 'an API token for paths';
}
everywhere('a session', $alice);
for my $client ($alice, $curl) {
    $client->request(HEAD => "$_?x=y", undef) for @paths;
    $client->post($_, [a => 'b' x 3000]) for @paths;
}
isnt $app->count, 0, 'the application has been asked';

# The same in streams of a connection.
$credential{'a session'} = [Cookie => $alice->cookie_header];
for my $name (sort keys %credential) {
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my @streams = map { $connection->request(GET => $_, $credential{$name}) } @paths;
    push @streams, $connection->request(POST => '/app', $credential{$name}, 'x' x 300);
    is scalar(grep { !$connection->status($_, 60) } @streams), 0, "$name: each stream is answered";
    $connection->close;
}

# A refusal that nginx holds back (auth_delay), and clients that do not wait for it; with a password that is to be
# checked and without.
{
    my @late = map { pending($curl, '/late', $_ % 2 ? basic('alice', "canary-wrong-$_") : ()) } 1 .. 6;
    $_->reset for @late[ 0, 1 ];
    is_deeply [map { $_->answer->status } @late[ 2 .. 5 ]], [(401) x 4], 'late refusals';
    my $connection = AuthGate::Streams->connect($server->port('h2'));
    my @streams = map { $connection->request(GET => '/late') } 1 .. 4;
    $connection->reset($_) for @streams[ 0, 1 ];
    is_deeply [map { $connection->status($_, 60) } @streams[ 2, 3 ]], [401, 401], 'late refusals of streams';
    $connection->request(GET => '/late');
    $connection->abort;
}

# Forms of any shape.
{
    my $browser = $server->client;
    my @form = ('Content-Type' => 'application/x-www-form-urlencoded');
    my %form = (
        'nothing'       => '',
        'half'          => 'username=alice&password',
        'twice'         => 'username=alice&username=bob&password=x',
        'bad escapes'   => 'username=%&password=%zz%',
        'much'          => 'username=' . 'a' x 20_000,
        'a long path'   => 'username=alice&password=x&rd=/' . '%2e/' x 1000,
        'another place' => 'username=alice&password=x&rd=%2f%2fevil.example',
    );
    for my $name (sort keys %form) {
        cmp_ok $browser->request(POST => '/authgate/login', $form{$name}, @form)->status, '>=', 400, "a form with $name";
    }
    $browser->request(POST => '/authgate/login', '{"username":"alice"}', 'Content-Type' => 'application/json');
    $browser->post('/authgate/login', [username => 'alice', password => 'x'], Accept => 'application/json');
    $browser->post('/authgate/login', [username => 'alice', password => 'x'], 'Transfer-Encoding' => 'chunked',
        'Content-Length' => undef);
    $browser->get('/authgate/login?rd=/a%0d%0ab&x=' . 'y' x 3000);
    $browser->sign_in('bob', rd => '/hello.txt?a=b#c');
    is $browser->get('/hello.txt')->status, 200, 'and one that holds';
    is $browser->sign_out->status, 303, 'and out';
}

# Too many.
my @few = map { $server->client(path => '/few/')->login('bob', wrong_password())->status } 1 .. 4;
is "@few", '403 403 429 429', 'limited';

# Users are read anew, with mistakes and without.
AuthGate::append_file($server->path('users'), "dave:no hash\n");
$server->wait_for_log(qr/not taken, the last good one holds/, 20);
AuthGate::write_file($server->path('users'), $AuthGate::USERS =~ s/^alice.*\n//r);
AuthGate::Server::wait_until { $alice->get('/hello.txt')->status == 401 } 20, 'alice to be gone';
is $curl->get('/hello.txt', right('bob'))->status, 200, 'bob is still there';

isnt AuthGate::read_file($server->path('logs/all.log')), '', 'variables have been written down';
$server->is_clean;

done_testing;
