# A26: with state, what has ended stays so and what lives goes on, whatever happens to nginx.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Token;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm made  { users %%USERS%%; limit off; state %%DIR%%/state; zone 1m; }
    authgate_realm given { users %%USERS%%; limit off; state %%DIR%%/given; zone 1m; keys %%KEYS%%; }
    add_header X-Worker $pid always;
    root %%DIR%%/html;
    server { listen 127.0.0.1:%%PORT_made%%  reuseport; authgate made; }
    server { listen 127.0.0.1:%%PORT_given%% reuseport; authgate given; }
EOF_HTTP

my $server = AuthGate::Daemon->prepare($http, workers => 2);
my @realms = qw(made given);
my %folder = map { $_ => $server->path($_ eq 'made' ? 'state' : 'given') } @realms;

# Twin of what follows: `nginx -t` makes nothing, here where nothing is there.
{
    my ($passed) = $server->check;
    ok $passed, 'I113a nginx -t passes where the folder is not there';
    ok !-e $_, 'I113a and does not make it' for values %folder;
}
$server->run;

sub client ($realm) { return $server->client(headers => [], port => $server->port($realm)) }

# Cookies that have to be taken, and that have to be refused, by name.
my (%live, %ended);

sub sign_in ($realm, $user, $name) {
    my $client = client($realm);
    $client->sign_in($user);
    $live{$realm}{$name} = $client->cookie('authgate');
    return $client;
}

sub sign_out ($realm, $client, $name) {
    is $client->sign_out->status, 303, "$realm: $name signs out";
    $ended{$realm}{$name} = delete $live{$realm}{$name};
}

sub holds ($when) {
    for my $realm (@realms) {
        my @port = (port => $realm);
        my %live = map { $_ => $server->verdicts($live{$realm}{$_}, @port) } keys $live{$realm}->%*;
        is_deeply \%live, { map { $_ => 200 } keys %live }, "A26 $when, $realm: who lives goes on";
        my %ended = map { $_ => $server->verdicts($ended{$realm}{$_}, @port) } keys $ended{$realm}->%*;
        is_deeply \%ended, { map { $_ => 401 } keys %ended }, "A26 $when, $realm: what ended stays ended";
    }
}

for my $realm (@realms) {
    sign_in($realm, 'alice', 'alice');
    sign_out($realm, sign_in($realm, 'bob', 'bob'), 'bob');
    my $carol = sign_in($realm, 'carol', 'carol before');
    $carol->sign_in('carol');
    $ended{$realm}{'carol before'} = delete $live{$realm}{'carol before'};
    $live{$realm}{'carol'} = $carol->cookie('authgate');
    isnt $live{$realm}{carol}, $ended{$realm}{'carol before'}, "A24 $realm: signing in again, another cookie";
}
holds('at first');

my $signer = AuthGate::Token::read($live{made}{alice})->{id};
my %event = (
    'a reload' => sub { ok $server->reload && $server->wait_for_old_workers, 'reload' },
    'a restart' => sub { $server->restart },
    'kill -9 of everything' => sub { $server->kill_all; $server->run },
    'a binary upgrade' => sub { $server->upgrade },
    'another zone size' => sub {
        $http =~ s/zone \K(\d)m/$1 % 3 + 1 . 'm'/ge;
        ok $server->reload($http) && $server->wait_for_old_workers, 'reload with another zone size';
    },
);
for my $event ('a restart', 'kill -9 of everything', 'a binary upgrade', 'another zone size', 'a reload',
    'another zone size', 'kill -9 of everything', 'a restart')
{
    # Each time someone signs out at the last moment, and someone signs in.
    state $count = 0;
    my $name = 'bob ' . ++$count;
    for my $realm (@realms) {
        sign_in($realm, 'alice', "alice $count");
        sign_out($realm, sign_in($realm, 'bob', $name), $name);
    }
    $event{$event}->();
    holds($event);
}
is AuthGate::Token::read(do { sign_in('made', 'alice', 'late'); $live{made}{late} })->{id}, $signer,
    'A26 the same key signs as at first';
like $server->error_log, qr/zone of realm "made" is made anew/, 'I106 the log says that a zone is made anew';

# The files.
sub marks ($path) {
    my @stat = lstat $path or return 'nothing';
    return sprintf '%04o %s:%s', $stat[2] & 07777, scalar getpwuid $stat[4], scalar getgrgid $stat[5];
}
my $owner = $> == 0 ? 'nobody:nogroup' : getpwuid($>) . ':' . getgrgid($) + 0);
is marks($folder{$_}), "0700 $owner", "$_: the folder belongs to the workers alone" for @realms;
for my $file ("$folder{made}/key", "$folder{made}/made.ended", "$folder{made}/made.lock", "$folder{given}/given.ended") {
    is marks($file), "0600 $owner", "$file belongs to the workers alone";
}
like AuthGate::read_file("$folder{made}/key"), qr{\A[A-Za-z0-9+/]{43}=\n\z}, 'the key is a keys file of one line';
ok !-e "$folder{given}/key", 'where there is a keys file no key is made';

# `nginx -t` leaves all of it as it is.
sub snapshot () {
    return { map { $_ => join ' ', (lstat)[0 .. 7, 9, 10], -d $_ ? '' : AuthGate::read_file($_) }
            map { ($_, glob "$_/*") } values %folder };
}
my $before = snapshot();
my ($passed, $said) = $server->check;
ok $passed, 'I113a nginx -t passes' or diag $said;
is_deeply snapshot(), $before, 'I113a and writes nothing';
$server->stop;
$before = snapshot();
($passed) = $server->check;
ok $passed, 'I113a nginx -t passes while nginx is down';
is_deeply snapshot(), $before, 'I113a and writes nothing';

done_testing;
