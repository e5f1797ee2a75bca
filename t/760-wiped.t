# E68: after a login nothing of the password is left in the worker's memory.

use v5.36;

use AuthGate;
use AuthGate::Pending;
use AuthGate::Process;
use AuthGate::Server;
use AuthGate::Users;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        users %%USERS%%;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        location = /open { authgate off; try_files /hello.txt =404; }
    }
EOF_HTTP

my $server = AuthGate::Server->prepare($http);

# What is searched for is in no file that the worker reads.
my %hash = (
    bcrypt => sub ($password) { bcrypt($password, 4) },
    sha512 => sub ($password) { sha512_crypt($password) },
    pbkdf2 => \&pbkdf2,
);
# The crate hmac moves the key from one function's frame to another's, and sanitizers keep those that have returned.
delete $hash{pbkdf2} if -d $AuthGate::REPORTS;

sub pbkdf2 ($password) {
    require Digest::SHA;
    my $block = Digest::SHA::hmac_sha256('salt' . pack('N', 1), $password);
    return 'pbkdf2:sha256:1$salt$' . unpack 'H*', $block;
}

my $number = 0;

sub canary () {
    return sprintf 'canary-%06d-%s', ++$number, join '', map { ('a' .. 'z')[rand 26] } 1 .. 12;
}

my @cases;
for my $scheme (sort keys %hash) {
    for my $way ('at once', 'chunked', 'in pieces', 'in chunks and pieces', 'percent-encoded') {
        for my $right (1, 0) {
            my $canary = canary();
            push @cases,
                {
                user => "user$number",
                hash => $hash{$scheme}->($right ? $canary : 'canary-other'),
                canary => $canary,
                way => $way,
                status => $right ? 303 : 403,
                name => ($right ? 'a right' : 'a wrong') . " password, $scheme, $way",
                };
        }
    }
}
AuthGate::write_file($server->path('users'), join '', map { "$_->{user}:$_->{hash}\n" } @cases);
$server->run;

my ($worker) = $server->workers;
plan skip_all => 'may not read the memory of the worker' if !can_read_memory($worker);
my $networks = 0;
sub fresh_client () { return $server->client(from => '127.0.1.' . ++$networks) }

# The other way round first: what the worker does have is found.
{
    my $canary = canary();
    my $socket = $server->client->connect;
    print $socket "GET /open HTTP/1.1\r\nHost: x\r\nX-Held: $canary\r\n";
    is $server->client->get('/open')->status, 200, 'a request on its way';
    cmp_ok scalar find_in_memory($worker, $canary), '>', 0, 'E68 the search finds what is there';
}

# The round trip: the worker has done all that comes after the answer.
sub is_wiped ($name, $canary) {
    die if $server->client->get('/open')->status != 200;
    my @found = find_in_memory($worker, $canary);
    is_deeply \@found, [], "E68 $name: wiped";
}

sub chunks ($body, $size) {
    return map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $body;
}

sub encoded ($text) { return $text =~ s/(\w)/sprintf '%%%02x', ord $1/ger }

sub pieces_of ($case) {
    my $bytes = AuthGate::Pending::login_bytes($server->client, $case->{user}, $case->{canary});
    my ($head, $body) = split /(?<=\r\n\r\n)/, $bytes, 2;
    $body =~ s{\Q$case->{canary}\E}{encoded($case->{canary})}e
        if $case->{way} eq 'percent-encoded';
    $head =~ s/Content-Length: \K\d+/length $body/e;
    my $chunked = $head =~ s/Content-Length: \d+/Transfer-Encoding: chunked/r;
    return (
        'at once' => [$head . $body],
        'percent-encoded' => [$head . $body],
        'chunked' => [$chunked . join '', chunks($body, 7), "0\r\n\r\n"],
        'in pieces' => [$head, unpack '(a5)*', $body],
        'in chunks and pieces' =>
            [$chunked . (chunks($body, 9))[0], (chunks($body, 9))[1 .. 100 / 9 - 1], "0\r\n\r\n"],
    );
}

# A round trip between two pieces: the worker has taken the one before the next comes.
sub send_pieces ($client, @pieces) {
    my $pending = AuthGate::Pending->send($client, shift @pieces);
    for my $piece (@pieces) {
        die if $server->client->get('/open')->status != 200;
        $pending->more($piece);
    }
    return $pending;
}

for my $case (@cases) {
    my %pieces = pieces_of($case);
    my @pieces = grep { defined } @{ $pieces{ $case->{way} } };
    is send_pieces(fresh_client(), @pieces)->answer->status, $case->{status},
        "$case->{name}: $case->{status}";
    is_wiped($case->{name}, $case->{canary});
    is_wiped("$case->{name}, as it came", encoded($case->{canary})) if $case->{way} eq 'percent-encoded';
}

# On a connection that stays open, whose buffers nginx keeps.
{
    my ($case) = grep { $_->{way} eq 'at once' && $_->{status} == 303 } @cases;
    my $socket = fresh_client()->connect;
    print $socket AuthGate::Pending::login_bytes($server->client, $case->{user}, $case->{canary},
        headers => { Connection => 'keep-alive' });
    is AuthGate::Response->read($socket, 'POST')->status, 303, 'a login on a connection that stays open';
    is_wiped('a connection that stays open', $case->{canary});
}

# What is not checked.
my %unchecked = (
    'an unknown user' => ['nobody', sub { canary() }, 403],
    'over 1,024 bytes' => ['nobody', sub { canary() . 'x' x 1100 }, 403],
    'over 8 KiB' => ['nobody', sub { canary() . 'x' x 9000 . canary() }, 413, 'chunked'],
    'a malformed form' => ['nobody', sub { canary() }, 400, 'malformed'],
);
for my $name (sort keys %unchecked) {
    my ($user, $password, $status, $how) = @{ $unchecked{$name} };
    $password = $password->();
    my $canary = $password =~ /^(canary-\d+-[a-z]{12})/ ? $1 : die;
    my %headers =
        ($how // '') eq 'chunked' ? ('Content-Length' => undef, 'Transfer-Encoding' => 'chunked') : ();
    my $bytes = AuthGate::Pending::login_bytes($server->client, $user, $password, headers => \%headers);
    my ($head, $body) = split /(?<=\r\n\r\n)/, $bytes, 2;
    if (%headers) { $body = join '', chunks($body, 4000), "0\r\n\r\n" }
    if (($how // '') eq 'malformed') {
        $body =~ s/rd=.*/rd=%zz/;
        $head =~ s/Content-Length: \K\d+/length $body/e;
    }
    is send_pieces(fresh_client(), $head, unpack '(a2000)*', $body)->answer->status, $status,
        "$name: $status";
    is_wiped($name, $canary);
}

# A form that is refused unread, on a connection whose buffer nginx keeps.
for my $chunked (0, 1) {
    my $canary = canary();
    my %headers = ('Sec-Fetch-Site' => 'cross-site', Connection => 'keep-alive');
    my $bytes = AuthGate::Pending::login_bytes($server->client, 'nobody', $canary, headers => \%headers);
    my ($head, $body) = split /(?<=\r\n\r\n)/, $bytes, 2;
    if ($chunked) {
        $head =~ s/Content-Length: \d+/Transfer-Encoding: chunked/;
        $body = join '', chunks($body, 4000), "0\r\n\r\n";
    }
    my $name = 'refused unread' . ($chunked ? ', chunked' : '');
    my $socket = fresh_client()->connect;
    print $socket $head . $body;
    is AuthGate::Response->read($socket, 'POST')->status, 403, "$name: 403";
    is_wiped($name, $canary);
}

# A client that goes away in the middle of the form, or while its password is checked.
for my $way ('in the middle of the form', 'during the check') {
    my $canary = canary();
    my $bytes = AuthGate::Pending::login_bytes($server->client, 'nobody', $canary);
    $bytes = substr $bytes, 0, -3 if $way eq 'in the middle of the form';
    my $pending = AuthGate::Pending->send(fresh_client(), $bytes);
    is $server->client->get('/open')->status, 200, 'a request in between';
    $pending->reset;
    AuthGate::Server::wait_until { $server->access_log =~ /"POST [^"]*" (?:499|400|403) 0?.*\n.*\z/ } 10,
        'nginx to notice';
    AuthGate::Server::wait_until { !find_in_memory($worker, $canary) } 5, 'the password to go'
        if $way eq 'during the check';
    is_wiped("a client gone $way", $canary);
}

done_testing;
