package AuthGate::Process;

# What can be seen of a process from outside: descriptors, threads, memory, and what nginx counts.

use v5.36;

use AuthGate;
use AuthGate::Server;
use Carp ();
use Exporter 'import';

our @EXPORT = qw(is_alive reload_whole descriptors threads connections find_in_memory can_read_memory);

sub is_alive ($pid) { return -e "/proc/$pid" && AuthGate::read_file("/proc/$pid/stat") !~ /\) Z / }

# Reloads a server and waits until its old workers, which take requests until they are told to go, have
# gone. False when nginx refused.
sub reload_whole ($server, @http) {
    my @old = $server->workers;
    $server->reload(@http) or return 0;
    return AuthGate::Server::wait_until {
        !grep { is_alive($_) } @old
    }
    20, 'the old workers to go';
}

# How many descriptors a process has open.
sub descriptors ($pid) {
    opendir my $directory, "/proc/$pid/fd" or Carp::croak("/proc/$pid/fd: $!");
    return scalar grep { !/^\./ } readdir $directory;
}

# The nice values of a process's threads, that of the first thread first.
sub threads ($pid) {
    my @ids = sort { $a <=> $b } map { m{(\d+)$} } glob "/proc/$pid/task/*";
    return map { nice_of("/proc/$pid/task/$_/stat") } @ids;
}

# The name in the second field may hold anything; nice is the 19th field.
sub nice_of ($stat) {
    my @fields = split ' ', AuthGate::read_file($stat) =~ s/.*\) //sr;
    return @fields ? $fields[16] : ();
}

# What stub_status says, without the connection that asks.
sub connections ($client, $path = '/status') {
    my $response = $client->get($path);
    my ($active, $writing) = $response->body =~ /connections: (\d+).*Writing: (\d+)/s
        or Carp::croak('no stub_status: ' . $response->raw);
    return { active => $active - 1, writing => $writing - 1 };
}

sub can_read_memory ($pid) { return !!open my $memory, '<:raw', "/proc/$pid/mem" }

# AddressSanitizer has its own notes in terabytes that nothing else lies in.
my $sanitized = -d $AuthGate::REPORTS;

# The places where a process has these bytes in memory that it can write to: "maps line, +offset".
sub find_in_memory ($pid, $bytes) {
    open my $memory, '<:raw', "/proc/$pid/mem" or Carp::croak("/proc/$pid/mem: $!");
    my @found;
    for my $line (split /\n/, AuthGate::read_file("/proc/$pid/maps")) {
        my ($from, $to) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
        ($from, $to) = map { no warnings 'portable'; hex } $from, $to;
        no warnings 'portable';
        next if $sanitized && $from >= 0x7fff_7000 && $to <= 0x1000_7fff_8000;
        sysseek $memory, $from, 0 or next;
        my $data = '';
        1 while length $data < $to - $from && sysread $memory, $data, $to - $from - length $data,
            length $data;
        my $at = -1;
        push @found, sprintf '%s, +%x', $line, $at while ($at = index $data, $bytes, $at + 1) >= 0;
    }
    return @found;
}

1;
