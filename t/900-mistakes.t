# I100: nginx -t tells every mistake with its file and line.

use v5.36;

use AuthGate;
use AuthGate::Mistakes;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Mistakes->server;

AuthGate::write_file($server->path('broken-keys'),
    "first Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=\n\nsecond canary\n");
chmod 0600, $server->path('broken-keys');
AuthGate::write_file($server->path('empty'), '');
AuthGate::write_file($server->path('weak'), "alice:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n");

# A realm with one directive on a line of its own.
sub realm ($directive, $name = 'ops') {
    my $users = $directive =~ /^\s*users\b/ ? '' : 'users %%USERS%%;';
    return
        "    authgate_realm $name {\n    $users\n    $directive # MARK\n    }\n    server { listen 127.0.0.1:%%PORT%%; }\n";
}

sub location ($directive) {
    return
        "    authgate_realm ops { users %%USERS%%; }\n    server { listen 127.0.0.1:%%PORT%%; location / {\n"
        . "    $directive # MARK\n    } }\n";
}

is_right('the smallest realm', realm(''));
is_right('no realm', 'server { listen 127.0.0.1:%%PORT%%; }');

# ---- authgate_realm ----------------------------------------------------------------------------

my $block = '{ users %%USERS%%; }';
is_mistake(
    'authgate_realm without name',
    "authgate_realm $block # MARK",
    'invalid number of arguments in "authgate_realm"'
);
is_mistake(
    'authgate_realm with two names',
    "authgate_realm a b $block # MARK",
    'invalid number of arguments in "authgate_realm"'
);
is_mistake(
    'authgate_realm without block',
    "authgate_realm ops; # MARK",
    'directive "authgate_realm" has no opening "\{"'
);
is_mistake(
    'authgate_realm twice',
    "authgate_realm ops $block\nauthgate_realm ops {# MARK\n users %%USERS%%; }",
    'duplicate|"ops"'
);
is_mistake(
    'authgate_realm in main',
    '',
    '"authgate_realm" directive is not allowed here',
    "authgate_realm ops { users x; } # MARK"
);
is_mistake(
    'authgate_realm in server',
    "server {\nauthgate_realm ops $block # MARK\n}",
    '"authgate_realm" directive is not allowed here'
);
is_mistake(
    'authgate_realm in location',
    location("authgate_realm two $block"),
    '"authgate_realm" directive is not allowed here'
);
is_mistake('authgate_realm in a realm', realm("authgate_realm two { users %%USERS%%; }"),
    'unexpected "\{"');
is_mistake("authgate_realm of name $_", "authgate_realm $_ {# MARK\n}", 'invalid realm name')
    for '"a b"', '""', 'a/b', "caf\xc3\xa9", 'off', 'x' x 65;
is_right("authgate_realm of name $_", realm('', $_)) for 'a', 'A_b-1.c', 'x' x 64;
is_mistake(
    'authgate_realm without users',
    "authgate_realm ops {\nzone 1m;\n} # MARK",
    'no "users" directive in realm "ops"'
);
is_mistake('authgate_realm without end', "authgate_realm ops { users %%USERS%%;", 'unexpected end of file');
is_mistake('an unknown directive', realm('nonsense on;'), 'unknown directive "nonsense"');
is_mistake('a directive of nginx', realm('root /;'), 'unknown directive "root"');
is_mistake('a block', realm('location / { }'), 'unexpected "\{"');
is_mistake('a directive without semicolon',
    realm('zone 1m }'), 'unexpected "}"|directive "zone" is not terminated');

# ---- inside ------------------------------------------------------------------------------------

my %right = (
    users => '%%USERS%%',
    keys => '%%KEYS%%',
    path => '/gate/',
    cookie => 'gate',
    session => 'idle=1h',
    checks => 'running=1',
    zone => '1m',
    accept => 'cookie',
    allow_weak => 'on',
);

for my $name (sort keys %right) {
    is_right("$name", realm("$name $right{$name};"));
    is_mistake("$name without value",
        realm("$name;"), qq(invalid number of arguments in "$name" directive|no "$name"|"$name"));
    my $first = $name eq 'users' ? '' : "$name $right{$name};";
    is_mistake(
        "$name twice",
        "authgate_realm ops {\nusers %%USERS%%; $first\n$name $right{$name}; # MARK\n}",
        qq("$name" directive is duplicate)
    );
    is_mistake(
        "$name in http",
        "$name $right{$name}; # MARK",
        qq(unknown directive "$name"|"$name" directive is not allowed here|no such|invalid)
    ) if $name !~ /^(?:users|session|accept)$/;
    is_mistake(
        "$name in location",
        location("$name $right{$name};"),
        qq(unknown directive "$name"|"$name" directive is not allowed here)
    );
}

my @wrong = (
    ['users a b', 'invalid number of arguments in "users" directive'],
    ['users ""', 'invalid parameter ""|users'],
    ['users %%DIR%%/nothing', 'open\(\) "[^"]*/nothing" failed|No such file'],
    ['users %%DIR%%', 'Is a directory|failed'],
    ['users %%DIR%%/empty', 'no users'],
    ['users %%DIR%%/weak', 'weak hash'],
    ['keys a b', 'invalid number of arguments in "keys" directive'],
    ['keys %%DIR%%/nothing', 'open\(\) "[^"]*/nothing" failed|No such file'],
    ['keys %%DIR%%/empty', 'no keys'],
    ['keys %%DIR%%/broken-keys', '"[^"]*/broken-keys:3": (?:invalid base64|key is shorter)'],
    ['path gate/', 'invalid path "gate/"'],
    ['path /gate', 'invalid path "/gate"'],
    ['path /', 'invalid path "/"'],
    ['path //', 'invalid path "//"'],
    ['path /a//b/', 'invalid path'],
    ['path /a/../b/', 'invalid path'],
    ['path /./', 'invalid path'],
    ['path /a%20b/', 'invalid path'],
    ['path "/a b/"', 'invalid path'],
    ['path /a/ /b/', 'invalid number of arguments in "path" directive'],
    ['path ""', 'path'],
    ['cookie ""', 'cookie'],
    ['cookie "a b"', 'cookie'],
    ['cookie a;b', 'unknown directive "b"|invalid number|cookie'],
    ['cookie a=b', 'cookie'],
    ['cookie __Host-gate', 'cookie|__Host-'],
    ['cookie __host-gate', 'cookie|__Host-'],
    ['cookie __Secure-gate', 'cookie|__Secure-'],
    ['cookie gate samesite=no', 'invalid parameter "samesite=no"'],
    ['cookie gate samesite=none', 'samesite=none|secure'],
    ['cookie gate samesite=none secure=auto', 'samesite=none|secure'],
    ['cookie gate secure=yes', 'invalid parameter "secure=yes"'],
    ['cookie gate domain=', 'invalid parameter "domain="'],
    ['cookie gate "domain=a b"', 'domain'],
    ['cookie gate secure=on secure=on', 'invalid parameter "secure=on"'],
    ['cookie gate nonsense', 'invalid parameter "nonsense"'],
    ['cookie gate path=/', 'invalid parameter "path=/"'],
    ['session idle=0', 'invalid parameter "idle=0"'],
    ['session idle=x', 'invalid parameter "idle=x"'],
    ['session idle=', 'invalid parameter "idle="'],
    ['session idle=-1', 'invalid parameter "idle=-1"'],
    ['session idle=1h idle=1h', 'invalid parameter "idle=1h"'],
    ['session idle=2h max=1h', 'idle time is longer than its max time'],
    ['session max=2y', 'session max time is too long: what has ended is remembered for a year, use at most "max=365d"'], # J124
    ['session max=99999999999999999999', 'invalid parameter'],
    ['session 1h', 'invalid parameter "1h"'],
    ['session renew=never', 'invalid parameter "renew=never"'],
    ['session nonsense=1', 'invalid parameter "nonsense=1"'],
    ['checks running=0', 'invalid parameter "running=0"'],
    ['checks running=x', 'invalid parameter "running=x"'],
    ['checks running=', 'invalid parameter "running="'],
    ['checks running=-1', 'invalid parameter "running=-1"'],
    ['checks running=1000000', 'invalid parameter "running=1000000"'],
    ['checks waiting=x', 'invalid parameter "waiting=x"'],
    ['checks waiting=99999999999999999999', 'invalid parameter'],
    ['checks pool=', 'invalid parameter "pool="'],
    ['checks pool=nosuch', 'unknown thread pool "nosuch"'],
    ['checks 2', 'invalid parameter "2"'],
    ['checks running=1 running=1', 'invalid parameter "running=1"'],
    ['zone 1k', 'too small'],
    ['zone 0', 'too small'],
    ['zone x', 'invalid parameter "x"'],
    ['zone 1g', 'invalid parameter "1g"'],
    ['zone -1m', 'invalid parameter "-1m"'],
    ['zone 99999999999999999999m', 'invalid parameter'],
    ['zone 1m 1m', 'invalid number of arguments in "zone" directive'],
    ['accept nonsense', 'invalid parameter "nonsense"'],
    ['accept cookie nonsense', 'invalid parameter "nonsense"'],
    ['accept cookie cookie', 'invalid parameter "cookie"'],
    ['allow_weak yes', 'invalid parameter "yes"|invalid value "yes"'],
    ['allow_weak on off', 'invalid number of arguments in "allow_weak" directive'],
);
is_mistake($_->[0], realm("$_->[0];"), $_->[1]) for @wrong;

is_right($_, realm("$_;"))
    for (
    'cookie gate domain=example.com samesite=strict secure=off',
    'cookie gate samesite=none secure=on',
    'session idle=30m max=8h',
    'session max=10m',
    'session idle=90',
    'session idle=1h30m max=1d',
    'checks pool=default running=64 waiting=0',
    'checks waiting=65536',
    'zone 64k',
    'zone 65536',
    'zone 2M',
    'accept cookie bearer',
    'accept bearer',
    'allow_weak off',
    'path /a/b/c-d_e.f~/',
    );
is_right('users with a weak hash, allow_weak', "authgate_realm ops { users %%DIR%%/weak; allow_weak on; }");
is_right('allow_weak first', "authgate_realm ops { allow_weak on; users %%DIR%%/weak; }");
is_right('users relative to the configuration', 'authgate_realm ops { users users; keys keys; }');

# ---- authgate, authgate_endpoints ----------------------------------------------------------------

is_mistake('authgate without value',
    location('authgate;'), 'invalid number of arguments in "authgate" directive');
is_mistake(
    'authgate with three',
    location('authgate ops optional more;'),
    'invalid number of arguments in "authgate" directive'
);
is_mistake(
    'authgate with an unknown parameter',
    location('authgate ops maybe;'),
    'invalid parameter "maybe"'
);
is_mistake(
    'authgate off with a parameter',
    location('authgate off optional;'),
    'invalid parameter "optional"'
);
is_mistake('authgate of an unknown realm', location('authgate dev;'), 'unknown realm "dev"');
is_mistake('authgate of an empty name', location('authgate "";'), 'unknown realm ""|invalid');
is_mistake('authgate with another case', location('authgate Ops;'), 'unknown realm "Ops"');
is_mistake(
    'authgate twice',
    location("authgate ops;\nauthgate ops;"),
    '"authgate" directive is duplicate|is duplicate'
);
is_mistake(
    'authgate twice, off last',
    location("authgate ops;\nauthgate off;"),
    '"authgate" directive is duplicate|is duplicate'
);
is_mistake('authgate in main', '', '"authgate" directive is not allowed here', 'authgate ops; # MARK');
is_mistake(
    'authgate in upstream',
    "upstream u {\n server 127.0.0.1;\n authgate ops; # MARK\n}",
    '"authgate" directive is not allowed here'
);
is_mistake(
    'authgate in if of server',
    "authgate_realm ops $block\nserver { listen 127.0.0.1:%%PORT%%; if (\$arg_x) {\n authgate ops; # MARK\n} }",
    '"authgate" directive is not allowed here'
);
is_mistake(
    'authgate of an unknown realm in http',
    "authgate dev; # MARK\nserver { listen 127.0.0.1:%%PORT%%; }",
    'unknown realm "dev"'
);
is_mistake(
    'authgate of an unknown realm in server',
    "server { listen 127.0.0.1:%%PORT%%;\n authgate dev; # MARK\n}",
    'unknown realm "dev"'
);
is_mistake(
    'authgate of an unknown realm in if',
    location("if (\$arg_x) {\n authgate dev;# MARK\n }\n set \$y 1;") =~ s/set \$y 1; # MARK//r,
    'unknown realm "dev"'
);
is_mistake(
    'authgate of an unknown realm in limit_except',
    location("limit_except GET {\n authgate dev;# MARK\n }\n set \$y 1;") =~ s/set \$y 1; # MARK//r,
    'unknown realm "dev"'
);

is_right("authgate in $_->[0]", "authgate_realm ops $block\n$_->[1]")
    for (
    ['http', 'authgate ops; server { listen 127.0.0.1:%%PORT%%; }'],
    ['server', 'server { listen 127.0.0.1:%%PORT%%; authgate ops; }'],
    ['location', 'server { listen 127.0.0.1:%%PORT%%; location / { authgate ops; } }'],
    ['if', 'server { listen 127.0.0.1:%%PORT%%; location / { if ($arg_x) { authgate ops; } } }'],
    [
        'limit_except',
        'server { listen 127.0.0.1:%%PORT%%; location / { limit_except GET { authgate ops; } } }'
    ],
    ['a named location', 'server { listen 127.0.0.1:%%PORT%%; location @x { authgate ops optional; } }'],
    );
is_right('authgate off without a realm', 'server { listen 127.0.0.1:%%PORT%%; authgate off; }');
is_right('a realm declared after its use',
    "server { listen 127.0.0.1:%%PORT%%; authgate ops; }\nauthgate_realm ops $block");
is_right('a realm that nobody uses', "authgate_realm ops $block");
is_right(
    'a realm of many servers',
    "authgate_realm ops $block authgate ops;\n"
        . 'server { listen 127.0.0.1:%%PORT%%; server_name s; }'
        . 'server { listen 127.0.0.1:%%PORT%%; server_name t; }'
);

is_mistake(
    'authgate_endpoints without value',
    location('authgate_endpoints;'),
    'invalid number of arguments in "authgate_endpoints" directive'
);
is_mistake(
    'authgate_endpoints with two',
    location('authgate_endpoints ops more;'),
    'invalid number of arguments in "authgate_endpoints" directive'
);
is_mistake(
    'authgate_endpoints of an unknown realm',
    location('authgate_endpoints dev;'),
    'unknown realm "dev"'
);
is_mistake(
    'authgate_endpoints twice',
    location("authgate_endpoints ops;\nauthgate_endpoints ops;"),
    'is duplicate'
);
is_mistake(
    'authgate_endpoints in http',
    "authgate_realm ops $block\nauthgate_endpoints ops; # MARK",
    '"authgate_endpoints" directive is not allowed here'
);
is_mistake(
    'authgate_endpoints in server',
    "authgate_realm ops $block\nserver {\nauthgate_endpoints ops; # MARK\n}",
    '"authgate_endpoints" directive is not allowed here'
);
is_mistake(
    'authgate_endpoints in if',
    location("if (\$arg_x) {\nauthgate_endpoints ops;# MARK\n}\nset \$y 1;") =~ s/set \$y 1; # MARK//r,
    '"authgate_endpoints" directive is not allowed here'
);
is_mistake(
    'authgate_endpoints in limit_except',
    location("limit_except GET {\nauthgate_endpoints ops;# MARK\n}\nset \$y 1;") =~ s/set \$y 1; # MARK//r,
    '"authgate_endpoints" directive is not allowed here'
);
is_mistake(
    'authgate_endpoints in a realm',
    realm('authgate_endpoints ops;'),
    'unknown directive "authgate_endpoints"'
);
is_right('authgate_endpoints', location('authgate_endpoints ops;'));

# ---- two realms in one server --------------------------------------------------------------------

sub two ($first, $second,
    $where = "location /a { authgate one; }\n location /b {\n authgate two; # MARK\n }")
{
    return
        "authgate_realm one { users %%USERS%%; $first }\nauthgate_realm two { users %%USERS%%; $second }\n"
        . "server { listen 127.0.0.1:%%PORT%%;\n $where\n}";
}
my $clash = 'same cookie name or overlapping paths|"one" and "two"|"two" and "one"';
is_mistake('two realms of one server, all defaults', two('', ''), $clash);
is_mistake('two realms with the same cookie name', two('path /a/gate/;', 'path /b/gate/;'), $clash);
is_mistake('two realms with the same path', two('cookie one;', 'cookie two;'), $clash);
is_mistake('two realms with overlapping paths',
    two('cookie one; path /gate/;', 'cookie two; path /gate/two/;'), $clash);
is_mistake('two realms with overlapping paths the other way',
    two('cookie one; path /gate/one/;', 'cookie two; path /gate/;'), $clash);
is_mistake('two realms, server and location',
    two('', '', "authgate one;\n location /b {\n authgate two; # MARK\n }"), $clash);
is_right('two realms apart', two('', 'cookie two; path /two/;'));
is_right('two realms whose paths begin alike', two('path /gate/;', 'cookie two; path /gate2/;'));
is_right(
    'two realms in two servers',
    "authgate_realm one $block\nauthgate_realm two $block\n"
        . 'server { listen 127.0.0.1:%%PORT%%; server_name s; authgate one; } server { listen 127.0.0.1:%%PORT%%; server_name t; authgate two; }'
);

# ---- include -------------------------------------------------------------------------------------

AuthGate::write_file($server->path('realm.inc'), $server->expand("zone 2m;\nusers %%USERS%%;\n"));
AuthGate::write_file($server->path('nested.inc'), "cookie gate;\ninclude realm.inc;\n");
AuthGate::write_file($server->path('mistake.inc'), "\n\nzone 1k;\n");
mkdir $server->path('conf.d');
AuthGate::write_file($server->path('conf.d/1.conf'), $server->expand("users %%USERS%%;\n"));
AuthGate::write_file($server->path('conf.d/2.conf'), "zone 2m;\n");
is_right('include', 'authgate_realm ops { include realm.inc; }');
is_right('include last', 'authgate_realm ops { cookie gate; include %%DIR%%/realm.inc; }');
is_right('include of an include', 'authgate_realm ops { include nested.inc; }');
is_right('include of many', 'authgate_realm ops { include conf.d/*.conf; }');
is_right('include of none', 'authgate_realm ops { users %%USERS%%; include nothing.d/*.conf; }');
like is_mistake(
    'a mistake in an include',
    'authgate_realm ops { users %%USERS%%; include mistake.inc; }',
    'too small'
    ),
    qr{ in \Q@{[ $server->path('mistake.inc') ]}\E:3$}m,
    'I100 a mistake in an include: its own file and line';
is_mistake(
    'twice, in an include',
    "authgate_realm ops { zone 2m; include realm.inc; }",
    '"zone" directive is duplicate'
);
is_mistake('include of a missing file', realm('include nothing.inc;'),
    'open\(\) "[^"]*nothing.inc" failed');
is_mistake('include without value', realm('include;'), 'include');

# ---- files ---------------------------------------------------------------------------------------

my $good = bcrypt('canary', 4);
my %line = (
    'an unknown hash' => ['bob:canary-unknown', 'unknown hash'],
    'no colon' => ['bob', 'no ":" after the user name'],
    'an empty name' => [":$good", 'invalid user name'],
    'a duplicate user' => ["user3:$good", 'user "user3" is duplicate'],
    'a bcrypt cost too low' =>
        ['bob:' . $good =~ s/\$04\$/\$03\$/r, 'bcrypt cost 3 is out of range|malformed'],
    'a bcrypt cost too high' => ['bob:' . $good =~ s/\$04\$/\$16\$/r, 'bcrypt cost 16 is out of range'],
    'a broken bcrypt hash' => ['bob:' . substr($good, 0, 40), 'malformed'],
    'a plain password' => ['bob:{PLAIN}canary', 'weak hash'],
    'an MD5-crypt hash' => ['bob:$1$saltsalt$kGVHIwvqIjWCEbTBsVXUI.', 'weak hash'],
    'an apr1 hash' => ['bob:$apr1$saltsalt$2w8tJhWHBrHfPxM0q2X6E0', 'weak hash'],
    'too many rounds' => ['bob:$6$rounds=9999999$saltsalt$' . 'x' x 86, 'rounds|malformed'],
    'too many iterations' => ['bob:pbkdf2:sha256:9999999$salt$' . 'a' x 64, 'iterations'],
    'bytes that are no text' => ["b\xffb:$good", 'not UTF-8'],
    'a control character' => ["b\eb:$good", 'invalid user name'],
    'a name of 129 bytes' => ['b' x 129 . ":$good", 'invalid user name'],
    'a bad group' => ["bob:$good:groups=a,,b", 'invalid group name'],
);
for my $name (sort keys %line) {
    my ($line, $message) = @{ $line{$name} };
    AuthGate::write_file(
        $server->path('mistaken'),
        join '', "# users\n", map({ "user$_:$good\n" } 1 .. 15),
        "$line\n", "last:$good\n"
    );
    is_mistake(
        "users: $name",
        realm('users %%DIR%%/mistaken;'),
        qr{\A"\Q@{[ $server->path('mistaken') ]}\E:17": .*(?:$message)}
    );
}
AuthGate::write_file($server->path('mistaken'), "{\n  \"alice\": \"$good\",\n  \"bob\": [\"canary\"]\n}\n");
is_mistake(
    'users, JSON: an unknown hash',
    realm('users %%DIR%%/mistaken;'),
    qr{/mistaken:3": .*unknown hash}
);
AuthGate::write_file($server->path('mistaken'), "{\n  \"alice\": \"$good\",\n");
is_mistake('users, JSON: cut', realm('users %%DIR%%/mistaken;'), qr{/mistaken:\d+": .*JSON});
AuthGate::write_file($server->path('mistaken'), "basic_auth_users:\n  alice: $good\n  bob: canary\n");
is_mistake(
    'users, YAML: an unknown hash',
    realm('users %%DIR%%/mistaken;'),
    qr{/mistaken:3": .*unknown hash}
);

# ---- rights --------------------------------------------------------------------------------------

SKIP: {
    skip 'not root', 8 if $> != 0;
    chmod 0600, $server->path('users');
    is_mistake(
        'users that the workers may not read',
        realm('users %%USERS%%;'),
        '"[^"]*/users" cannot be read by the worker user "nobody".*denied'
    );
    chmod 0644, $server->path('users');
    mkdir $server->path('closed');
    AuthGate::write_file($server->path('closed/users'), $AuthGate::USERS);
    chmod 0700, $server->path('closed');
    is_mistake(
        'users in a directory that the workers may not enter',
        realm('users %%DIR%%/closed/users;'),
        '"[^"]*/closed/users" cannot be read by the worker user "nobody".*denied'
    );
    is_right('keys that only root may read', realm('keys %%KEYS%%;'));
    my $group = getgrnam 'nogroup';
    chown 0, $group, $server->path('users');
    chmod 0640, $server->path('users');
    is_right('users that the group of the workers may read', realm('users %%USERS%%;'));
}

done_testing;
