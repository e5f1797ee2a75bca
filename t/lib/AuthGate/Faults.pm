package AuthGate::Faults;

# The module that fails on request (scripts/build --faults), for the whole test file:
#
#     use AuthGate::Faults;          # before AuthGate; skips the file where it has not been built
#
# or for some of its servers:
#
#     use AuthGate::Faults ();
#     AuthGate::Server->start($http, module => $AuthGate::Faults::MODULE);

use v5.36;

use Cwd ();
use File::Spec ();

# As AuthGate has it, which is not to be loaded yet.
my $root   = Cwd::abs_path(__FILE__ =~ s{[^/]*\z}{../../..}r);
my $target = File::Spec->rel2abs($ENV{CARGO_TARGET_DIR} || 'target', $root);
our $MODULE = $ENV{AUTHGATE_FAULTS_MODULE} // "$target/nginx-faults/ngx_http_authgate_module.so";

sub import ($class) {
    $INC{'AuthGate.pm'} and die "use AuthGate::Faults before AuthGate\n";
    if (my $missing = missing()) {
        say "1..0 # SKIP $missing";
        exit;
    }
    $ENV{AUTHGATE_MODULE} = $MODULE;
}

# What to do where it has not been built.
sub missing () { return !-e $MODULE && "no $MODULE: run scripts/build --faults first" }

1;
