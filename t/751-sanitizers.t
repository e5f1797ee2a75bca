# E57: what the sanitizers have to see, they see, in the module and in nginx, and a test fails of it. For the
# module that misuses memory on request (src/nginx/faults.rs).

use v5.36;

use AuthGate::Faults;
use AuthGate;
use AuthGate::Server;
use Test::More;

plan skip_all => 'scripts/test --nginx 1.28-sanitized has them' if !-d $AuthGate::REPORTS;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { limit off; users %%USERS%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
    }
EOF_HTTP

my %report = (
    'after-drop'   => qr/AddressSanitizer: heap-use-after-free .*\bfaults\.rs:/s,
    'after-return' => qr/AddressSanitizer: stack-use-after-return .*\bfaults\.rs:/s,
    'after-pool'   => qr/AddressSanitizer: heap-use-after-free .*\bfaults\.rs:.*freed by .* ngx_destroy_pool /s,
    'behind-end'   => qr/AddressSanitizer: heap-buffer-overflow .* 0 bytes (?:to the right of|after) 8-byte region/s,
    'misaligned'   => qr/runtime error: .*misaligned address.* in ngx_parse_size/s,
);
for my $fault (sort keys %report) {
    my ($worker) = $server->workers;
    eval { $server->client(headers => ['X-Authgate-Fault' => $fault])->get('/hello.txt') };
    $server->wait_for_log(qr/\[alert\] .*worker process $worker exited on signal 6/);
    like AuthGate::take_reports(), $report{$fault}, "E57 $fault: reported";
    AuthGate::Server::wait_until { $server->workers == 1 } 20, 'another worker';
}

# What the standard library asserts of its unsafe functions goes without a report.
my ($worker) = $server->workers;
eval { $server->client(headers => ['X-Authgate-Fault' => 'null-slice'])->get('/hello.txt') };
$server->wait_for_log(qr/\[alert\] .*worker process $worker exited on signal 6/);
pass 'E57 null-slice: the worker has ended itself';
$server->expect_alert(qr/worker process \d+ exited on signal 6/);

# A report that nobody has asked for makes the test file fail.
my $report = "$AuthGate::REPORTS/report.1";
my $passes = 'use AuthGate; use Test::More; pass; done_testing';
my @prove = ($^X, (map { "-I$_" } @INC), '-e', $passes);
is system("@{[map { quotemeta } @prove]} >/dev/null 2>&1"), 0, 'E57 without a report a test passes';
AuthGate::write_file($report, "a report\n");
isnt system("@{[map { quotemeta } @prove]} >/dev/null 2>&1"), 0, 'E57 with a report it fails';
is AuthGate::read_file("$AuthGate::REPORTS/-e"), "a report\n", 'E57 and the report is kept';
unlink "$AuthGate::REPORTS/-e";

done_testing;
