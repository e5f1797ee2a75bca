# E68: after a Basic check nothing of the decoded password is left in the worker's memory.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie basic; limit off; checks running=1 waiting=4; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /open { authgate off; try_files /hello.txt =404; }
        location = /optional { authgate ops optional; add_header X-Who "$authgate_user$remote_user"; try_files /hello.txt =404; }
        location = /verify { authgate_verify ops; }
        location = /asked { authgate off; auth_request /verify; try_files /hello.txt =404; }
    }
EOF_HTTP
my $number = 0;
sub canary () { return sprintf 'canary-%06d-%s', ++$number, join '', map { ('a' .. 'z')[rand 26] } 1 .. 12 }

my %hash = (
    bcrypt => sub ($password) { bcrypt($password, 4) },
    sha512 => sub ($password) { sha512_crypt($password) },
);
my @cases;
for my $scheme (sort keys %hash) {
    for my $path (qw(/hello.txt /optional /verify /asked /authgate/session)) {
        for my $right (1, 0) {
            my $canary = canary();
            push @cases, {
                user => "user$number", path => $path, canary => $canary,
                hash => $hash{$scheme}->($right ? $canary : 'canary-other'),
                status => $right && $path eq '/verify' ? 204 : $right || $path eq '/optional' ? 200 : 401,
                name => ($right ? 'a right' : 'a wrong') . " password, $scheme, $path",
            };
        }
    }
}
AuthGate::write_file($server->path('users'), join '', map { "$_->{user}:$_->{hash}\n" } @cases);
$server->run;
my ($worker) = $server->workers;
plan skip_all => 'may not read the memory of the worker' if !can_read_memory($worker);
my $client = $server->client(headers => []);

# The other way round first: what the worker does have is found.
{
    my $canary = canary();
    my $socket = $client->connect;
    print $socket "GET /open HTTP/1.1\r\nHost: x\r\nX-Held: $canary\r\n";
    is $client->get('/open')->status, 200, 'a request on its way';
    cmp_ok scalar find_in_memory($worker, $canary), '>', 0, 'E68 the search finds what is there';
}

# The round trip: the worker has done all that comes after the answer. What follows the first bytes of the
# name and the colon is enough to find a piece of it.
sub is_wiped ($name, $canary) {
    die if $client->get('/open')->status != 200;
    is_deeply [find_in_memory($worker, $canary)], [], "E68 $name: wiped";
}

for my $case (@cases) {
    for my $time ('checked', 'again') {
        is $client->get($case->{path}, basic($case->{user}, $case->{canary}))->status, $case->{status},
            "$case->{name}, $time: $case->{status}";
        is_wiped("$case->{name}, $time", $case->{canary});
    }
}

# What is not checked, and malformed.
for my $password (['over 1024 bytes', 'x' x 1100, 1], ['no colon', '', 0], ['a bad user name', '', 2]) {
    my ($name, $more, $colon) = @$password;
    my $canary = canary();
    my $user = $colon == 2 ? "al\xffice" : 'nobody';
    my $text = $colon ? "$user:$canary$more" : "$user$canary";
    require MIME::Base64;
    my @header = (Authorization => 'Basic ' . MIME::Base64::encode_base64($text, ''));
    is $client->get('/hello.txt', @header)->status, 401, "$name: 401";
    is_wiped($name, $canary);
}

# Those that follow, those that are sent away, and those that go.
{
    my (@canaries, %status);
    # Again where the checks were faster than those that asked.
    AuthGate::Server::wait_until {
        my @new = map { canary() } 1 .. 9;
        push @canaries, @new;
        my @pending = map { pending($client, '/hello.txt', basic('nobody', $new[ $_ / 2 ])) } 0 .. 17;
        $_->reset for @pending[ 0, 3, 8, 17 ];
        $status{ $_->answer->status } = 1 for grep { $_->{socket} } @pending;
        return $status{401} && $status{503};
    }
    60, 'some to be refused and some to be sent away';
    is_deeply [sort keys %status], [401, 503], 'some are refused and some are sent away';
    AuthGate::Server::wait_until { !grep { find_in_memory($worker, $_) } @canaries } 5, 'all passwords to go';
    is_wiped('followers and others', $_) for @canaries;
}

done_testing;
