# A folder of state that cannot be used: nginx does not start, and says where the mistake is and what is.

use v5.36;

use AuthGate;
use AuthGate::Daemon;
use Test::More;

my $root = $> == 0;
my $line;

sub prepare ($folder) {
    my $server = AuthGate::Daemon->prepare(<<"EOF_HTTP");
    authgate_realm ops {
        users %%USERS%%;
        state $folder;
    }
    add_header X-Worker \$pid always;
    server { listen 127.0.0.1:%%PORT_all%%; root %%DIR%%/html; authgate ops; }
EOF_HTTP
    my @lines = split /\n/, AuthGate::read_file($server->path('nginx.conf'));
    ($line) = grep { $lines[$_ - 1] =~ /\bstate\b/ } 1 .. @lines;
    return $server;
}

# The folder as nginx would make it.
sub make_folder ($path) {
    mkdir $path, 0700 or die "$path: $!";
    chown scalar getpwnam('nobody'), scalar getgrnam('nogroup'), $path if $root;
}

sub refuses_to_start ($server, $name, @patterns) {
    my $said = $server->try;
    my ($emerg) = grep { /\[emerg\]/ } split /^/, $said;
    ok $emerg, "$name: nginx does not start" or return $server->stop;
    unlike $said, qr/panicked/, "$name: nothing panics";
    like $emerg, qr/nginx\.conf:$line\b/, "$name: with file and line";
    like $emerg, $_, "$name: with $_" for @patterns;
    $server->expect_alert(qr/\[emerg\]/);
    $server->check_logs;
}

my $mend = qr/must belong to the worker user "nobody"/;

{
    my $server = prepare('%%DIR%%/nosuch/state');
    refuses_to_start($server, 'the folder above is not there',
        qr/mkdir\(\) "\S+nosuch\/state" failed \(2: No such file or directory\)/);
}
{
    my $server = prepare('%%DIR%%/users');
    refuses_to_start($server, 'a file', qr{"\S+/users});
}
SKIP: {
    skip 'only root can give a folder to another user', 4 if !$root;
    my $server = prepare('%%DIR%%/state');
    mkdir $server->path('state'), 0700 or die $!;
    refuses_to_start($server, 'the folder is of another user', qr/13: Permission denied/, $mend);
    is_deeply [glob $server->path('state/*')], [], 'the folder is of another user: nothing is put there';

    chown scalar getpwnam('nobody'), -1, $server->path('state');
    $server->run;
    is $server->verdicts(''), '401', 'its owner changed, nginx starts';
    $server->stop;
}

# What someone else may have put there, of each file's name.
for my $file (qw(ops.ended ops.lock key)) {
    for my $kind ('symbolic link', 'hard link', 'folder', 'pipe') {
        my $server = prepare('%%DIR%%/state');
        my $folder = $server->path('state');
        my $target = AuthGate::write_file($server->path('target'), '');
        make_folder($folder);
        chown scalar getpwnam('nobody'), -1, $target if $root;
        my %make = (
            'symbolic link' => sub { symlink $target, "$folder/$file" },
            'hard link' => sub { link $target, "$folder/$file" },
            'folder' => sub { mkdir "$folder/$file" },
            'pipe' => sub { POSIX::mkfifo("$folder/$file", 0600)
                && chown scalar getpwnam('nobody'), -1, "$folder/$file" },
        );
        $make{$kind}->() or die "$folder/$file: $!";
        refuses_to_start($server, "$file is a $kind", qr{"\Q$folder/$file\E"});
        is -s $target, 0, "$file is a $kind: nothing is written to where it leads" if $kind =~ /link/;
    }
}

# A key that someone has written.
for my $case (['nothing', ''], ['no key', "nonsense\n"], ['half of one', "Y2FuYXJ5\n"]) {
    my ($name, $content) = @$case;
    my $server = prepare('%%DIR%%/state');
    make_folder($server->path('state'));
    AuthGate::write_file($server->path('state/key'), $content);
    chown scalar getpwnam('nobody'), -1, $server->path('state/key') if $root;
    my $said = $server->try;
    like $said, qr{\[emerg\] .*"\Q@{[ $server->path('state/key') ]}\E}, "the key's file holds $name: nginx does not start";
    $server->expect_alert(qr/\[emerg\]/);
    $server->check_logs;
}

# I101: such a mistake is no way around the gate either.
{
    my $server = prepare('%%DIR%%/state');
    $server->run;
    my $client = $server->client(port => $server->port('all'));
    $client->sign_in('alice');
    my $conf = AuthGate::read_file($server->path('nginx.conf'));
    AuthGate::write_file($server->path('nginx.conf'), $conf =~ s{/state;}{/nosuch/state;}r);
    ok !$server->reload, 'I101 a reload with such a mistake is refused';
    is $client->get('/hello.txt')->status, 200, 'I101 who has signed in goes on';
    is $server->verdicts(''), '401', 'I101 nobody else gets in';
    is $client->sign_out->status, 303, 'I101 signing out works';
    $server->expect_alert(qr{\[emerg\] .*nosuch});
    $server->stop;
}

done_testing;
