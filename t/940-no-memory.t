# I111: memory runs short in the middle of a request, at each allocation in turn: in the module's calls of nginx's
# pools, lists and threads; in nginx itself; and in the module's own memory. Whoever may not come in does not,
# whatever becomes of the request; no cookie of the gate's reaches an application; and nginx goes on.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::NoMemory;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use Test::More;
use Time::HiRes ();

my $reason = AuthGate::NoMemory::cannot();
plan skip_all => $reason if $reason;

# With tiny pools nearly each allocation from them is one of the system's, which can fail.
my $http = <<'EOF_HTTP';
    connection_pool_size 128;
    request_pool_size 128;
    client_header_buffer_size 256;
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        state %%DIR%%/state;
        accept cookie bearer basic;
        basic_cache 1m;
        limit off;
        forwarded 127.0.0.1;
    }
    authgate_realm due { users %%USERS%%; path /due/; cookie due; session idle=100s max=1h; limit off; }
    upstream app { server 127.0.0.1:%%PORT_app%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /app      { proxy_pass http://app; proxy_set_header X-User $authgate_user; }
        location = /due      { authgate due; try_files /hello.txt =404; }
        location = /open     { authgate off; proxy_pass http://app; proxy_set_header X-User $authgate_user; }
        location = /require  { authgate_require group=sre; try_files /hello.txt =404; }
        location = /own      { error_page 401 = @own; }
        location @own        { authgate off; return 200 "own page\n"; }
        location = /any      { satisfy any; deny all; try_files /hello.txt =404; }
        location = /any-open { satisfy any; allow all; proxy_pass http://app; proxy_set_header X-User $authgate_user; }
        location = /optional { authgate ops optional; proxy_pass http://app; proxy_set_header X-User $authgate_user; }
        location = /asks     { authgate off; auth_request /verify; try_files /hello.txt =404; }
        location = /verify   { authgate_verify ops; }
        location = /redirect { authgate_verify ops redirect; }
        location = /tried    { try_files /nothing @gated; }
        location @gated      { authgate ops; try_files /hello.txt =404; }
        location = /page     { ssi on; ssi_types *; try_files /page.txt =404; }
        location = /status   { authgate off; authgate_status ops; }
        location = /metrics  { authgate off; authgate_metrics; }
    }
EOF_HTTP

my $memory = AuthGate::NoMemory->new;
my $server = AuthGate::Server->prepare($http, $memory->server);
AuthGate::write_file($server->path('html/page.txt'), "page <!--#include virtual=\"/hello.txt\" -->\n");
$server->expect_alert(qr/(?:malloc|posix_memalign|calloc)\([^)]*\)\S* failed \(12: Cannot allocate memory\)/);
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;
my ($worker) = $server->workers;

my $began = AuthGate::Token::now();
my $alice = $server->client;
$alice->sign_in('alice');
my @alice  = (Cookie => $alice->cookie_header . '; theme=dark; lang=en', 'X-Last' => 'x');
my @script = ('Sec-Fetch-Mode' => 'cors');
my @proxy  = ('X-Original-URL' => 'http://127.0.0.1/hello.txt', 'X-Original-Method' => 'GET');
my $bearer = AuthGate::Token::api(user => 'alice', paths => ['/'], methods => ['GET']);

sub client () { return $server->client(headers => []) }

# nginx writes the access log after it has answered, which takes memory as well, and a line without it is lost.
my $logged = 0;

sub wait_for_log ($response) {
    return if !$response->status;    # the connection is closed, so all is over
    my $deadline = Time::HiRes::time() + 0.05;
    Time::HiRes::sleep(0.001) while -s $server->path('logs/access.log') <= $logged && Time::HiRes::time() < $deadline;
    $logged = -s $server->path('logs/access.log');
}

my $page = ['Sec-Fetch-Mode' => 'navigate', Accept => 'text/html'];

# A request, the status that is right, and who answers: the gate; another, a page that all may see; or another, what
# lies behind.
my @cases = (
    ['a navigation of nobody', 302, gate => sub { client->get('/hello.txt', @$page) }],
    ['a script of nobody', 401, gate => sub { client->get('/hello.txt', @script, Accept => 'application/json') }],
    ['a post of nobody', 401, gate => sub { client->post('/app', [a => 'b' x 2000]) }],
    ['a bad cookie', 401, gate => sub { client->get('/app', Cookie => 'a=b; authgate=v1.first.x.y; c=d') }],
    ['a bad bearer', 401, gate => sub { client->get('/app', Authorization => 'Bearer agt_x', 'X-Last' => 'x') }],
    ['a wrong Basic credential', 401, gate => sub { client->get('/app', basic('alice', 'canary-no')) }],
    ["nobody, the location's own page", 200, page => sub { client->get('/own', @script) }],
    ['nobody under satisfy any', 302, gate => sub { client->get('/any', @$page) }],
    ['nobody by try_files', 302, gate => sub { client->get('/tried', @$page) }],
    ['nobody by auth_request', 401, gate => sub { client->get('/asks') }],
    ['nobody, asked about by a proxy', 302, gate => sub { client->get('/redirect', @proxy, @$page) }],
    ['nobody, a page with parts', 302, gate => sub { client->get('/page', @$page) }],
    ['bob, who may not', 403, gate => sub { client->get('/require', right('bob')) }],
    ['alice', 200, content => sub { client->get('/hello.txt', @alice) }],
    ['alice, a page with parts', 200, content => sub { client->get('/page', @alice) }],
    ['alice, an application', 200, content => sub { client->get('/app', @alice) }],
    ['alice, a post', 200, content => sub { client->post('/app', [a => 'b' x 2000], @alice) }],
    ['alice, where the gate is off', 200, content => sub { client->get('/open', @alice) }],
    ['alice, where it is optional', 200, content => sub { client->get('/optional', @alice) }],
    ['alice, let in by her address', 200, content => sub { client->get('/any-open', @alice) }],
    ['alice under satisfy any', 200, content => sub { client->get('/any', @alice) }],
    ['alice, whose group may', 200, content => sub { client->get('/require', @alice) }],
    ['alice by auth_request', 200, content => sub { client->get('/asks', @alice) }],
    ['alice, asked about by a proxy', 204, gate => sub { client->get('/redirect', @proxy, @alice) }],
    ["alice's bearer", 200, content => sub { client->get('/app', Authorization => "Bearer $bearer", 'X-Last' => 'x') }],
    ["alice's Basic credential", 200, content => sub { client->get('/app', right('alice')) }],
    ['the login page', 200, gate => sub { client->get('/authgate/login', @$page) }],
    ['the session page', 200, gate => sub { client->get('/authgate/session', @alice) }],
    ['a login', 303, gate => sub { client->login('alice', $PASSWORD{alice}) }],
    ['a wrong login', 403, gate => sub { client->login('alice', 'canary-no') }],
    ['a login in JSON', 200, gate => sub { client->login('bob', $PASSWORD{bob}, headers => [Accept => 'application/json']) }],
    ['bans', 200, gate => sub { client->get('/status') }],
    ['metrics', 200, gate => sub { client->get('/metrics') }],
);

# What of an answer is wrong. Where somebody may come in, an allocation may fail that the answer does not need,
# as one for a line of the log; then it is the right one.
sub wrong ($case, $right, $answers, $allowed) {
    my $response = $case->{response};
    my @wrong;
    push @wrong, $response->status if $response->status != $right && $response->status !~ $allowed;
    push @wrong, 'content' if $answers ne 'content' && $response->raw =~ /hello from behind|from the application/;
    push @wrong, 'a cookie of a failure' if $answers eq 'gate' && $response->status =~ /^5/ && $response->headers('Set-Cookie');
    return map { "$case->{number}: $_" } @wrong;
}

# What the application was told since.
sub told_wrong ($from) {
    my @wrong;
    for my $number ($from + 1 .. $app->count) {
        my $request = AuthGate::read_file("$app->{directory}/$number");
        push @wrong, 'our cookie' if $request =~ /authgate=|v1\.|agt_/;
        push @wrong, "user $1" if $request =~ /^X-User: (?!alice\r)(\S+)/mi;
        push @wrong, 'our Basic credential' if $request =~ /^Authorization: Basic/mi;
    }
    return @wrong;
}

# nginx itself ends a connection without an answer where the memory is short for that, or for its own header.
sub walk ($name, $right, $answers, $do, %option) {
    my $from    = $app->count;
    my $allowed = $option{whose} eq 'calls' && $answers eq 'gate' ? qr/\A50[03]\z/ : qr/\A(?:0|50[0234])\z/;
    my @walked  = $memory->walk($do, after => \&wait_for_log, %option);
    my $last    = pop @walked;
    my $lasts   = $option{lasts} ? ', and all after it' : '';
    my $what    = "I111 $name, $option{whose}$lasts";
    cmp_ok scalar(grep { $_->{response}->status != $right } @walked), '>', 0, "$what: (it was refused memory)";
    is_deeply [map { wrong($_, $right, $answers, $allowed) } @walked], [], "$what: a failure, and no more";
    is_deeply [told_wrong($from)], [], "$what: the application is told nothing wrong";
    is $last->{response}->status, $right, "$what: with memory, $right";
    return @walked;
}

# A file that has just been written is read once more.
AuthGate::Server::wait_until { AuthGate::Token::now() >= $began + 3 } 10, 'the files to be still';

my ($walks, $failures) = (0, 0);
for my $case (@cases) {
    my ($name, $right, $answers, $do) = @$case;
    # nginx waits for ever for a subrequest that it has no memory to begin.
    for my $whose ('calls', $name =~ /with parts/ ? () : 'program') {
        for my $lasts (0, 1) {
            my @walked = walk($name, $right, $answers, $do, whose => $whose, lasts => $lasts);
            $walks++;
            $failures += @walked;
        }
    }
}
note "$walks walks, $failures failures";

# Signing out: where it is said to be done, it is.
for my $whose ('calls', 'program') {
    for my $lasts (0, 1) {
        my (@cookies, @still);
        my @walked = walk(
            'signing out', 303, 'gate',
            sub {
                $memory->order('');
                my $bob = client;
                wait_for_log($bob->sign_in('bob'));
                push @cookies, $bob->cookie_header;
                $memory->order($whose, scalar(@cookies) - 1, $lasts);
                return $bob->sign_out;
            },
            whose => $whose, lasts => $lasts
        );
        for my $number (1 .. @walked) {
            next if $walked[ $number - 1 ]{response}->status != 303;
            push @still, $number if client->get('/hello.txt', Cookie => $cookies[ $number - 1 ])->status != 401;
        }
        is_deeply \@still, [], "I111 signing out, $whose: who is told so is signed out";
        is client->get('/hello.txt', Cookie => $cookies[-1])->status, 401, "I111 signing out, $whose: with memory too";
    }
}

# A renewal: with its cookie there is always the line that keeps caches off.
my $due = $server->client(path => '/due/');
$due->sign_in('alice');
my @due = (Cookie => $due->cookie_header);
$began = AuthGate::Token::now();
AuthGate::Server::wait_until { AuthGate::Token::now() >= $began + 11 } 15, 'the session to be due';
for my $whose ('calls', 'program') {
    my @walked = walk('a renewal', 200, 'content', sub { client->get('/due', @due) }, whose => $whose);
    my @renewed = grep { $_->{response}->headers('Set-Cookie') } @walked;
    is_deeply [grep { ($_->{response}->header('Cache-Control') // '') ne 'private' } @renewed], [],
        "I111 a renewal, $whose: never without Cache-Control";
    like client->get('/due', @due)->header('Set-Cookie'), qr/^due=v1/, "I111 a renewal, $whose: (it was one)";
}

is_deeply [$server->workers], [$worker], 'I111 the worker lives';
is client->get('/hello.txt', @alice)->status, 200, 'I111 alice is let in by it';
is client->get('/hello.txt')->status, 401, 'I111 and nobody else';
unlike $server->error_log, qr/panic|exited on signal/, 'I111 nothing panicked';

# The memory that the module takes itself: Rust gives up the process then. The next worker does the same as
# the one before, and what was ended is.
{
    my $bob = client;
    $bob->sign_in('bob');
    my $ended = $bob->cookie_header;
    $bob->sign_out;
    $server->expect_alert(qr/worker process \d+ exited on signal 6/);
    my %answers;
    for my $case (
        ['nobody', qr/\A(?:0|302)\z/, sub { client->get('/hello.txt', @$page) }],
        ['an ended session', qr/\A(?:0|401)\z/, sub { client->get('/hello.txt', Cookie => $ended) }],
        ['a wrong Basic credential', qr/\A(?:0|401)\z/, sub { client->get('/hello.txt', basic('alice', 'canary-not')) }],
        # The room for its body is the one piece that anyone can have the module take: for that there is a 500.
        ['a login', qr/\A(?:0|303|500)\z/, sub { client->login('carol', $PASSWORD{carol}) }],
        )
    {
        my ($name, $allowed, $do) = @$case;
        my @walked = $memory->walk(
            $do,
            whose => 'module',
            most  => 12,
            after => sub ($response) {
                AuthGate::Server::wait_until {
                    my @now = $server->workers;
                    @now == 1 && is_alive($now[0]) && eval { client->get('/authgate/login')->status == 200 };
                }
                10, 'a worker';
            }
        );
        is_deeply [grep { $_ !~ $allowed } map { $_->{response}->status } @walked], [], "I111 $name, module: no answer, or the right one";
        is_deeply [grep { /hello from/ } map { $_->{response}->raw } @walked], [], "I111 $name, module: no content";
        $answers{ $_->{response}->status }++ for @walked;
    }
    cmp_ok $answers{0}, '>', 10, 'I111 (memory that the module takes ran short)';
    is $answers{500}, 1, 'I111 a body for which there is no memory ends no worker';
    is client->get('/hello.txt', @alice)->status, 200, 'I111 alice is let in by the new worker';
    is client->get('/hello.txt', Cookie => $ended)->status, 401, 'I111 what has ended has';
}

# At the start: nginx does not start, and does not crash.
{
    my $other = AuthGate::Server->prepare($http, $memory->server);
    local %ENV = (%ENV, $memory->env->%*);
    my @walked = $memory->walk(
        sub {
            my ($passed, $said) = $other->check;
            return { passed => $passed, said => $said, crashed => $? & 127 || $? >> 8 > 128 };
        },
        whose => 'calls'
    );
    my $last = pop @walked;
    ok $last->{response}{passed}, 'I111 nginx -t with memory: passes';
    cmp_ok scalar @walked, '>', 10, 'I111 nginx -t: (memory ran short)';
    is_deeply [map { $_->{number} } grep { $_->{response}{passed} } @walked], [], 'I111 nginx -t with less never passes';
    is_deeply [map { $_->{number} } grep { $_->{response}{crashed} } @walked], [], 'I111 nginx -t: and never crashes';
    is_deeply [map { $_->{number} } grep { $_->{response}{said} !~ /test failed/ } @walked], [], 'I111 nginx -t: says something';
    AuthGate::write_file($other->path('logs/error.log'), '');
}

done_testing;
