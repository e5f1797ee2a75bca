# session renew=: what renews a session. And why a visitor sees the login page again.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use AuthGate::Token;
use Test::More;

my $HTTP = <<'EOF_HTTP';
    authgate_realm any     { users %%USERS%%; limit off; path /any/;     cookie any;     session idle=10s max=1h; }
    authgate_realm said    { users %%USERS%%; limit off; path /said/;    cookie said;    session idle=10s renew=any; }
    authgate_realm visits  { users %%USERS%%; limit off; path /visits/;  cookie visits;  session idle=10s renew=navigation; }
    authgate_realm ops     { users %%USERS%%; limit off; keys %%KEYS%%; }
    authgate_realm brief   { users %%USERS%%; limit off; path /brief/;   cookie brief;   session idle=2s; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /any-page    { authgate any;    try_files /hello.txt =404; }
        location = /said-page   { authgate said;   try_files /hello.txt =404; }
        location = /visits-page { authgate visits; try_files /hello.txt =404; }
        location = /brief-page  { authgate brief;  try_files /hello.txt =404; }
        location = /none        { authgate visits; }
    }
EOF_HTTP
my $server = AuthGate::Server->start($HTTP);

sub fetch ($mode, $dest, @more) {
    return ('Sec-Fetch-Mode' => $mode, 'Sec-Fetch-Dest' => $dest, 'Sec-Fetch-Site' => 'same-origin', @more);
}

my $HTML = 'text/html,application/xhtml+xml,*/*;q=0.8';
my %NAVIGATION = (
    'a page'                       => [ fetch('navigate', 'document', Accept => $HTML) ],
    'a frame'                      => [ fetch('navigate', 'iframe', Accept => $HTML) ],
    'a page, over plain HTTP'      => [ Accept => $HTML ],
    'a page that is not there'     => [ Accept => $HTML, path => '/none' ],
);
my %BACKGROUND = (
    'fetch()'                      => [ fetch('cors', 'empty', Accept => '*/*') ],
    'fetch() for HTML'             => [ fetch('cors', 'empty', Accept => $HTML) ],
    'fetch() of the same origin'   => [ fetch('same-origin', 'empty', Accept => '*/*') ],
    'an image'                     => [ fetch('no-cors', 'image', Accept => 'image/*') ],
    'a script'                     => [ fetch('no-cors', 'script', Accept => '*/*') ],
    'an event stream'              => [ fetch('cors', 'empty', Accept => 'text/event-stream') ],
    'a WebSocket'                  => [ fetch('websocket', 'empty') ],
    'XMLHttpRequest, over plain HTTP' => [ Accept => 'application/json', 'X-Requested-With' => 'XMLHttpRequest' ],
    'curl'                         => [ Accept => '*/*' ],
    'nothing said'                 => [],
);

# The cookies of the sign-in, so that each answer has the same to renew.
my %first;
for my $realm (qw(any said visits)) {
    my $client = $server->client(path => "/$realm/", headers => []);
    $client->sign_in('alice');
    $first{$realm} = $client->cookie($realm);
}
my $client = $server->client(headers => []);

sub ask ($realm, @headers) {
    my %headers = @headers;
    my $path    = delete $headers{path} // "/$realm-page";
    return $client->get($path, Cookie => "$realm=$first{$realm}", %headers);
}

sub renewed ($response, $realm) { return scalar grep { /\A$realm=v1\./ } $response->headers('Set-Cookie') }

# A tenth of idle has passed.
for my $realm (sort keys %first) {
    AuthGate::Server::wait_until { renewed(ask($realm, $NAVIGATION{'a page'}->@*), $realm) } 5, "$realm to be due";
}
for my $name (sort keys %NAVIGATION) {
    is renewed(ask('visits', $NAVIGATION{$name}->@*), 'visits'), 1, "renew=navigation: $name renews";
}
for my $name (sort keys %BACKGROUND) {
    my $answer = ask('visits', $BACKGROUND{$name}->@*);
    is $answer->status, 200, "renew=navigation: $name is let in";
    is_deeply [ $answer->headers('Set-Cookie') ], [], "renew=navigation: $name does not renew";
    is renewed(ask($_, $BACKGROUND{$name}->@*), $_), 1, "$_: $name renews" for qw(any said);
}
is $client->post('/visits-page', [], Cookie => "visits=$first{visits}", fetch('navigate', 'document'))
    ->headers('Set-Cookie'), 0, 'renew=navigation: a form that is posted is no navigation to come back to';
is renewed(ask('visits', $NAVIGATION{'a page'}->@*), 'visits'), 1, '(it was due all the time)';

for my $value ('renew=never', 'renew=', 'renew', 'renew=Any', 'renew=navigation,any') {
    my $broken = AuthGate::Server->prepare("authgate_realm ops { users %%USERS%%; session $value; }");
    my ($passed, $said) = $broken->check;
    ok !$passed, "$value: refused";
    like $said, qr/\[emerg\] .*invalid parameter "\Q$value\E" in "session" directive in \S+:\d+/, "$value: said";
}

# The login page of a visitor who has this cookie.
sub page ($cookie, $path = '/authgate/', $name = 'authgate') {
    my $answer = $server->client->get("${path}login?rd=/x", Cookie => "$name=$cookie");
    is $answer->status, 200, 'the login page';
    my $page = AuthGate::Page->parse($answer->body);
    is $page->alert, '', 'nothing is wrong';
    is $page->field('rd'), '/x', 'with rd';
    return $page->notice;
}

my %SENTENCE = (
    expired => 'Your session has ended. Please sign in again.',
    revoked => 'You have been signed out. Please sign in again.',
    changed => 'Your password has changed. Please sign in again.',
);

sub session_of ($user, @option) {
    my $browser = $server->client(@option);
    $browser->sign_in($user);
    return $browser;
}

is page(''), '', 'no cookie: no notice';
{
    my $browser = session_of('alice');
    my $token   = $browser->cookie('authgate');
    is $server->client->get('/authgate/login', Cookie => "authgate=$token")->status, 303, 'a good one: no page';
    $browser->sign_out;
    is page($token), $SENTENCE{revoked}, 'signed out';
    is $browser->cookie('authgate'), undef, '(whose browser has no cookie then)';
    is AuthGate::Page->parse($browser->get('/authgate/login')->body)->notice, '', 'and so no notice';
    my $retry = $server->client->post('/authgate/login', [ username => 'alice', password => 'canary-wrong' ],
        Cookie => "authgate=$token");
    is AuthGate::Page->parse($retry->body)->notice, '', 'a login that fails has something else to say';
    is AuthGate::Page->parse($retry->body)->alert, 'Wrong user name or password.', 'and says it';

    my ($start, $mac) = $token =~ /\A(.*\.)([^.]+)\z/;
    my %forged = (
        'another MAC'              => $start . 'A' x 43,
        'no MAC'                   => $start,
        'an unknown key'           => $token =~ s/\Av1\.first/v1.third/r,
        'the other key'            => $token =~ s/\Av1\.first/v1.second/r,
        'another version'          => $token =~ s/\Av1/v2/r,
        'garbage'                  => 'garbage',
        'a device cookie'          => $browser->cookie('authgate-device'),
        'one of another purpose that has expired' => AuthGate::Token::sign(
            user => 'alice', issued_at => AuthGate::Token::now() - 100, expires_at => AuthGate::Token::now() - 10
        ),
    );
    is page($forged{$_}), '', "$_: no notice" for sort keys %forged;
}
{
    my $browser = session_of('alice', path => '/brief/');
    my $token   = $browser->cookie('brief');
    AuthGate::Server::wait_until {
        $server->client->get('/brief-page', Cookie => "brief=$token")->status == 302
    }
    10, 'the session to end';
    is page($token, '/brief/', 'brief'), $SENTENCE{expired}, 'expired';
    is page($token =~ s/[^.]+\z/'A' x 43/er, '/brief/', 'brief'), '', 'expired and forged: no notice';
    is page($token), '', 'of another realm: no notice';
}
{
    my %token = map { $_ => session_of($_)->cookie('authgate') } qw(alice bob carol);
    my $hash  = AuthGate::bcrypt('canary-new-password');
    my $users = AuthGate::read_file($server->path('users'));
    $users =~ s/^alice:[^:]*/alice:$hash/m;
    $users =~ s/^bob:.*\n//m;
    AuthGate::write_file($server->path('users'), $users);
    AuthGate::Server::wait_until {
        $server->client->get('/hello.txt', Cookie => "authgate=$token{bob}")->status == 302
    }
    5, 'the edit';
    is page($token{alice}), $SENTENCE{changed}, 'a password that has changed';
    is page($token{bob}), $SENTENCE{expired}, 'a user who is gone is told no more than that it has ended';
    is $server->client->get('/hello.txt', Cookie => "authgate=$token{carol}")->status, 200, 'another user stays';
    is page("$token{alice}; authgate=$token{bob}") =~ /ended|changed/ ? 'a notice' : 'none', 'a notice',
        'two that are over: one sentence';
}

done_testing;
