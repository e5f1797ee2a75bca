# Too many logins at once: 503 and Retry-After at once, and those that are taken are answered.

use v5.36;

use AuthGate;
use AuthGate::Page;
use AuthGate::Server;
use JSON::PP ();
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; checks running=1 waiting=1; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP

# Slow enough that all of them are there before the first is decided.
AuthGate::write_file($server->path('users'), 'alice:' . AuthGate::bcrypt($PASSWORD{alice}, 12) . "\n");
$server->run;

# Sends `$count` logins at once and gives the answers.
sub together ($count, @headers) {
    my $body    = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice}, rd => '/a' ]);
    my $request = "POST /authgate/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" . join('', @headers)
        . "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: @{[ length $body ]}\r\n\r\n$body";
    my @sockets = map { $server->client->connect } 1 .. $count;
    print $_ $request for @sockets;
    return map { AuthGate::Response->read($_, 'POST') } @sockets;
}

for my $format ('text/html', 'application/json') {
    my @answers;
    my @lines = $server->gate_lines_of(sub { @answers = together(6, "Accept: $format\r\n") });
    my @busy  = grep { $_->status == 503 } @answers;
    my @in    = grep { $_->status == ($format eq 'text/html' ? 303 : 200) } @answers;
    is @busy + @in, 6, "$format: each is signed in or told to wait";
    is @busy, 4, "$format: one is checked and one waits; the others are told at once";
    like $_->header('Retry-After'), qr/\A[1-9]\d*\z/, "$format: when to come again" for @busy;
    is $_->headers('Set-Cookie'), 0, "$format: no cookie" for @busy;
    is $_->header('Cache-Control'), 'no-store', "$format: not to be stored" for @busy;
    is $_->headers('Set-Cookie'), 2, "$format: the cookies" for @in;
    my $busy = qr/\[warn\].* authgate: login busy, user "alice", realm "ops", client: /;
    my $said = grep { $_ =~ $busy } @lines;
    is $said, @busy, "$format: a line in the log for each";
    if ($format eq 'text/html') {
        my $page = AuthGate::Page->parse($busy[0]->body);
        like $page->alert, qr/try again/, 'the page says so';
        is $page->field('username'), 'alice', 'the page keeps the user name';
        is $page->field('rd'), '/a', 'and rd';
    }
    else {
        is_deeply JSON::PP::decode_json($busy[0]->body), { error => 'busy' }, 'the same in JSON';
    }
}
is $server->client->sign_in('alice')->status, 303, 'later a login works';

done_testing;
