# J123: who was removed, disabled or given another password has no session of before, also when the old
# line comes back. An edit that says nothing new of a user signs nobody out.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use JSON::PP ();
use Test::More;

my $http = <<'EOF_HTTP';
    authgate_realm ops { users %%USERS%%; groups %%DIR%%/groups; keys %%KEYS%%; limit off; %%STATE%% }
    add_header X-Worker $pid always;
    server { listen 127.0.0.1:%%PORT_all%% reuseport; root %%DIR%%/html; authgate ops; }
EOF_HTTP
my %hash = map { $_ => AuthGate::bcrypt("canary-$_") } qw(old other);
my $server;

sub sign_in ($user, $password) {
    my $client = $server->client(headers => [], port => $server->port('all'));
    $client->login($user, $password);
    return $client->cookie('authgate');
}

# Writes the file and waits until every worker has it: mark signs in with a password of that edit.
my $edit = 0;

sub edit (%user) {
    my $mark = 'canary-mark-' . ++$edit;
    my %all = (keep => { password => $hash{old} }, %user, mark => { password => AuthGate::bcrypt($mark) });
    AuthGate::write_file($server->path('users.new'), JSON::PP->new->canonical->encode(\%all));
    rename $server->path('users.new'), $server->path('users') or die $!;
    AuthGate::Server::wait_until {
        my $cookie = sign_in('mark', $mark);
        $cookie && $server->verdicts($cookie) eq '200';
    }
    20, "edit $edit to be in force";
}

sub bob (%how) { return (bob => { password => $hash{old}, %how }) }

for my $state ('', 'state %%DIR%%/state;') {
    my $name = $state ? 'with state' : 'without state';
    $server = AuthGate::Daemon->prepare($http =~ s/%%STATE%%/$state/r, workers => 2);
    AuthGate::write_file($server->path('groups'), "ops: keep\n");
    AuthGate::write_file($server->path('users'), JSON::PP::encode_json({ keep => $hash{old}, bob() }));
    $server->run;
    edit(bob());
    my $keep = sign_in('keep', 'canary-old');
    for my $case (
        ['removed and there again', sub { edit() }],
        ['disabled and enabled', sub { edit(bob(disabled => JSON::PP::true)) }],
        ['another password and the old one', sub { edit(bob(password => $hash{other})) }],
        )
    {
        my ($what, $away) = @$case;
        my $before = sign_in('bob', 'canary-old');
        is $server->verdicts($before), '200', "$name, $what: bob is in";
        $away->();
        is $server->verdicts($before), '401', "$name, $what: bob is out";
        edit(bob());
        is $server->verdicts($before), '401', "J123 $name, $what: the session of before stays ended";
        my $after = sign_in('bob', 'canary-old');
        is $server->verdicts($after), '200', "J123 $name, $what: a new one holds at once, in every worker";
        is $server->verdicts($keep), '200', "J123 $name, $what: another user goes on";
    }

    my $bob = sign_in('bob', 'canary-old');
    edit(bob(groups => ['sre']), aaron => { password => $hash{other} });
    AuthGate::write_file($server->path('groups'), "sre: bob keep\n");
    edit(bob(groups => [qw(a b)]));
    AuthGate::append_file($server->path('users'), "\n");
    edit(bob());
    is $server->verdicts($bob), '200', "J123 $name: groups, order, other users: bob goes on";
    ok $server->reload && $server->wait_for_old_workers, "$name: reload";
    is $server->verdicts($_), '200', "J123 $name: a reload signs nobody out" for $bob, $keep;

    # An edit and a reload at once: the workers have not seen it, and the master never knew the user.
    edit(bob(), guest => { password => $hash{other} });
    my $guest = sign_in('guest', 'canary-other');
    is $server->verdicts($guest), '200', "$name: a guest is in";
    AuthGate::write_file($server->path('users'), JSON::PP::encode_json({ keep => $hash{old}, bob() }));
    ok $server->reload && $server->wait_for_old_workers, "$name: removed, and a reload at once";
    is $server->verdicts($guest), '401', "$name: the guest is out";
    edit(bob(), guest => { password => $hash{other} });
    is $server->verdicts($guest), '401', "J123 $name: the guest's session of before stays ended";
    my $again = sign_in('guest', 'canary-other');
    is $server->verdicts($again), '200', "J123 $name: a new one holds at once, in every worker";
    is $server->verdicts($keep), '200', "J123 $name: and another user goes on";

    # Over a reload alone: the file of the new configuration is another one.
    AuthGate::write_file($server->path('users2'),
        JSON::PP::encode_json({ keep => $hash{old}, bob => $hash{other} }));
    my $base = $http =~ s/%%STATE%%/$state/r;
    ok $server->reload($base =~ s/%%USERS%%/%%DIR%%\/users2/r) && $server->wait_for_old_workers,
        "$name: reload with another file";
    is $server->verdicts($bob), '401', "$name, reload: another password, bob is out";
    ok $server->reload($base) && $server->wait_for_old_workers, "$name: reload with the first file";
    is $server->verdicts($bob), '401', "J123 $name, reload: the old password again, the session stays ended";
    is $server->verdicts($keep), '200', "J123 $name, reload: another user goes on";
    is $server->verdicts(sign_in('bob', 'canary-old')), '200', "J123 $name, reload: a new one holds";
    $server->stop;
}

done_testing;
