# TLS 1.3 early data can be sent again by who has seen it (RFC 8470): no login and no logout is taken from it.

use v5.36;

use AuthGate;
use AuthGate::Http3;
use AuthGate::Server;
use IPC::Run ();
use Test::More;

my $has_http3 = AuthGate::Http3::is_there();
my $quic      = $has_http3 ? 'listen 127.0.0.1:%%PORT_h3%% quic;' : '';

my $server = AuthGate::Server->prepare(<<'EOF_HTTP' =~ s/QUIC/$quic/r);
    authgate_realm ops { users %%USERS%%; limit off; }
    log_format early '$request_method $uri $status early=$ssl_early_data';
    access_log %%DIR%%/logs/early.log early;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_tls%% ssl;
        QUIC
        ssl_protocols       TLSv1.3;
        ssl_certificate     %%DIR%%/certificate.pem;
        ssl_certificate_key %%DIR%%/certificate.key;
        ssl_session_cache   shared:tls:1m;
        ssl_early_data      on;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP
$server->make_certificate;
$server->run;

# What comes back for these bytes, sent by openssl over a new connection, or in the early data of one that
# resumes that.
sub s_client ($bytes, @options) {
    my $said = '';
    my $to   = '127.0.0.1:' . $server->port('tls');
    IPC::Run::run(['openssl', 's_client', '-connect', $to, '-quiet', '-ign_eof', '-tls1_3', @options],
        '<', \$bytes, '>', \$said, '2>', \my $errors, IPC::Run::timeout(60));
    return $said;
}

my $session = $server->path('session');
my $early   = $server->path('early');

sub early_log () { return split /^/, AuthGate::read_file($server->path('logs/early.log')) }

# The answer to what `$ask` gives. Where the end of the handshake came before nginx looked, its sender is
# certain and the answer another one: asks again then.
sub in_early_data ($ask) {
    for (1 .. 20) {
        my ($answer, $is_early) = once_in_early_data($ask->());
        return $answer if $is_early;
    }
    die 'never in early data';
}

sub once_in_early_data ($bytes) {
    my $before = () = early_log();
    unlink $session;
    s_client("GET /authgate/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", -sess_out => $session);
    AuthGate::write_file($early, $bytes);
    my $said = s_client('', -sess_in => $session, -early_data => $early);
    # nginx writes the line when the answer has gone out.
    AuthGate::Server::wait_until { early_log() == $before + 2 } 10, 'the access log';
    open my $handle, '<', \$said or die $!;
    return (AuthGate::Response->read($handle, 'GET'), (early_log())[-1] =~ /early=1$/);
}

sub get ($path, $cookie) {
    return "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: $cookie\r\n\r\n";
}

sub post ($path, $cookie = '', $body = '') {
    return "POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: $cookie\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

my $form = AuthGate::Client::form([username => 'alice', password => $PASSWORD{alice}]);

# A session with its cookie, once the line of the login has been written.
sub signed_in () {
    my $before = () = early_log();
    my $browser = $server->client(port => $server->port('tls'), tls => 1);
    $browser->sign_in('alice');
    AuthGate::Server::wait_until { early_log() == $before + 1 } 10, 'the access log';
    return $browser;
}

{
    my $seen;
    my $answer = in_early_data(sub { $seen = length $server->error_log; return post('/authgate/login', '', $form) });
    is $answer->status, 425, 'a login in early data: 425';
    is $answer->headers('Set-Cookie'), 0, 'a login in early data: no session';
    is_deeply [$answer->headers('Cache-Control')], ['no-store'], 'a login in early data: not to be stored';
    unlike substr($server->error_log, $seen), qr/authgate: /, 'a login in early data: no password was looked at';
}
{
    my $browser;
    my $ask = sub { $browser = signed_in(); return post('/authgate/logout', $browser->cookie_header) };
    is in_early_data($ask)->status, 425, 'a logout in early data: 425';
    my $cookie = $browser->cookie_header;
    is in_early_data(sub { get('/hello.txt', $cookie) })->status, 200,
        'a page in early data, signed in, which is the application\'s matter';
    is in_early_data(sub { get('/hello.txt', '') })->status, 401, 'a page in early data, not signed in';
    my $before = () = early_log();
    is $browser->sign_out->status, 303, 'a logout after the handshake';
    AuthGate::Server::wait_until { early_log() == $before + 1 } 10, 'the access log';
    is in_early_data(sub { get('/hello.txt', $cookie) })->status, 401, 'A23 a session that has ended, in early data';
}

SKIP: {
    skip $AuthGate::Http3::WITHOUT if !$has_http3;
    my $first = AuthGate::Http3->connect($server->port('h3'));
    my $login = $first->answer($first->login('alice', $PASSWORD{alice}));
    is $login->status, 303, 'HTTP/3: a login after the handshake';
    $first->ping;
    skip 'nginx takes no early data over QUIC with this OpenSSL' if !$first->takes_early_data;
    my ($cookie) = map { /\A(__Host-authgate=[^;]+)/ } $login->headers('Set-Cookie');
    my $early = sub (@request) {
        my $connection = AuthGate::Http3->connect($server->port('h3'), resumes => $first);
        my $answer = $connection->answer($connection->request(@request));
        $connection->close;
        return $answer->status;
    };
    my @form = ('content-type' => 'application/x-www-form-urlencoded');
    is $early->(POST => '/authgate/login', [@form], $form), 425, 'HTTP/3: a login in early data: 425';
    is $early->(POST => '/authgate/logout', [cookie => $cookie]), 425, 'HTTP/3: a logout in early data: 425';
    is $early->(GET => '/hello.txt', [cookie => $cookie]), 200, 'HTTP/3: a page in early data, signed in';
    $first->close;
}

# A proxy in front that takes early data says so.
my $plain = $server->client;
my @login = ([username => 'alice', password => $PASSWORD{alice}]);
is $plain->post('/authgate/login', @login, 'Early-Data' => '1')->status, 425, 'a login in early data of a proxy: 425';
is $plain->post('/authgate/login', @login)->status, 303, 'and after its handshake';

done_testing;
