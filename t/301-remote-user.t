# $remote_user is the verified user wherever a gate is on, never what Basic says.

use v5.36;

use AuthGate;
use AuthGate::Server;
use AuthGate::Token;
use AuthGate::Upstream;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; keys %%KEYS%%; }
    log_format users '$uri remote=$remote_user user=$authgate_user realm=$authgate_realm method=$authgate_method';
    access_log %%DIR%%/logs/users.log users;
    map $remote_user $mapped { default $remote_user; "" nobody; }
    server {
        listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/html;
        authgate ops;
        add_header X-Remote "<$remote_user>" always;
        add_header X-User   "<$authgate_user>" always;
        add_header X-Status $authgate_status always;
        add_header X-Mapped $mapped always;
        location /app {
            proxy_set_header Remote-User $remote_user;
            proxy_pass http://127.0.0.1:%%PORT_app%%;
        }
        location /optional { authgate ops optional; try_files /hello.txt =404; }
        location /off      { authgate off; try_files /hello.txt =404; }
        location /any      { satisfy any; allow all; try_files /hello.txt =404; }
        location /early {
            set $early $remote_user;
            add_header X-Early "<$early>" always;
            try_files /hello.txt =404;
        }
        location /both {
            auth_basic both;
            auth_basic_user_file %%USERS%%;
            try_files /hello.txt =404;
        }
        location /redirect { rewrite ^ /hello.txt last; }
        location /open-first { authgate off; rewrite ^ /hello.txt last; }
        location /page     { ssi on; ssi_types *; try_files /page.html =404; }
        location /echo     { ssi on; ssi_types *; try_files /echo.html =404; }
        location = /verify { authgate_verify ops; }
        location /asked {
            authgate off;
            auth_request     /verify;
            auth_request_set $asked "$remote_user|$authgate_user";
            add_header       X-Asked $asked always;
            try_files        /hello.txt =404;
        }
        location /nested   { location /nested/off { authgate off; try_files /hello.txt =404; } }
    }
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        root %%DIR%%/html;
        add_header X-Remote "<$remote_user>" always;
    }
EOF_HTTP
AuthGate::write_file($server->path('html/echo.html'), '<!--#echo var="remote_user" -->');
AuthGate::write_file($server->path('html/page.html'), '<!--#include virtual="/echo" -->');
my $app = AuthGate::Upstream->start($server->port('app'));
$server->run;

my $browser = $server->client;
$browser->sign_in('alice');
my @cookie = (Cookie => 'authgate=' . $browser->cookie('authgate'));
my @basic  = (Authorization => 'Basic ' . encode_base64('bob:x', ''));
my @bearer = (Authorization => 'Bearer ' . AuthGate::Token::api(user => 'carol'));
my $client = $server->client(headers => []);
my $plain  = $server->client(headers => [], port => $server->port('plain'));

sub users ($path, @headers) {
    my $answer = $client->get($path, @headers);
    return join ' ', $answer->status, $answer->header('X-Remote'), $answer->header('X-User');
}

my $both = $client->get('/hello.txt', @cookie, @basic);
is $both->header('X-Remote'), '<alice>', 'G82 a cookie of alice with Basic bob: $remote_user is alice';
is $both->header('X-User'),   '<alice>', 'G82 $authgate_user is alice';
is $both->header('X-Mapped'), 'alice',   'G82 a map of $remote_user sees alice';
is $both->header('X-Status'), 'ok',      'G82 $authgate_status is ok';
is $both->status, 200, 'G82 and she is let in';
is users('/hello.txt', @cookie), '200 <alice> <alice>', 'G82 a cookie alone';
is users('/hello.txt', @bearer), '200 <carol> <carol>', 'G82 an API token alone';
is users('/hello.txt', @bearer, @cookie), '200 <carol> <carol>', 'G82 an API token decides before the cookie';

my $refused = $client->get('/hello.txt', @basic);
is $refused->status, 401, 'G82 Basic alone is refused where it is not accepted';
is $refused->header('X-Remote'), '<>',     'G82 and $remote_user is empty';
is $refused->header('X-Mapped'), 'nobody', 'G82 for a map as well';
is users('/hello.txt', @basic, Cookie => 'authgate=garbage'), '401 <> <>', 'G82 with an invalid cookie too';

is users('/optional', @basic), '200 <> <>', 'G82 optional: without a cookie $remote_user is empty';
is users('/optional', @basic, Cookie => 'authgate=garbage'), '200 <> <>', 'G82 optional: with an invalid one too';
is users('/optional', @basic, @cookie), '200 <alice> <alice>', 'G82 optional: with a valid one it is alice';
is users('/any', @basic), '200 <> <>', 'G82 satisfy any: let in by address, $remote_user is empty';
is users('/any', @basic, @cookie), '200 <alice> <alice>', 'G82 satisfy any: with a cookie it is alice';

is $client->get('/asked', @cookie, @basic)->header('X-Asked'), 'alice|alice',
    'G82 authgate_verify: $remote_user is the verified user in the subrequest';
is $client->get('/asked', @basic)->header('X-Asked'), '|', 'G82 authgate_verify: and nobody where nobody is verified';

is users('/off', @basic), '200 <bob> <>', "G82 authgate off: nginx's own \$remote_user";
is users('/off', @basic, @cookie), '200 <bob> <>', 'G82 authgate off: with a cookie as well';
is users('/nested/off', @basic, @cookie), '200 <bob> <>', 'G82 authgate off, nested';
is $plain->get('/hello.txt', @basic)->header('X-Remote'), '<bob>', "G82 a server without a realm: nginx's own";

is $client->get('/early', @basic, @cookie)->header('X-Early'), '<alice>', 'G82 asked for before the access phase';
is $client->get('/early', @basic)->header('X-Early'), '<>', 'G82 asked for before the access phase, refused';
is users('/redirect', @basic, @cookie), '200 <alice> <alice>', 'G82 after an internal redirect';
is users('/redirect', @basic), '401 <> <>', 'G82 after an internal redirect, refused';
is users('/open-first', @basic), '401 <> <>', 'G82 from a location where it was bob to one that is gated';
is $client->get('/echo', @basic, @cookie)->body, 'alice', 'G82 in SSI';
is $client->get('/page', @basic, @cookie)->body, 'alice', 'G82 in a subrequest';

$client->get('/app', @basic, @cookie);
is join('|', $app->header_values('Remote-User')), 'alice', 'G82 the application is told alice';
is join('|', $app->header_values('Authorization')), $basic[1], "G83 and gets its own Authorization";

my @right = (Authorization => 'Basic ' . encode_base64("bob:$PASSWORD{bob}", ''));
is users('/both', @right, @cookie), '200 <alice> <alice>', 'G82 beside auth_basic it is the user of the gate';
is $client->get('/both', @right)->status,         401, 'G82 (which both have to admit: auth_basic alone)';
is $client->get('/both', @cookie, @basic)->status, 401, 'G82 (the gate alone)';

my @odd = map { (Authorization => "Basic $_") } '', '!', 'Ym9i', encode_base64(':x', ''),
    encode_base64("bob\0:x", ''), encode_base64('b' x 3000 . ':x', '');
while (my @header = splice @odd, 0, 2) {
    is users('/hello.txt', @header, @cookie), '200 <alice> <alice>', 'G82 odd Basic: ' . substr $header[1], 0, 16;
}

$client->post('/authgate/login', [username => 'bob', password => 'canary-wrong'], @basic);
my $log = AuthGate::Server::wait_until {
    my $text = AuthGate::read_file($server->path('logs/users.log'));
    $text =~ m{^/authgate/login remote=- .*\n(?s:.*)^/authgate/login remote=-}m && $text;
} 5, 'the access log';
my @bobs = grep { /bob/ && !m{^/(?:hello.txt remote=bob user=- realm=- |off|nested/off|asked)} } split /\n/, $log;
is join("\n", @bobs), '', 'G82 the access log says bob only where no gate is on';
my @gated = grep { /bob/ && /realm=ops/ } split /\n/, $log;
is join("\n", @gated), '', 'G82 and nowhere beside a realm';
like $log, qr{^/hello.txt remote=alice user=alice realm=ops method=cookie$}m, 'G82 it says alice';
like $log, qr{^/hello.txt remote=carol user=carol realm=ops method=bearer$}m, 'G82 and carol';

{
    my $basic = AuthGate::Server->start(<<'EOF_HTTP');
        authgate_realm ops { users %%USERS%%; accept cookie basic; }
        server {
            listen 127.0.0.1:%%PORT%%;
            root %%DIR%%/html;
            authgate ops;
            add_header X-Remote "<$remote_user>" always;
        }
EOF_HTTP
    my $alice = $basic->client;
    $alice->sign_in('alice');
    my $answer = $alice->get('/hello.txt', @basic);
    is $answer->status, 401, 'G82 with accept basic, a wrong Basic beside a valid cookie is 401';
    is $answer->header('X-Remote'), '<>', 'G82 and $remote_user is empty';
    my $right = encode_base64("bob:$PASSWORD{bob}", '');
    is $alice->get('/hello.txt', Authorization => "Basic $right")->header('X-Remote'), '<bob>',
        'G82 and a right one is bob';
}

done_testing;
