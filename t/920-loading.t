# I102, I110, I117: how the module is loaded, and what nginx -t and the master do.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;
use Time::HiRes ();

my $module = $AuthGate::MODULE or plan skip_all => 'the module is in nginx itself';
my $realm = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

# ---- I102 ----------------------------------------------------------------------------------------

{
    my $server = AuthGate::Server->prepare($realm, main => "load_module $module;");
    my ($passed, $said) = $server->check;
    ok !$passed, 'I102 the module loaded twice: refused';
    like $said, qr/\[emerg\] module "ngx_http_authgate_module" is already loaded in \S+:\d+/,
        'I102 the module loaded twice: said';

    $server = AuthGate::Server->prepare('');
    my $conf = AuthGate::read_file($server->path('nginx.conf')) =~ s/^http \{.*\z//msr;
    AuthGate::write_file($server->path('nginx.conf'), $conf);
    ($passed, $said) = $server->check;
    ok $passed, 'I102 without http{}: right' or diag $said;
    unlike $said, qr/\[\w+\]/, 'I102 without http{}: without a word';
    $server->run;
    is scalar($server->workers), 1, 'I102 without http{}: it runs';
    $server->stop;

    $server = AuthGate::Server->prepare($realm, module => '');
    ($passed, $said) = $server->check;
    ok !$passed, 'I102 not loaded: its directives are unknown';
    like $said, qr/unknown directive "authgate_realm" in \S+:\d+/, 'I102 not loaded: said';
}

# For another nginx: the number of the version in the module's table is one more.
{
    my $version = AuthGate::nginx_version();
    my ($from, $to) = map { pack 'q<', $_ } $version, $version + 1;
    my $other = AuthGate::read_file($module);
    cmp_ok $other =~ s/\Q$from\E/$to/g, '>=', 2, 'I102 another version: made';
    my $server = AuthGate::Server->prepare($realm,
        module => AuthGate::write_file("$AuthGate::DIRECTORY/other.so", $other));
    my ($passed, $said) = $server->check;
    ok !$passed, 'I102 another version: refused';
    like $said, qr/module "[^"]*other\.so" version @{[ $version + 1 ]} instead of $version/,
        'I102 another version: said';
}

# Built otherwise: one of the marks in the module's signature is another.
{
    my $other = AuthGate::read_file($module);
    cmp_ok $other =~ s/(8,4,8,[01]{30,})/$1 =~ s{\A(8,4,8,)(.)}{$1 . (1 - $2)}er/ge, '>=', 1, 'I102 built otherwise: made';
    my $server = AuthGate::Server->prepare($realm,
        module => AuthGate::write_file("$AuthGate::DIRECTORY/otherwise.so", $other));
    my ($passed, $said) = $server->check;
    ok !$passed, 'I102 built otherwise: refused';
    like $said, qr/module "[^"]*otherwise\.so" is not binary compatible in \S+:\d+/, 'I102 built otherwise: said';
}

# Loaded and unused: everything is as without it.
{
    my $http = <<'EOF_HTTP';
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        location = /user { add_header X-User "$remote_user" always; try_files /hello.txt =404; }
        location = /set  { add_header Set-Cookie "authgate=1; Path=/"; return 204; }
        location = /cookie { return 200 "$http_cookie"; }
        location /basic  { auth_basic x; auth_basic_user_file %%DIR%%/htpasswd; try_files /hello.txt =404; }
    }
EOF_HTTP
    my %answers;
    for my $with ('', $module) {
        my $server = AuthGate::Server->prepare($http, module => $with);
        AuthGate::write_file($server->path('htpasswd'), $AuthGate::USERS =~ s/:groups=.*//gr);
        $server->run;
        my $client = $server->client(headers => []);
        my @bob = (Authorization => 'Basic Ym9iOmNhbmFyeS1wYXNzd29yZC1vZi1ib2I=');
        my @answers = map { $client->get(@$_) } ['/user'], ['/user', @bob],
            ['/user', Authorization => 'Basic !'], ['/set'],
            ['/cookie', Cookie => 'authgate=1; a=2'], ['/basic'], ['/basic', @bob], ['/authgate/login'],
            ['/hello.txt'];
        push @answers, $client->post('/authgate/login', [a => 'b']);
        $answers{$with} =
            [map { $_->raw =~ s/^(?:Date|Last-Modified|ETag): .*\r\n//mgr =~ s/127\.0\.0\.1:\d+//gr }
                @answers];
        my ($worker) = $server->workers;
        is scalar(my @threads = threads($worker)), 1, 'I102 unused: no thread pool' if $with;
        $server->stop;
    }
    is_deeply $answers{$module}, $answers{''}, 'I102 unused: all answers are as without the module';
}

# ---- I110 ----------------------------------------------------------------------------------------

{
    my $server = AuthGate::Server->prepare($realm, workers => 2);
    my ($strace) = grep { -x } map { "$_/strace" } split /:/, $ENV{PATH};
SKIP: {
        skip 'no strace', 4 if !$strace;
        my $calls = $server->path('logs/strace');
        my @command = (
            $strace, '-f', '-o', $calls, '-e',
            'trace=process,network,setpriority',
            $server->command('-t')
        );
        my $status = system join ' ', map({ quotemeta } @command), '2>/dev/null';
        my $trace = AuthGate::read_file($calls);
        skip 'strace may not trace', 4 if $trace !~ /execve/;
        is $status, 0, 'I110 nginx -t passes under strace';
        unlike $trace, qr/clone|fork/, 'I110 nginx -t starts no thread and no process';
        unlike $trace, qr/connect\([^)]*AF_INET|sendto\([^)]*AF_INET/, 'I110 nginx -t opens no connection';
        unlike $trace, qr/setpriority/, 'I110 nginx -t changes no priority';
    }
    $server->run;
    is scalar(my @master = threads($server->pid)), 1, 'I110 the master has one thread';
    ok $server->reload, 'I110 reload';
    is $server->client->sign_in('alice')->status, 303, 'I110 a login';
    is scalar(@master = threads($server->pid)), 1, 'I110 the master has one thread after a reload';
    my $sockets = sub () {
        grep { defined && /^socket:/ } map { readlink } glob "/proc/@{[ $server->pid ]}/fd/*";
    };
    ok eval {
        AuthGate::Server::wait_until { 1 + 2 * 2 == (() = $sockets->()) } 10, 'sockets to go';
    }, 'I110 the master has its listening socket and two for each worker, no other';
}

# ---- I117 ----------------------------------------------------------------------------------------

{
    my $count = 100_000;
    my $hash = bcrypt('canary-many', 4);
    my $few = AuthGate::Server->prepare($realm);
    my $many = AuthGate::Server->prepare($realm);
    AuthGate::write_file($many->path('users'),
        join '', map { "user$_:$hash:groups=g" . $_ % 10 . "\n" } 1 .. $count);
    my $seconds = sub ($server) {
        my $began = Time::HiRes::time();
        my ($passed, $said) = $server->check;
        ok $passed, 'I117 nginx -t passes' or diag $said;
        return Time::HiRes::time() - $began;
    };
    my $extra = $seconds->($many) - $seconds->($few);
    diag sprintf '100,000 users: %.2f s extra', $extra;
    is_within $extra, 1, 'I117 100,000 users take nginx -t less than a second';
    $many->run;
    for my $user (map { "user$_" } 1, 500, 50_000, $count) {
        my $client = $many->client;
        is $client->login($user, 'canary-many')->status, 303, "I117 $user of 100,000 signs in";
        is $client->get('/hello.txt')->status, 200, "I117 $user of 100,000 is let in";
    }
    is $many->client->login('user100001', 'canary-many')->status, 403,
        'I117 user100001 of 100,000 is nobody';
    ok reload_whole($many), 'I117 reload';

    AuthGate::append_file($many->path('users'), "user7:$hash\n");
    my ($passed, $said) = $many->check;
    ok !$passed, 'I117 a duplicate at the end is a mistake';
    like $said, qr{\[emerg\] "[^"]*/users:100001": user "user7" is duplicate in \S+:\d+},
        'I117 with its line';

    AuthGate::write_file($many->path('users'), "\xef\xbb\xbf" . "alice:$hash\r\nbob:$hash\r\n");
    ($passed, $said) = $many->check;
    ok $passed, 'I117 a byte order mark and CRLF are right' or diag $said;
    ok reload_whole($many), 'I117 reload';
    is $many->client->login('alice', 'canary-many')->status, 303,
        'I117 a byte order mark and CRLF: alice signs in';

    AuthGate::write_file($many->path('users'), 'x' x 1_048_576 . ":$hash\n");
    ok !($many->check)[0], 'I117 a line of 1 MiB is a mistake';
    AuthGate::write_file($many->path('users'), 'x' x 1_048_576);
    ok !($many->check)[0], 'I117 a line of 1 MiB without colon and end is a mistake';
    $many->expect_alert(qr{\[emerg\] .*"[^"]*/users:\d+": });
}

done_testing;
