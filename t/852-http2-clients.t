# Real clients of HTTP/2: curl, alone and over TLS, and h2load with many streams at once.

use v5.36;

use AuthGate;
use AuthGate::Metrics;
use AuthGate::Process;
use AuthGate::Server;
use IPC::Run ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; checks waiting=200; }
    ssl_certificate     %%DIR%%/certificate.pem;
    ssl_certificate_key %%DIR%%/certificate.key;
    keepalive_requests 100000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /status  { authgate off; stub_status; access_log off; }
        location = /metrics { authgate off; authgate_metrics; }
    }
    server {
        listen 127.0.0.1:%%PORT_h2%% http2;
        listen 127.0.0.1:%%PORT_tls%% ssl http2;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP
$server->make_certificate;
$server->run;
my ($worker) = $server->workers;
my $client = $server->client;
my %base = (
    'in the clear' => ['--http2-prior-knowledge', 'http://127.0.0.1:' . $server->port('h2')],
    'over TLS'     => ['--http2',                 'https://127.0.0.1:' . $server->port('tls')],
);

sub run_program (@command) {
    my ($said, $errors) = ('', '');
    IPC::Run::run(\@command, '<', '/dev/null', '>', \$said, '2>', \$errors, IPC::Run::timeout(60))
        or die "@command: $errors";
    return $said;
}

# No POST that is answered before its body has come: curl 7.88 takes nginx's RST_STREAM behind such an answer
# for an error, with every module of nginx's. t/602 and t/406 have them.
#
# curl as a browser would be, with a jar: protocol and status, and where the answer leads.
for my $how (sort keys %base) {
    my ($protocol, $url) = $base{$how}->@*;
    my $jar = $server->path("jar $how");
    my $curl = sub ($path, @more) {
        my @options = ($protocol, '--insecure', '--silent', '--show-error', '--cookie', $jar, '--cookie-jar', $jar);
        my @tell = ('--output', $server->path('answer'), '--write-out', '%{http_version} %{http_code} %{redirect_url}');
        return run_program('curl', @options, @tell, @more, "$url$path") =~ s/ \z//r;
    };
    my $body = sub () { return AuthGate::read_file($server->path('answer')) };
    my @login = map { ('--data-urlencode', $_) } 'username=alice', 'rd=/hello.txt';

    is $curl->('/hello.txt', '--header', 'Accept: text/html'), "2 302 $url/authgate/login?rd=/hello.txt",
        "curl $how: to the login page";
    is $curl->('/hello.txt'), '2 401', "curl $how, without text/html: 401";
    is $curl->('/authgate/login', @login, '--data-urlencode', 'password=wrong'), '2 403', "curl $how: a wrong password";
    is $curl->('/authgate/login', @login, '--data-urlencode', "password=$PASSWORD{alice}"), "2 303 $url/hello.txt",
        "curl $how: a login";
    is $curl->('/hello.txt'), '2 200', "curl $how: signed in";
    is $body->(), "hello from behind the gate\n", "curl $how: signed in, the page";
    is $curl->('/authgate/logout', '--data', ''), "2 303 $url/authgate/login", "curl $how: a logout";
    is $curl->('/hello.txt'), '2 401', "curl $how: signed out";
    is $curl->('/hello.txt', '--user', "bob:$PASSWORD{bob}"), '2 200', "curl $how: Basic";
    is $curl->('/hello.txt', '--user', 'bob:wrong'), '2 401', "curl $how: Basic, a wrong password";
}

# h2load: how many of each class of status.
sub h2load ($count, $path, @more) {
    my $url  = 'http://127.0.0.1:' . $server->port('h2');
    my $said = run_program('h2load', "--requests=$count", '--clients=4', '--max-concurrent-streams=50', @more, "$url$path");
    my ($result) = $said =~ /status codes: (.*)/ or die $said;
    my ($failed) = $said =~ /(\d+ failed, \d+ errored, \d+ timeout)/;
    return "$result; $failed";
}

sub all ($count, $class) {
    my $result = join ', ', map { ($_ == $class ? $count : 0) . " ${_}xx" } 2 .. 5;
    return "$result; 0 failed, 0 errored, 0 timeout";
}

$client->sign_in('alice');
my $cookie = $client->cookie_header;
is h2load(4000, '/hello.txt', "--header=cookie: $cookie"), all(4000, 2), 'H99 h2load, signed in';
is h2load(4000, '/hello.txt', '--header=accept: text/html'), all(4000, 3), 'H99 h2load, to the login page';
like h2load(4000, '/hello.txt', '--header=cookie: authgate=x'), qr/\A0 2xx, 0 3xx, 4000 4xx, 0 5xx; /, 'H99 h2load, a bad cookie';

my $form = AuthGate::write_file($server->path('form'),
    AuthGate::Client::form([username => 'alice', password => $PASSWORD{alice}]));
is h2load(400, '/authgate/login', "--data=$form", '--header=content-type: application/x-www-form-urlencoded'),
    all(400, 3), 'H99 h2load, 400 logins, 200 at once';

my $metrics;
my $is_quiet = sub {
    $metrics = AuthGate::Metrics->read($client);
    my @left = map { $metrics->value("authgate_password_checks_$_\{realm=\"ops\"}") } qw(running waiting);
    return "@left" eq '0 0' && connections($client)->{active} == 0;
};
ok eval { AuthGate::Server::wait_until { $is_quiet->() } 10, 'all to end' }, 'H99 no check and no connection is left';
is $metrics->value('authgate_logins_total{realm="ops",method="form",result="ok"}'), 403, 'all logins are counted';
is_deeply [$server->workers], [$worker], 'the worker lives';

done_testing;
