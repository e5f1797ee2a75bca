# I100: every directive that the source has, in every place where it may not stand, twice, without a value, with
# one too many, with a bad value, with a missing file: nginx -t fails, with file and line, and says so once. A new
# directive is not in the table below, and fails the test.

use v5.36;

use AuthGate;
use AuthGate::Mistakes;
use Test::More;

my $server = AuthGate::Mistakes->server;

# right: a value. wrong: bad ones. many: takes any number of words. again: may stand twice.
my %INSIDE = (
    users        => { right => '%%USERS%%', wrong => ['%%DIR%%/missing', '""', '%%DIR%%'] },
    groups       => { right => '%%DIR%%/groups', wrong => ['%%DIR%%/missing', '""', '%%DIR%%'] },
    keys         => { right => '%%KEYS%%', wrong => ['%%DIR%%/missing', '""', '%%DIR%%'] },
    state        => { right => '%%DIR%%/state', wrong => ['%%DIR%%/missing/state', '""', '%%USERS%%'] },
    path         => { right => '/gate/', wrong => ['gate', '/gate', 'gate/', '/', '//', '/../'] },
    login_url    => { right => 'https://a.example/x', with => 'keys %%KEYS%%; cookie c domain=a.example;',
        wrong => ['/login', 'ftp://a.example/x', 'https://a.example', 'https://b@a.example/x'] },
    return_hosts => { with => 'cookie authgate domain=a.example;', right => 'a.example', many => 1, wrong => ['https://a.example', '*', 'a.example:1'] },
    forwarded    => { right => '127.0.0.1', many => 1, wrong => ['localhost', '192.0.2.0/33', 'unix:/x', '::/129'] },
    cookie       => { right => 'gate', many => 1, wrong => ['"a b"', '__Host-a', 'a secure=1', 'a samesite=none', '""'] },
    session      => { right => 'idle=1h', many => 1, wrong => ['idle=0', 'idle=2h max=1h', 'renew=no', 'max=', '1h'] },
    accept       => { right => 'cookie', many => 1, wrong => ['digest', 'cookie cookie', 'Cookie', '""'] },
    basic_cache  => { right => '5m', wrong => ['0', '5x', '-1', '""', 'off'] },
    limit        => { right => 'retries=5', many => 1,
        wrong => ['retries=0', 'retries=100001', 'retries=-1', 'retries=x', 'find=0', 'find=', 'ban=0', 'ban=1y1y',
            'user_retries=0', 'retries=5 retries=5', 'off off', 'on', 'off retries=5', 'tries=5', '5', '""'] },
    checks       => { right => 'running=1', many => 1, wrong => ['running=0', 'running=65', 'waiting=-1', 'pool=', 'pool=none', '2'] },
    zone         => { right => '1m', wrong => ['1k', '0', 'x', '-1m', '""'] },
    allow_weak   => { right => 'on', wrong => ['yes', 'ON', '1', '""'] },
);

# in: where it may stand. with: what it needs beside it.
my %OUTSIDE = (
    authgate_realm     => { right => 'dev { users %%USERS%%; path /dev/; cookie dev; }', in => [qw(http)], block => 1,
        wrong => ['"a b" { users %%USERS%%; }', 'off { users %%USERS%%; }', 'dev { }', 'ops { users %%USERS%%; }'] },
    authgate           => { right => 'ops', in => [qw(http server location if limit_except)],
        wrong => ['dev', 'ops maybe', 'off optional', '""'] },
    authgate_require   => { right => 'user=alice', with => 'authgate ops;', in => [qw(http server location if limit_except)],
        many => 1, again => 1, wrong => ['alice', 'user=', 'user=a user=b', '""'] },
    authgate_dry_run   => { right => 'off', in => [qw(http server location if limit_except)], wrong => ['yes', '1', '""'] },
    authgate_endpoints => { right => 'ops', in => [qw(location)], wrong => ['dev', '""'] },
    authgate_verify    => { right => 'ops', in => [qw(location)], wrong => ['dev', 'ops maybe', '""'] },
    authgate_status    => { right => 'ops', in => [qw(location)], wrong => ['dev', '""'] },
    authgate_metrics   => { right => '', in => [qw(location)], none => 1, wrong => ['ops', 'off', '""'] },
);

# What the source has.
my $settings = AuthGate::read_file("$AuthGate::ROOT/crates/core/src/settings/mod.rs");
my ($inside) = $settings =~ /DIRECTIVES: [^=]*=\s*\[([^\]]*)\]/;
my @inside   = sort(($inside // '') =~ /"(\w+)"/g);
my @outside  = sort(AuthGate::read_file("$AuthGate::ROOT/src/module.rs") =~ /ngx_string!\("(\w+)"\)/g);
is_deeply [sort keys %INSIDE],  \@inside,  'I100 every directive of a realm is here';
is_deeply [sort keys %OUTSIDE], \@outside, 'I100 every other directive is here';

# The configuration with a text in a place; the text is on a line of its own.
my $realm = "authgate_realm ops { users %%USERS%%; }\n";
my $listen = 'listen 127.0.0.1:%%PORT%%;';
my %PLACE = (
    http         => sub ($text) { "$realm$text\nserver { $listen }" },
    server       => sub ($text) { "${realm}server { $listen\n$text\n}" },
    location     => sub ($text) { "${realm}server { $listen location / {\n$text\n} }" },
    if           => sub ($text) { "${realm}server { $listen location / { if (\$arg_x) {\n$text\n} } }" },
    limit_except => sub ($text) { "${realm}server { $listen location / { limit_except GET {\n$text\n} } }" },
    'if in server' => sub ($text) { "${realm}server { $listen if (\$arg_x) {\n$text\n} }" },
    upstream     => sub ($text) { "${realm}upstream u {\nserver 127.0.0.1:1;\n$text\n}\nserver { $listen }" },
    types        => sub ($text) { "${realm}server { $listen location / { limit_except GET { allow all; } }\n }\nsplit_clients \$uri \$v { * x; }\n$text\n" },
    realm        => sub ($text) { "authgate_realm ops {\nusers %%USERS%%;\n$text\n}\nserver { $listen }" },
    'realm without users' => sub ($text) { "authgate_realm ops {\n$text\n}\nserver { $listen }" },
);
delete $PLACE{types};

AuthGate::write_file($server->path('groups'), "sre: alice\n");

for my $name (@inside) {
    my ($right, $with, $many, $wrong) = $INSIDE{$name}->@{qw(right with many wrong)};
    my $place = $PLACE{ $name eq 'users' ? 'realm without users' : 'realm' };
    $with //= '';
    is_right($name, $place->("$with $name $right;"));
    is_mistake("$name without value", $place->("$with\n$name; # MARK"));
    is_mistake("$name with two values", $place->("$with\n$name $right $right; # MARK")) if !$many;
    is_mistake("$name twice", $place->("$with $name $right;\n$name $right; # MARK"));
    is_mistake("$name $_", $place->("$with\n$name $_; # MARK")) for @$wrong;
    is_mistake("$name with a block", $place->("$with\n$name { } # MARK"));
    for my $elsewhere (sort grep { !/realm/ } keys %PLACE) {
        # Names that nginx has directives of its own for, there.
        next if $elsewhere eq 'upstream' && $name =~ /^(?:zone|state)$/;
        is_mistake("$name in $elsewhere", $PLACE{$elsewhere}->("$name $right; # MARK"));
    }
    is_mistake("$name in main", "server { $listen }", '', "$name $right; # MARK");
}

for my $name (@outside) {
    my ($right, $with, $many, $wrong, $in, $again, $none, $block) =
        $OUTSIDE{$name}->@{qw(right with many wrong in again none block)};
    $with //= '';
    my $end  = $block ? '' : ';';
    my $text = "$name $right$end";
    my %may  = map { $_ => 1 } @$in;
    my ($first) = $may{location} ? 'location' : $in->[0];
    for my $place (sort grep { !/without users/ } keys %PLACE) {
        if ($may{$place}) { is_right("$name in $place", $PLACE{$place}->("$with $text")) }
        elsif ($block && $place eq 'realm') { is_mistake("$name in $place", $PLACE{$place}->("$name $right # MARK")) }
        else { is_mistake("$name in $place", $PLACE{$place}->("$text # MARK")) }
    }
    is_mistake("$name in main", "server { $listen }", '', "$text # MARK");
    is_mistake("$name without value", $PLACE{$first}->("$with\n$name" . ($block ? ' { }' : ';') . ' # MARK')) if !$none;
    is_mistake("$name with four values", $PLACE{$first}->("$with\n$name $right a b c; # MARK")) if !$many && !$block;
    is_mistake("$name twice", $PLACE{$first}->("$with $text\n$text # MARK")) if !$again;
    is_mistake("$name $_", $PLACE{$first}->("$with\n$name $_$end # MARK")) for @$wrong;
    is_mistake("$name with a block", $PLACE{$first}->("$with\n$name $right { } # MARK")) if !$block;
}

done_testing;
