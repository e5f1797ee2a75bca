package AuthGate::NoMemory;

# An nginx whose memory runs short when a test says so (t/lib/no_memory.c does it):
#
#     my $memory = AuthGate::NoMemory->new;
#     my $server = AuthGate::Server->start($http, $memory->server);
#     for my $case ($memory->walk(sub { $client->get('/') })) { …$case->{response}, $case->{number} }
#
# walk does it again and again: at first with the first allocation failing, then with the second, until there
# are no more. whose => 'calls' counts the module's calls of nginx's pools, lists and threads; 'program' all
# memory of nginx's own, that of its pools too; 'module' the memory that the module takes itself. lasts => 1
# has all fail that come after the first, too. after => is called with each
# answer, when nothing fails any more.

use v5.36;

use AuthGate;
use Carp ();

my %WHOSE = (program => 1, module => 2, calls => 3);

# What the copy of the module calls by another name: no_memory.c has these.
my @CALLS = qw(
    ngx_palloc ngx_pcalloc ngx_pnalloc ngx_create_pool ngx_list_push ngx_array_push ngx_pool_cleanup_add
    ngx_http_cleanup_add ngx_slab_calloc ngx_thread_task_post
);

# Why it cannot be done here; nothing when it can.
sub cannot () {
    my ($nginx) = grep { -x } $AuthGate::NGINX, map { "$_/$AuthGate::NGINX" } split /:/, $ENV{PATH};
    return 'nginx has an allocator of its own (a sanitizer)' if AuthGate::read_file($nginx // '') =~ /__asan_init/;
    return '';
}

sub new ($class) {
    my $library = "$AuthGate::DIRECTORY/no_memory.so";
    my $source  = "$AuthGate::ROOT/t/lib/no_memory.c";
    system('gcc', qw(-shared -fPIC -O1 -Wall -Wextra -o), $library, $source) == 0 or Carp::croak("gcc failed");
    my $self = bless { library => $library, file => "$AuthGate::DIRECTORY/no_memory" }, $class;
    AuthGate::write_file($self->{file}, pack 'i4', 0, 0, 0, 0);
    $self->{module} = AuthGate::write_file("$AuthGate::DIRECTORY/authgate_module.so", renamed());
    return $self;
}

# The names are bytes in a table of strings, and those that the module lacks are in no other table.
sub renamed () {
    my $module = AuthGate::read_file($AuthGate::MODULE);
    for my $name (@CALLS) {
        my $other = $name =~ s/.\z/_/r;
        $module =~ s/\0\Q$name\E(?=\0)/\0$other/g or Carp::croak("the module does not call $name");
    }
    return $module;
}

# Options for AuthGate::Server.
sub server ($self) { return (module => $self->{module}, env => $self->env) }

sub env ($self) { return { LD_PRELOAD => $self->{library}, NO_MEMORY => $self->{file} } }

# In the place: it is mapped.
sub order ($self, $whose, $left = 0, $lasts = 0) {
    open my $file, '+<:raw', $self->{file} or Carp::croak("$self->{file}: $!");
    syswrite $file, pack 'i4', 0, 0, 0, 0;
    sysseek $file, 4, 0;
    syswrite $file, pack 'i3', $left, $lasts, 0;
    sysseek $file, 0, 0;
    syswrite $file, pack 'i', $whose ? $WHOSE{$whose} : 0;
}

# How many allocations have failed since the last order.
sub failed ($self) { return (unpack 'i4', AuthGate::read_file($self->{file}))[3] }

# What comes of $do with each of its allocations failing in turn. It is asked for once more at the end, when
# all is well: the last case has number 0.
sub walk ($self, $do, %option) {
    my @cases;
    for (my $number = $option{from} // 1; $number < 5_000; $number++) {
        $self->order($option{whose}, $number - 1, $option{lasts} // 0);
        my $response = $do->();
        my $failed   = $self->failed;
        $self->order('');
        $option{after}->($response) if $option{after};
        push @cases, { number => $failed ? $number : 0, response => $response };
        return @cases if !$failed || ($option{most} && @cases >= $option{most});
    }
    Carp::croak('there is no end of allocations');
}

1;
