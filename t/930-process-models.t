# I109: one process without a master, one worker, four, and the cache's own processes beside them.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Metrics;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
        keys %%KEYS%%;
        state %%DIR%%/state;
        accept cookie basic;
        limit retries=5 find=2m ban=5m;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        add_header X-Worker $pid always;
        authgate ops;
        location = /app     { proxy_pass http://127.0.0.1:%%PORT_app%%; %%CACHE%% }
        location = /metrics { authgate off; authgate_metrics; }
    }
    server { listen 127.0.0.1:%%PORT_app%%; location / { return 200 "of the application\n"; } }
EOF_HTTP
my $cached = 'proxy_cache_path %%DIR%%/cache keys_zone=pages:1m loader_sleep=10ms;' . "\n"
    . $http =~ s/%%CACHE%%/proxy_cache pages; proxy_cache_valid 200 1m;/r;
$http =~ s/%%CACHE%%//;

# What it has to do in each model: several requests, so that each worker gets some.
sub works ($server, $name) {
    my $browser = $server->client;
    my $machine = $server->client(headers => []);
    is $browser->get('/hello.txt')->status, 302, "I109 $name: nobody is sent to the login page";
    is $machine->get('/app')->status, 401, "I109 $name: a machine is told 401";

    $browser->sign_in('alice');
    is_deeply [map { $browser->get('/hello.txt')->status } 1 .. 20], [(200) x 20],
        "I109 $name: who has signed in is let in by all";
    is $browser->get('/app')->body, "of the application\n", "I109 $name: to the application as well";
    is $server->client(headers => [])->get('/app')->status, 401, "I109 $name: nobody else is";
    is $machine->get('/hello.txt', right('bob'))->status, 200, "I109 $name: a Basic credential";
    is $machine->get('/hello.txt', basic('bob', wrong_password()))->status, 401, "I109 $name: a wrong one";

    my $cookie = $browser->cookie_header;
    is $browser->sign_out->status, 303, "I109 $name: signing out";
    is_deeply [map { $machine->get('/hello.txt', Cookie => $cookie)->status } 1 .. 20], [(401) x 20],
        "I109 $name: the session has ended for all";

    AuthGate::append_file($server->path('users'), 'dave:' . bcrypt('canary-dave', 4) . "\n");
    my $number = 0;    # from a new address each time: failed logins are limited
    ok eval {
        AuthGate::Server::wait_until {
            $server->client(from => '127.0.6.' . ++$number)->login('dave', 'canary-dave')->status == 303
        }
        4, 'dave';
    }, "I109 $name: an edit of the users file is taken";

    my $from = $server->client(from => '127.0.7.7');
    is_deeply [map { $from->login('carol', wrong_password())->status } 1 .. 6], [(403) x 5, 429],
        "I109 $name: five tries and no more";
    my $metrics = AuthGate::Metrics->read($server->client, '/metrics');
    is $metrics->value('authgate_logins_total{realm="ops",method="form",result="limited"}'), 1, "I109 $name: and all of it is counted";
}

sub stops ($server, $name) {
    my @all = ($server->pid, $server->workers);
    $server->stop('QUIT');
    is_deeply [grep { is_alive($_) } @all], [], "I109 $name: it stops";
}

for my $case (['without a master', 0, single => 1], ['1 worker', 1, workers => 1], ['4 workers', 4, workers => 4]) {
    my ($name, $workers, @option) = @$case;
    my $server = AuthGate::Server->start($http, @option);
    my $children = () = AuthGate::read_file("/proc/@{[ $server->pid ]}/task/@{[ $server->pid ]}/children") =~ /\d+/g;
    is $children, $workers, "I109 $name: as many processes";
    works($server, $name);
    if ($workers) {
        ok reload_whole($server), "I109 $name: a reload";
        is $server->client->get('/hello.txt')->status, 302, "I109 $name: after it nobody is let in";
        $server->client->sign_in('alice');
    }
    stops($server, $name);
}

# The processes that nginx starts for a cache are no workers: they read no files and start no threads.
{
    my $name   = 'with a cache';
    my $server = AuthGate::Server->start($cached, workers => 1);
    my $others = sub () {
        my $children = AuthGate::read_file("/proc/@{[ $server->pid ]}/task/@{[ $server->pid ]}/children");
        return grep { AuthGate::read_file("/proc/$_/cmdline") =~ /^nginx: cache/ } split ' ', $children;
    };
    my @cache;
    AuthGate::Server::wait_until { @cache = $others->() } 10, 'a process of the cache';
    pass "I109 $name: its manager runs";
    works($server, $name);
    for my $pid ($others->()) {
        is scalar(my @threads = threads($pid)), 1, "I109 $name: it has one thread";
        is_deeply [grep { (readlink // '') =~ m{/state/} } glob "/proc/$pid/fd/*"], [], "I109 $name: no file of ours";
    }
    ok reload_whole($server), "I109 $name: a reload";
    $server->client->sign_in('alice');
    AuthGate::Server::wait_until { !grep { is_alive($_) } @cache } 20, "the old cache's processes to go";
    stops($server, $name);
}

# nginx itself serves nobody after such a reload. What runs goes on, and says so.
{
    my $name   = 'a reload without a master';
    my $server = AuthGate::Server->start($http, single => 1);
    my $alice  = $server->client;
    $alice->sign_in('alice');
    for my $text ($http, $http =~ s/retries=5/retries=9/r, $http =~ s/authgate ops;/authgate off;/r) {
        $server->configure($text);
        my $seen = length $server->error_log;
        kill HUP => $server->pid;
        ok eval {
            AuthGate::Server::wait_until {
                substr($server->error_log, $seen) =~ /\[emerg\] .*"master_process off" takes no reload, restart nginx/
            }
            5, 'the refusal';
        }, "I109 $name is refused, and said so";
        is $server->client->get('/hello.txt')->status, 302, "I109 $name: nobody is let in";
        is $alice->get('/hello.txt')->status, 200, "I109 $name: alice is";
        $server->client->sign_in('bob');
    }
    $server->expect_alert(qr/takes no reload/);
    works($server, 'after all that');
    stops($server, $name);

    $server->configure($http);
    $server->run;
    is $alice->get('/hello.txt')->status, 200, "I109 a restart instead: alice's session goes on";
    my ($passed, $said) = $server->check;
    ok $passed, 'I109 nginx -t beside it passes' or diag $said;
    stops($server, 'a restart instead');
}

done_testing;
