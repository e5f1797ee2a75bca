# I101: a mistake is no way around the gate: the reload is refused and what runs goes on.

use v5.36;

use AuthGate;
use AuthGate::Process;
use AuthGate::Server;
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops {
        limit  off;
        users %%USERS%%;
        keys %%KEYS%%;
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

my $server = AuthGate::Server->start($http, workers => 2);
my $alice = $server->client;
$alice->sign_in('alice');

sub gates ($name) {
    is $server->client->get('/hello.txt')->status, 302, "I101 $name: nobody is refused";
    is $alice->get('/hello.txt')->status, 200, "I101 $name: alice's session is good";
    is $server->client->login('bob', 'canary-wrong')->status, 403,
        "I101 $name: a wrong password is refused";
    is $server->client->login('bob', $PASSWORD{bob})->status, 303, "I101 $name: bob signs in";
}

gates('at first');

my %broken = (
    users => {
        'an unknown hash' => "alice:canary-unknown\n",
        'no users' => "# nobody\n",
        'binary' => "\x7fELF\0\1\2",
        'half a line' => substr($AuthGate::USERS, 0, 90),
        'gone' => undef,
    },
    keys => {
        'a short key' => "Y2FuYXJ5\n",
        'no keys' => "\n",
        'binary' => "\x7fELF\0\1\2",
        'the same twice' => $AuthGate::KEYS x 2,
        'gone' => undef,
    },
);
my %whole = (users => $AuthGate::USERS, keys => $AuthGate::KEYS);

# A running worker keeps the last good users, so that all of this holds while the file is broken.
for my $file (sort keys %broken) {
    for my $name (sort keys $broken{$file}->%*) {
        my $content = $broken{$file}{$name};
        my @workers = sort $server->workers;
        if (defined $content) { AuthGate::write_file($server->path($file), $content) }
        else { unlink $server->path($file) or die $! }
        my ($passed, $said) = $server->check;
        ok !$passed, "I101 $file, $name: nginx -t fails";
        like $said, qr{\[emerg\].*\Q@{[ $server->path($file) ]}\E.* in \S+/nginx\.conf:\d+},
            "I101 $file, $name: with file and line";
        ok !$server->reload, "I101 $file, $name: the reload is refused";
        is_deeply [sort $server->workers], \@workers, "I101 $file, $name: the same workers";
        gates("$file, $name");
        AuthGate::write_file($server->path($file), $whole{$file});
        chmod 0600, $server->path($file) if $file eq 'keys';
    }
}

# Mistakes in the configuration itself.
for my $case (
    ['an unknown realm', $http =~ s/authgate ops/authgate dev/r],
    ['no such directive', $http =~ s/users/nonsense on; users/r],
    ['a zone that is too small', $http =~ s/users/zone 1k; users/r],
    ['a pool that is not there', $http =~ s/users/checks pool=nosuch; users/r],
    ['an authgate that says nothing', $http =~ s/authgate ops/authgate/r],
    )
{
    my ($name, $text) = @$case;
    my @workers = sort $server->workers;
    ok !$server->reload($text), "I101 $name: the reload is refused";
    is_deeply [sort $server->workers], \@workers, "I101 $name: the same workers";
    gates($name);
}
$server->expect_alert(qr/\[emerg\] (?:.* in \S+:\d+|.*nothing)$/m);

# Twin: a right one is taken, and the session goes on.
ok reload_whole($server, $http), 'I101 the right files again: the reload is taken';
gates('the right files again');
AuthGate::append_file($server->path('users'), $AuthGate::USERS =~ s/\A.*?:/dave:/r =~ s/\n.*//sr . "\n");
ok reload_whole($server), 'I101 a user more: the reload is taken';
gates('a user more');
is $server->client->login('dave', $PASSWORD{alice})->status, 303, 'I101 a user more: dave signs in';

done_testing;
