# H89, H91: the places in which nginx asks no access module, and ways around a gate that are a matter of the
# configuration. Each is shown: what of it gets out (docs/operations.md says so) and that `authgate check-config`,
# given what nginx -T prints, names the line. Beside it stands what mends it, of which it says nothing.
#
# "# warning RULE" and "# note RULE" at the end of a line are what has to be said of it, and nothing else is.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Upstream;
use Test::More;

my $COMMAND = $AuthGate::COMMAND;
my $built   = `\Q$AuthGate::NGINX\E -V 2>&1`;

sub with ($module, $text) { return $built =~ /--with-http_${module}_module/ ? $text : '' }

my $addition = with(addition => <<'EOF_ADDITION');
        location /before { add_before_body /private/hello.txt; try_files /page.txt =404; }    # warning subrequest
        location /after  { add_after_body /private/hello.txt; try_files /page.txt =404; }     # warning subrequest
        location /before-closed { authgate ops; add_before_body /private/hello.txt; try_files /page.txt =404; }
EOF_ADDITION
my $dav = with(dav => <<'EOF_DAV');
        location /drop/  { dav_methods PUT COPY MOVE; root %%DIR%%/dav; }                      # warning dav
        location /inbox/ { dav_methods PUT DELETE MKCOL; root %%DIR%%/dav; }
EOF_DAV

my $server = AuthGate::Server->prepare(<<"EOF_HTTP");
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    upstream pool { server 127.0.0.1:%%PORT_app%%; }
    ssi_types text/plain;
    addition_types text/plain;

    # A gate for the whole server.
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        if (\$arg_early) { return 200 "hello from behind the gate\\n"; }          # warning return
        location /text     { return 200 "hello from behind the gate\\n"; }       # warning return
        location /inner    { if (\$arg_x) { return 200 "hello from behind the gate\\n"; } }   # warning return
        location /moved    { return 302 /elsewhere?x=hello-from-behind; }       # note return
        location /rewritten { rewrite ^ /elsewhere?x=hello-from-behind redirect; }    # note return
        location /refused  { return 404; }
        location /file     { try_files /hello.txt =404; }
        location /off      { authgate off; try_files /hello.txt =404; }         # note open
        location /health   { authgate off; return 200 "up\\n"; }                 # note open
        location /maybe    { authgate ops optional; try_files /hello.txt =404; }    # note open
        location /dry      { authgate_dry_run on; try_files /hello.txt =404; }  # warning open
        location /said     {
            if (\$http_x_internal) { authgate off; }                            # warning open
            proxy_pass http://pool;
        }
        location /any      { satisfy any; allow 127.0.0.1; deny all; try_files /hello.txt =404; }    # note satisfy
        location /any-all  { satisfy any; allow all; try_files /hello.txt =404; }    # warning satisfy
        location /all      { satisfy all; allow all; try_files /hello.txt =404; }
        location /page     { error_page 401 403 = \@page; proxy_pass http://pool; }    # warning error-page
        location /page-own { error_page 401 403 = \@own; proxy_pass http://pool; }
        location \@page     { authgate off; proxy_pass http://pool; }            # note open
        location \@own      { authgate off; return 200 "own\\n"; }                # note open
    }

    # A gate for some locations.
    server {
        listen 127.0.0.1:%%PORT_some%%;
        root %%DIR%%/html;
        location /private/ { authgate ops; alias %%DIR%%/html/; }
        location /ssi      { ssi on; try_files /ssi.txt =404; }                 # warning ssi
        location /ssi-closed { authgate ops; ssi on; try_files /ssi.txt =404; }
        location /copied   { mirror /mirrored; return 204; }                    # warning subrequest
        location /copied-on { mirror /mirrored; try_files /page.txt =404; }     # warning subrequest
        location /mirrored { authgate ops; proxy_pass http://pool; }
        location /asks     { auth_request /asked; try_files /hello.txt =404; }  # warning auth-request
        location = /asked  { authgate ops; try_files /page.txt =404; }
        location /asks-right { auth_request /verify; try_files /hello.txt =404; }
        location = /verify { internal; authgate_verify ops; }
        location /in/      { authgate ops; rewrite ^/in/(.*) /files/\$1 last; }    # warning rewrite
        location /files/   { internal; alias %%DIR%%/html/; }
        location /in-right/ { authgate ops; rewrite ^/in-right/(.*) /\$1 break; }
$addition$dav
    }

    # A gate for a location, and what nginx prefers to it.
    server {
        listen 127.0.0.1:%%PORT_area%%;
        root %%DIR%%/html;
        location /area/    { authgate ops; try_files /hello.txt =404; }
        location ~ \\.txt\$  { try_files /hello.txt =404; }                      # warning location
        location ~ ^/else/ { try_files /hello.txt =404; }
        location /area/open/ { alias %%DIR%%/html/; index hello.txt; }          # warning location
        location ^~ /sure/ { authgate ops; alias %%DIR%%/html/; }
        location ^~ /sure/open/ { authgate off; alias %%DIR%%/html/; }
    }

    # A server whose return is for everything; and one in which it takes the login page.
    server {
        listen 127.0.0.1:%%PORT_all%%;
        authgate ops;
        return 200 "hello from behind the gate\\n";                              # warning return
    }
    server {
        listen 127.0.0.1:%%PORT_pages%%;
        root %%DIR%%/html;
        location /app { authgate ops; try_files /hello.txt =404; }
        location / { return 302 /app; }                                         # warning pages
    }
    server {
        listen 127.0.0.1:%%PORT_pages_right%%;
        root %%DIR%%/html;
        location /app { authgate ops; try_files /hello.txt =404; }
        location / { return 302 /app; }
        location /authgate/ { authgate_endpoints ops; }
    }

    # The application believes a field.
    server {
        listen 127.0.0.1:%%PORT_identity%%;
        authgate ops;
        proxy_set_header X-Forwarded-User \$authgate_user;
        location /        { proxy_pass http://127.0.0.1:%%PORT_believer%%; }
        location /open    { authgate off; proxy_pass http://127.0.0.1:%%PORT_believer%%; }    # note open
        location /trap    {
            authgate off;                                                       # note open
            proxy_set_header Host x;
            proxy_pass http://127.0.0.1:%%PORT_believer%%;                      # warning identity
        }
        location /shared  { add_header Cache-Control "public, max-age=60"; proxy_pass http://127.0.0.1:%%PORT_believer%%; }    # warning cache
    }

    # Reached from elsewhere, too.
    server {
        listen %%PORT_world%%;                                                  # warning tls
        root %%DIR%%/html;
        location /app { authgate ops; }
        location /other { proxy_pass http://127.0.0.1:%%PORT_believer%%; }      # warning upstream  # warning identity
        location = /metrics { authgate_metrics; }                               # warning metrics
    }
EOF_HTTP

AuthGate::write_file($server->path('html/page.txt'), "page\n");
AuthGate::write_file($server->path('html/ssi.txt'),  "part: <!--#include virtual=\"/private/hello.txt\" -->\n");
mkdir $server->path('dav');
for my $name (qw(drop inbox private)) {
    mkdir $server->path("dav/$name");
    chmod 0777, $server->path("dav/$name");
}
my $app      = AuthGate::Upstream->start($server->port('app'));
my $believer = AuthGate::Upstream->start($server->port('believer'));
$server->run;

# ---- What nginx does -----------------------------------------------------------------------------

my %client = map { $_ => $server->client(headers => [], port => $server->port($_)) }
    '', qw(some area all pages pages_right identity);
my $OUT = qr/hello.from.behind|from the application/;

# Nobody asks. "out": it gets out, although a gate stands there; "kept": it does not.
sub nobody ($port, $path, $wanted, @headers) {
    my $response = $client{$port}->get($path, @headers);
    my $name     = ($port ? "$port " : '') . $path;
    if ($wanted eq 'out') { like $response->raw, $OUT, "H91 $name: nginx does not ask, it gets out" }
    else {
        unlike $response->raw, $OUT, "H91 $name: nothing gets out";
        like $response->status, qr/\A(?:401|404|500|200)\z/, "H91 $name: " . $response->status;
    }
    return $response;
}

nobody('', $_, 'out')
    for qw(/?early=1 /text /inner?x=1 /moved /rewritten /off /maybe /dry /any /any-all /page);
nobody('', $_, 'kept') for qw(/ /inner /refused /file /health /said /all /page-own);
nobody('', '/said', 'out', 'X-Internal' => 'x');
nobody('some', $_, 'out') for qw(/ssi /asks /in/hello.txt);
nobody('area', $_, 'out') for qw(/area/hello.txt /area/open/ /sure/open/hello.txt);
nobody('area', $_, 'kept') for qw(/area/none /sure/hello.txt);
nobody('some', $_, 'kept')
    for qw(/private/none /ssi-closed /asks-right /files/hello.txt /in-right/hello.txt);
nobody('all', '/', 'out');
if ($addition) {
    nobody('some', $_, 'out') for qw(/before /after);
    nobody('some', '/before-closed', 'kept');
}

# A mirror: nobody sees an answer, but the application gets the request.
{
    my $before = $app->count;
    is $client{some}->get('/copied-on')->body, "page\n", 'H91 mirror: the page itself';
    $app->wait_for_request($before);
    pass 'H91 mirror: nginx does not ask, the request gets to the application';
}

# COPY and MOVE of WebDAV: the target is not asked about.
if ($dav) {
    my $put = $client{some}->request('PUT', '/drop/x', 'planted');
    is $put->status, 201, 'H91 DAV: a file';
    my $to = 'http://127.0.0.1:' . $server->port('some') . '/private/planted';
    is $client{some}->request('MOVE', '/drop/x', undef, Destination => $to)->status, 204,
        'H91 DAV: nginx does not ask about the target';
    is AuthGate::read_file($server->path('dav/private/planted')), 'planted', 'H91 DAV: it lies behind the gate';
    is $client{some}->request('MOVE', '/inbox/x', undef, Destination => $to)->status, 405, 'H91 DAV: without MOVE it cannot';
}

# The login page.
is $client{pages}->get('/app', 'Sec-Fetch-Mode' => 'navigate')->status, 302, 'H91 pages: sent to the login';
is $client{pages}->get('/authgate/login')->header('Location'), 'http://127.0.0.1:' . $server->port('pages') . '/app',
    'H91 pages: which return takes';
is $client{pages_right}->get('/authgate/login')->status, 200, 'H91 pages: authgate_endpoints mends it';

# Who it is.
$client{identity}->sign_in('alice');
for my $case (['/', 'alice'], ['/open', undef], ['/trap', 'mallory']) {
    my ($path, $user) = @$case;
    my @alice = $path eq '/' ? () : (Cookie => undef);
    $client{identity}->get($path, 'X-Forwarded-User' => 'mallory', @alice);
    is_deeply [$believer->header_values('X-Forwarded-User')], [$user // ()], "H91 identity $path: " . ($user // 'nobody');
}

# ---- What check-config says ----------------------------------------------------------------------

my ($passed, $dump) = do {
    open my $output, '-|', join(' ', map { quotemeta } $server->command('-T')) . ' 2>/dev/null' or die $!;
    local $/;
    my $text = <$output>;
    (close $output, $text);
};
ok $passed, 'nginx -T prints the configuration';
my $file = AuthGate::write_file($server->path('dump'), $dump);
my $conf = $server->path('nginx.conf');

sub said (@arguments) {
    my $said = join '', map { quotemeta . ' ' } $COMMAND, 'check-config', @arguments;
    my $text = `$said 2>&1`;
    return ($? >> 8, $text);
}

my (@wanted, $number);
for my $line (split /\n/, AuthGate::read_file($conf)) {
    $number++;
    push @wanted, map { "$number $_" } $line =~ /# ((?:warning|note) [a-z-]+)/g;
}
my ($status, $text) = said($file);
my @said = $text =~ /^\Q$conf\E:(\d+: (?:warning|note): .* \[[a-z-]+\])$/mg;
s/^(\d+): (warning|note): .* \[([a-z-]+)\]$/$1 $2 $3/ for @said;
my $order = sub ($entry) { my ($line, $rest) = split ' ', $entry, 2; return sprintf '%05d %s', $line, $rest };
is_deeply [sort map { $order->($_) } @said], [sort map { $order->($_) } @wanted], 'check-config names all of these lines, and no other'
    or diag $text;
is $status, 1, 'check-config: exit status 1';
cmp_ok scalar @wanted, '>', 30, '(there are many)';

# The configuration itself instead of what nginx -T prints.
my ($status_of_file, $text_of_file) = said($conf);
is $text_of_file, $text, 'check-config says the same of the file itself';

done_testing;
