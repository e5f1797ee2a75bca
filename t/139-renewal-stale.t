# I113a: what others have ended cannot be read: sessions stay good and are not renewed, until it can.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Workers;
use Test::More;
use Time::HiRes ();

my $server = AuthGate::Server->start(<<"EOF_HTTP", workers => 2);
    authgate_realm ops   { users %%USERS%%; keys %%KEYS%%; limit off; session idle=10s max=1h; state %%DIR%%/state; }
    authgate_realm other { users %%USERS%%; keys %%KEYS%%; limit off; session idle=10s max=1h; path /other/; cookie other; }
    server {
        $AuthGate::Workers::SERVER
        authgate ops;
        location = /other.txt { authgate other; try_files /hello.txt =404; }
    }
EOF_HTTP
my $folder  = $server->path('state');
my $journal = "$folder/ops.ended";
my $workers = AuthGate::Workers->connect($server);

# What a worker says to a cookie: "200 renewed", "200", "401" …
sub says ($pid, $cookie, $path = '/hello.txt', $name = 'authgate') {
    my $answer = $workers->get($pid, $path, Cookie => "$name=$cookie");
    my $renewed = grep { /^\Q$name\E=v1\./ } $answer->headers('Set-Cookie');
    return $answer->status . ($renewed ? ' renewed' : '');
}

sub sign_in ($user, %option) {
    my $client = $server->client(headers => [], %option);
    $client->sign_in($user);
    return $client;
}

sub wait_until_due ($cookie) {
    my $made = AuthGate::Token::read($cookie)->{issued_at};
    AuthGate::Server::wait_until { AuthGate::Token::now() > $made } 5, 'a tenth of idle to pass';
}

# All workers, as long as it takes; and then for a while.
sub come_to_say ($cookie, $wanted, $name) {
    my $after = $workers->settle(sub ($pid) { says($pid, $cookie) }, $wanted);
    ok defined $after, "I113a $name: $wanted" or diag explain $workers->each_says(sub ($pid) { says($pid, $cookie) });
    note sprintf '%s: after %.2f s', $name, $after // -1;
}

sub keep_saying ($cookie, $wanted, $seconds, $name) {
    ok $workers->hold(sub ($pid) { says($pid, $cookie) }, $wanted, $seconds), "I113a $name: $wanted all the time";
}

my %fault = (
    'the folder is away' => [
        sub { rename $folder, "$folder.away" or die $! },
        sub { rename "$folder.away", $folder or die $! },
    ],
    'the journal is a directory' => [
        sub { rename $journal, "$journal.away" or die $!; mkdir $journal or die $! },
        sub { rmdir $journal or die $!; rename "$journal.away", $journal or die $! },
    ],
);

for my $fault (sort keys %fault) {
    my ($break, $mend) = $fault{$fault}->@*;
    my $bob = sign_in('bob');
    my $ended = $bob->cookie('authgate');
    is $bob->sign_out->status, 303, 'bob signs out';
    my $alice = sign_in('alice')->cookie('authgate');
    my $other = sign_in('alice', path => '/other/')->cookie('other');
    wait_until_due($alice);
    come_to_say($alice, '200 renewed', "before $fault");

    my @lines = $server->lines_of(sub {
        $break->();
        come_to_say($alice, '200', $fault);
        keep_saying($alice, '200', 1.5, $fault);
    });
    like join('', @lines), qr/\[crit\].*state cannot be kept/, "I113a $fault: the log says so";
    is_deeply $workers->each_says(sub ($pid) { says($pid, $ended) }), { map { $_ => 401 } $workers->pids },
        "I113a $fault: what has ended stays so";
    is_deeply $workers->each_says(sub ($pid) { says($pid, $other, '/other.txt', 'other') }),
        { map { $_ => '200 renewed' } $workers->pids }, "I113a $fault: a realm without state renews";
    my $late = sign_in('carol')->cookie('authgate');
    wait_until_due($late);
    is_deeply $workers->each_says(sub ($pid) { says($pid, $late) }), { map { $_ => 200 } $workers->pids },
        "I113a $fault: who signs in meanwhile is in, and not renewed either";

    $mend->();
    come_to_say($late, '200 renewed', "after $fault");
    keep_saying($late, '200 renewed', 0.5, "after $fault");
    is_deeply $workers->each_says(sub ($pid) { says($pid, $ended) }), { map { $_ => 401 } $workers->pids },
        "I113a after $fault: what has ended stays so";
}

done_testing;
