# Basic beside everything else that nginx does with a request: the gate of the location that serves decides.

use v5.36;

use AuthGate;
use AuthGate::Basic;
use AuthGate::Server;
use AuthGate::Upstream;
use AuthGate::Users;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP', workers => 2);
    authgate_realm ops { users %%USERS%%; accept cookie bearer basic; limit off; }
    authgate_realm two { users %%USERS%%; accept basic; limit off; path /two/; cookie two; }
    authgate_realm form { users %%USERS%%; path /form/; cookie form; limit off; }
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
    log_format seen '$uri $status $authgate_user $authgate_method $authgate_status $remote_user';
    access_log %%DIR%%/logs/seen.log seen;
    map $remote_user $mapped { default $remote_user; '' nobody; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Seen "$authgate_user|$authgate_method|$authgate_status|$remote_user|$mapped" always;
        location = /open { authgate off; try_files /hello.txt =404; }
        location = /any-closed { satisfy any; deny all; try_files /hello.txt =404; }
        location = /any-open { satisfy any; allow 127.0.0.1; deny all; try_files /hello.txt =404; }
        location = /all-closed { satisfy all; deny all; try_files /hello.txt =404; }
        location = /all-open { satisfy all; allow 127.0.0.1; deny all; try_files /hello.txt =404; }
        location = /optional { authgate ops optional; try_files /hello.txt =404; }
        location = /off-to-gated { authgate off; rewrite ^ /hello.txt last; }
        location = /gated-to-off { rewrite ^ /open last; }
        location = /tried { try_files /missing /also-missing @named; }
        location @named { try_files /hello.txt =404; }
        location = /tried-off { authgate off; try_files /missing @named; }
        location = /index/ { index missing.html /hello.txt; }
        location = /own { error_page 401 /own-401; error_page 403 /own-403; error_page 429 /own-429;
                          authgate_require group=sre; try_files /hello.txt =404; }
        location = /own-401 { authgate off; return 200 "own 401\n"; }
        location = /own-403 { authgate off; return 200 "own 403\n"; }
        location = /own-gated { error_page 401 = /hello.txt; try_files /hello.txt =404; }
        location = /own-named { error_page 401 = @named; try_files /hello.txt =404; }
        location = /not-found { error_page 404 =200 /hello.txt; try_files /missing =404; }
        location = /iffy { if ($arg_off) { authgate off; } if ($arg_two) { authgate two; } if ($arg_sre) { authgate_require group=sre; } }
        location = /methods { limit_except GET { authgate two; } try_files /hello.txt =404; }
        location = /posts { authgate off; limit_except GET { authgate ops; } proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /ssi { ssi on; ssi_types *; try_files /ssi.html =404; }
        location = /ssi-off { authgate off; ssi on; ssi_types *; try_files /ssi.html =404; }
        location = /accel { proxy_pass http://127.0.0.1:%%PORT_accel%%; }
        location /internal/ { internal; alias %%DIR%%/html/; }
        location = /cached { proxy_cache cache; proxy_cache_valid any 1h; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /app { proxy_pass http://127.0.0.1:%%PORT_app%%; proxy_set_header Remote-User $authgate_user; }
        location = /app-off { authgate off; proxy_pass http://127.0.0.1:%%PORT_app%%; }
        location = /form-only { authgate form; try_files /hello.txt =404; }
        location = /redirected { return 301 /elsewhere; }
        location = /echo { authgate off; add_header X-Early $authgate_status; try_files /hello.txt =404; }
    }
EOF_HTTP
mkdir $server->path('html/index');
AuthGate::write_file($server->path('html/ssi.html'),
    '<!--# echo var="authgate_user" -->|<!--# include virtual="/hello.txt" -->|<!--# echo var="remote_user" -->');
my @hashes = map { bcrypt("canary-right-$_", 4) } 1, 2;
AuthGate::append_file($server->path('users'),
    join '', map { "sre$_:$hashes[0]:groups=sre\ndev$_:$hashes[1]:groups=dev\n" } 1 .. 150);
my $app = AuthGate::Upstream->start($server->port('app'));
my $accel = AuthGate::Upstream->start($server->port('accel'),
    reply => "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /internal/hello.txt\r\nContent-Length: 0\r\n\r\n");
$server->run;
my $client = $server->client(headers => []);

# Each cold credential twice: once it is checked, and once it is remembered.
my %seen;
sub cold ($group) { return basic($group . ++$seen{$group}, 'canary-right-' . ($group eq 'sre' ? 1 : 2)) }
sub wrong () { return basic('sre' . ++$seen{sre}, 'canary-wrong') }

sub is_let_in ($path, %more) {
    my $group = $more{group} // 'sre';
    my @credential = cold($group);
    my $user = $group . $seen{$group};
    for my $time ('checked', 'remembered') {
        my $answer = $client->request($more{method} // 'GET', $path, $more{body}, @credential);
        is $answer->status, $more{status} // 200, "$path, $time: $answer->{status}";
        like $answer->body, $more{content} // qr/hello from behind the gate/, "$path, $time: the content";
        my $expected = $more{seen} // "$user|basic|ok|$user|$user";
        is $answer->header('X-Seen'), $expected =~ s/USER/$user/gr, "$path, $time: as $user"
            if $expected ne 'any';
    }
}

sub is_refused ($path, %more) {
    my $credential = $more{credential};
    for (1, 2) {
        my $answer = $client->request($more{method} // 'GET', $path, $more{body}, $credential ? @$credential : wrong());
        is $answer->status, $more{status} // 401, "$path: refused";
        unlike $answer->raw, qr/hello from behind|from the application/, "G86 $path: nothing gets out";
        is $answer->header('X-Seen'), $more{seen}, "$path: seen" if $more{seen};
    }
    my $answer = $client->request($more{method} // 'GET', $path, $more{body});
    is $answer->status, $more{nobody} // $more{status} // 401, "$path: nobody is refused";
    unlike $answer->raw, qr/hello from behind|from the application/, "G86 $path, nobody: nothing gets out";
}

my $nobody = '||bad_password||nobody';
is_let_in('/hello.txt');
is_refused('/hello.txt', seen => $nobody);

# satisfy
is_let_in($_) for qw(/any-closed /all-open);
is_refused($_) for qw(/any-closed /all-open);
is $client->get('/any-open', wrong())->status, 200, 'H87 satisfy any: let in by address';
is $client->get('/any-open')->status, 200, 'H87 satisfy any: let in by address, nobody';
is_refused('/all-closed', credential => [right('alice')], status => 403);

# optional
is_let_in('/optional');
is $client->get('/optional', wrong())->header('X-Seen'), $nobody, 'optional: checked, nobody is refused';
is $client->get('/optional', wrong())->status, 200, 'optional: let pass';
is $client->get('/optional', Authorization => 'Basic %')->header('X-Seen'), '||malformed||nobody',
    'optional: malformed';

# Where it ends up.
is_let_in($_) for qw(/off-to-gated /tried /tried-off /not-found), '/index/';
is_refused($_) for qw(/off-to-gated /tried /tried-off /not-found), '/index/';
is $client->get('/gated-to-off', wrong())->status, 200, 'H89 rewrite to a location that is off';
is_let_in('/accel', seen => 'any');
is_refused('/accel');

# error_page
is_let_in('/own');
for ([[], 401, 'own 401'], [[wrong()], 401, 'own 401'], [[cold('dev')], 403, 'own 403']) {
    my ($credential, $status, $body) = @$_;
    my $answer = $client->get('/own', @$credential);
    is $answer->status, $status, "H90 error_page: $status stays";
    is $answer->body, "$body\n", "H90 error_page: $body";
    is $answer->header('WWW-Authenticate'), 'Basic realm="ops", charset="UTF-8"', 'H90 with its challenge'
        if $status == 401;
    is $answer->header('WWW-Authenticate'), undef, 'H90 without a challenge' if $status == 403;
    is $answer->header('Cache-Control'), 'no-store', 'H90 not cached';
}
is_refused($_) for qw(/own-gated /own-named);

# if and limit_except
is_let_in('/hello.txt?off=1');
AuthGate::write_file($server->path('html/iffy'), "hello from behind the gate\n");
is_let_in('/iffy');
is_refused('/iffy');
is $client->get('/iffy?off=1', wrong())->status, 200, 'H91 off inside if';
is_let_in('/iffy?two=1');
is_refused('/iffy?two=1');
is_let_in('/iffy?sre=1');
is $client->get('/iffy?sre=1', cold('dev'))->status, 403, 'H91 authgate_require inside if';
is_let_in('/methods');
is_refused('/methods', method => 'POST');
is $client->get('/posts')->status, 200, 'G85 limit_except: GET is open';
is_let_in('/posts', method => 'POST', body => 'a', content => qr/from the application/);
is_refused('/posts', method => 'POST', body => 'a');

# Subrequests
is_let_in('/ssi', content => qr/\A(sre\d+)\|hello from behind the gate\n\|\1\z/);
is_refused('/ssi');
like $client->get('/ssi-off', wrong())->body, qr/\A\(none\)\|/, 'SSI of a location that is off: nobody';

# Applications
{
    my $before = $app->count;
    is_refused($_) for qw(/app /cached);
    is $app->count, $before, 'G86 no refused request reaches the application';
    is_let_in('/app', content => qr/from the application/);
    is join('|', $app->header_values('Authorization')), '', 'B35 without the credential';
    like join('|', $app->header_values('Remote-User')), qr/\Asre\d+\z/, 'G84 told who it is';
    $client->get('/app-off', wrong());
    is join('|', $app->header_values('Authorization')), '', 'B35 nor where the gate is off';
    $client->get('/app-off', Authorization => 'Bearer app');
    is join('|', $app->header_values('Authorization')), 'Bearer app', "G83 the application's own passes";
    is_let_in('/cached', content => qr/from the application/);
    $before = $app->count;
    is_refused('/cached');
    is $client->get('/cached', cold('sre'))->status, 200, 'H95 a hit needs a login';
    is $app->count, $before, 'H95 and is one';
}

# A realm without Basic, in a server that has one with it.
is $client->get('/form-only', right('alice'))->status, 401, 'Basic counts for the realms that accept it';
is $client->get('/form-only', right('alice'))->header('WWW-Authenticate'), 'Bearer realm="form"',
    'and only those ask for it';

# The session page tells who it is.
{
    my $answer = $client->get('/authgate/session', cold('sre'));
    is $answer->status, 200, 'session: 200';
    like $answer->body, qr/"user":"sre\d+"/, 'session: who';
    is $client->get('/authgate/session', wrong())->status, 401, 'session: refused';
    is $client->get('/two/session', cold('sre'))->status, 200, 'session of another realm';
}

# The access log.
$client->get('/hello.txt', basic('alice', 'canary-wrong'));
$client->get('/own', right('bob'));
$client->get('/hello.txt', right('carol'));
AuthGate::Server::wait_until { AuthGate::read_file($server->path('logs/seen.log')) =~ /carol/ } 5, 'the access log';
my $log = AuthGate::read_file($server->path('logs/seen.log'));
like $log, qr{^/hello.txt 200 carol basic ok carol$}m, 'the access log: let in';
like $log, qr{^/hello.txt 401 - - bad_password -$}m, 'the access log: nobody';
unlike $server->error_log, qr/panic/, 'no panic';

done_testing;
