# Without state sessions last as long as the realm's memory: through reloads, and no further. Said when it is
# made anew (I106), whatever module reads it (I107).

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use AuthGate::Process;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm made  { users %%USERS%%; limit off; zone 1m; }
    authgate_realm given { users %%USERS%%; limit off; zone 1m; keys %%KEYS%%; }
    add_header X-Worker $pid always;
    root %%DIR%%/html;
    server { listen 127.0.0.1:%%PORT_made%%  reuseport; authgate made; }
    server { listen 127.0.0.1:%%PORT_given%% reuseport; authgate given; }
EOF_HTTP

plan skip_all => 'the module is in nginx itself' if !$AuthGate::MODULE;

# Another edition of the module, to be told apart by its login page.
my $NEW = AuthGate::read_file($AuthGate::MODULE);
$NEW =~ s/<h1>Sign in to/<h1>Sign on to/ or die 'no title in the module';

my @realms = qw(made given);
my ($server, %live, %ended);

sub start (%option) {
    $server = AuthGate::Daemon->prepare($http, workers => 2, module => '', %option);
    AuthGate::write_file($server->path('old.so'), AuthGate::read_file($AuthGate::MODULE));
    AuthGate::write_file($server->path('new.so'), $NEW);
    load_from('old');
    $server->run;
}

# Takes effect with the next reload or start.
sub load_from ($name, $text = $http) {
    my $load = "load_module " . $server->path("$name.so") . ';';
    $server->configure($text);
    my $conf = AuthGate::read_file($server->path('nginx.conf'));
    AuthGate::write_file($server->path('nginx.conf'), "$load\n$conf");
}

sub reload_from (@from) {
    load_from(@from);
    return $server->reload && $server->wait_for_old_workers;
}

sub sign_in () {
    for my $realm (@realms) {
        for my $cookies (\%live, \%ended) {
            my $client = $server->client(headers => [], port => $server->port($realm));
            $client->sign_in('alice');
            $cookies->{$realm} = $client->cookie('authgate');
            $client->sign_out if $cookies == \%ended;
        }
    }
}

sub verdicts_are ($live, $name) {
    for my $realm (@realms) {
        is $server->verdicts($live{$realm}, port => $realm), $live, "$name, $realm: who has not signed out: $live";
        is $server->verdicts($ended{$realm}, port => $realm), 401, "$name, $realm: who has stays so";
    }
}

sub edition_is ($edition, $name) {
    my $page = $server->client(port => $server->port('made'))->get('/authgate/login')->body;
    my ($title) = $page =~ /<h1>(Sign \w+) to/;
    is $title, $edition eq 'new' ? 'Sign on' : 'Sign in', "$name: the $edition edition runs";
}

sub log_of ($action) { return join '', $server->lines_of($action) }

start();
sign_in();
verdicts_are(200, 'at first');
my $said = log_of(sub { ok reload_from('old') for 1 .. 2 });
unlike $said, qr/made anew/, 'a reload: nothing is made anew';
verdicts_are(200, 'a reload');

# I106
$said = log_of(sub { ok reload_from('old', $http =~ s/zone 1m/zone 2m/gr), 'another zone size' });
for my $realm (@realms) {
    my $warning = qr/\[warn\].*zone of realm "$realm" is made anew.*: everyone has to sign in again/;
    ok $said =~ $warning, "I106 another zone size, $realm: the log warns";
}
verdicts_are(401, 'I106 another zone size');
sign_in();
verdicts_are(200, 'I106 another zone size and signed in again');
ok reload_from('old', $http =~ s/zone 1m/zone 2m/gr), 'the same size';
verdicts_are(200, 'I106 the same size again');

# One realm's zone alone: the other realm does not notice.
ok reload_from('old', $http =~ s/zone 1m/zone 2m/r =~ s/zone 1m/zone 3m/r), 'the size of one zone';
is $server->verdicts($live{made}, port => 'made'), 200, 'I106 the size of another zone: who is signed in goes on';
is $server->verdicts($live{given}, port => 'given'), 401, 'I106 (its own is made anew)';
$server->stop;

# I107: the file of the module is replaced. A reload goes on with what is loaded; an upgrade and a restart take
# what is there, and so does the way back.
start();
sign_in();
edition_is('old', 'I107 at first');
sub replace_by ($content) {
    AuthGate::write_file($server->path('next.so'), $content);
    rename $server->path('next.so'), $server->path('old.so') or die $!;
}
my $OLD = AuthGate::read_file($AuthGate::MODULE);
for my $case (['replaced', 'new', $NEW], ['and back', 'old', $OLD]) {
    my ($name, $edition, $content) = @$case;
    replace_by($content);
    ok reload_from('old'), "I107 $name: reload";
    verdicts_are(200, "I107 $name, a reload");
    edition_is($edition eq 'new' ? 'old' : 'new', "I107 $name, a reload");
    $server->upgrade;
    verdicts_are(401, "I107 $name, an upgrade");
    edition_is($edition, "I107 $name, an upgrade");
    sign_in();
    verdicts_are(200, "I107 $name, signed in again");
}

# At another path it is the same: nginx loads modules so that the first of two equal names counts.
for my $case (['new', 'new'], ['old', 'old']) {
    my ($name, $edition) = @$case;
    ok reload_from($name), "I107 loaded from $name.so";
    verdicts_are(200, "I107 loaded from $name.so, a reload");
    edition_is($edition eq 'new' ? 'old' : 'new', "I107 loaded from $name.so, a reload");
    $server->restart;
    verdicts_are(401, "I107 loaded from $name.so, a restart");
    edition_is($edition, "I107 loaded from $name.so, a restart");
    sign_in();
    verdicts_are(200, "I107 loaded from $name.so, signed in again");
}

# A worker that is killed is no new memory.
for my $worker ($server->workers) {
    kill KILL => $worker;
    $server->wait_until_gone($worker);
}
AuthGate::Server::wait_until { $server->workers == 2 } 10, 'new workers';
verdicts_are(200, 'all workers killed');
$server->expect_alert(qr/exited on signal 9/);
$server->kill_all;
$server->run;
verdicts_are(401, 'kill -9 of everything');
$server->stop;

# With state all of this is no matter.
$http =~ s/zone 1m;/zone 1m; state %%DIR%%\/state;/g;
start();
sign_in();
for my $case (['new', $NEW], ['old', $OLD]) {
    my ($edition, $content) = @$case;
    replace_by($content);
    ok reload_from('old'), "I107 state, replaced by the $edition edition, a reload";
    verdicts_are(200, "I107 state, replaced by the $edition edition, a reload");
    $server->upgrade;
    verdicts_are(200, "I107 state, the $edition edition, an upgrade");
    edition_is($edition, 'I107 state, an upgrade');
}
$said = log_of(sub { ok reload_from('old', $http =~ s/zone 1m/zone 2m/gr), 'I106 state, another zone size' });
like $said, qr/\[warn\].*"made" is made anew.*: ended sessions are read again from its state/, 'I106 state: the log says so';
verdicts_are(200, 'I106 state, another zone size');
$server->stop;

done_testing;
