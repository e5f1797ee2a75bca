# I100: nginx -t tells each mistake in "groups", and in the file, with the line of the directive. A
# groups file that workers may not read is one too.

use v5.36;

use AuthGate;
use AuthGate::Mistakes ();
use POSIX ();
use Test::More;

my $server = AuthGate::Mistakes->server;
my ($conf, $groups) = map { $server->path($_) } qw(nginx.conf groups);
AuthGate::write_file($groups, "ops: alice bob\n");

sub realm ($directives) {
    return "authgate_realm ops {\nusers %%USERS%%;\n$directives\n}\nserver { listen 127.0.0.1:%%PORT%%; authgate ops; }";
}

sub check ($directives) { return AuthGate::Mistakes::check(realm($directives)) }

sub is_mistake ($name, $directives, $message) {
    AuthGate::Mistakes::is_mistake($name, realm($directives), qr/\A$message/);
}

sub is_right ($name, $directives = 'groups %%DIR%%/groups;') {
    AuthGate::Mistakes::is_right($name, realm($directives));
}

my $GROUPS = 'groups %%DIR%%/groups; # MARK';

is_right('a groups file');
is_right('relative to the configuration', 'groups groups;');
is_right('first of all', "groups groups; keys keys;");
is_mistake('groups without value', 'groups; # MARK', 'invalid number of arguments in "groups" directive');
is_mistake('groups with two', 'groups a b; # MARK', 'invalid number of arguments in "groups" directive');
is_mistake('groups of no name', 'groups ""; # MARK', 'invalid parameter "" in "groups" directive');
is_mistake('groups twice', "groups groups;\n groups groups; # MARK", '"groups" directive is duplicate');
is_mistake('a missing file', 'groups nosuch; # MARK', 'open\(\) "[^"]*/nosuch" failed \(2: No such file or directory\)');

# The users file is named with its own line, not that of the groups.
{
    my ($passed, $said) = check("groups groups;\n allow_weak off;");
    ok $passed, 'I100 both are right' or diag $said;
    AuthGate::append_file($server->path('users'), "no colon\n");
    ($passed, $said) = check('groups groups;');
    my @lines = split /\n/, AuthGate::read_file($conf);
    my ($line) = grep { $lines[$_ - 1] =~ /^\s*users / } 1 .. @lines;
    like $said, qr{\[emerg\] "[^"]*/users:4": .* in \Q$conf\E:$line$}m, 'I100 a mistake in users beside groups: the line of users';
    AuthGate::write_file($server->path('users'), $AuthGate::USERS);
}

my $name_form = 'must be 1-128 bytes without';
my %line = (
    'no colon'            => ['alice bob',         'no ":" after the group name'],
    'an empty group name' => [': alice',           "invalid group name, $name_form commas and control characters"],
    'a comma in a group'  => ['ops,dev: alice',    "invalid group name, $name_form commas and control characters"],
    'a group of 129 bytes' => ['g' x 129 . ': alice', "invalid group name, $name_form commas and control characters"],
    'a control character' => ["ops: al\eice",      "invalid user name, $name_form control characters"],
    'a name of 129 bytes' => ['ops: ' . 'u' x 129, "invalid user name, $name_form control characters"],
    'quotes'              => ['ops: "a b"',        'names in quotes, as Apache takes them, are not supported'],
    'a continued line'    => ['ops: alice \\',     'lines continued with "\\\\", as Apache takes them, are not supported'],
    'a comment behind'    => ['ops: alice # bob',  'a comment must have a line of its own'],
    'bytes that are no text' => ["ops: al\xffice", 'not UTF-8'],
);
for my $name (sort keys %line) {
    my ($line, $message) = $line{$name}->@*;
    AuthGate::write_file($groups, "# groups\n\nops: alice\n$line\ndev: bob\n");
    is_mistake("a file with $name", $GROUPS, qr/"\Q$groups\E:4": $message/);
}

# I117: odd and large files.
my %odd = (
    'no groups'        => '',
    'comments alone'   => "# nobody\n",
    'a BOM and CRLF'   => "\xef\xbb\xbfops: alice\r\n\r\ndev: bob\r\n",
    '100,000 lines'    => join('', map { "group$_: alice user$_\n" } 1 .. 100_000),
    'a line of 1 MiB'  => 'ops:' . ' alice' x 2**18 . "\n",
    'a comment of 1 MiB' => '#' . 'x' x 2**20 . "\n",
);
for my $name (sort keys %odd) {
    AuthGate::write_file($groups, $odd{$name});
    my $from = time;
    is_right("I117 a file of $name");
    is_within time - $from, 5 * $AuthGate::SLOWER, "I117 a file of $name: in bounded time";
}
AuthGate::write_file($groups, 'x' x 2**20);
is_mistake('a file of 1 MiB without a colon', $GROUPS, qr/"\Q$groups\E:1": no ":" after the group name/);

# I113: nobody waits for what is no file.
my %instead = (
    'a named pipe'      => sub { POSIX::mkfifo($groups, 0644) },
    'an endless device' => sub { symlink '/dev/zero', $groups },
    'a directory'       => sub { mkdir $groups },
);
for my $name (sort keys %instead) {
    unlink $groups or rmdir $groups or die $!;
    $instead{$name}->() or die $!;
    local $SIG{ALRM} = sub { die "$name: nginx -t waits" };
    alarm 60;
    is_mistake("$name in the place of the file", $GROUPS, qr/open\(\) "\Q$groups\E" failed \(not a regular file\)/);
    alarm 0;
}
unlink $groups or rmdir $groups or die $!;
AuthGate::write_file($groups, "ops: alice\n");

SKIP: {
    skip 'not root', 5 if $> != 0;
    chmod 0600, $groups;
    is_mistake(
        'groups that the workers may not read', $GROUPS,
        qr/"\Q$groups\E" cannot be read by the worker user "nobody" \(13: Permission denied\)/
    );
    chmod 0640, $groups;
    chown 0, scalar(getgrnam 'nogroup'), $groups;
    is_right('groups that the group of the workers may read');
}

done_testing;
