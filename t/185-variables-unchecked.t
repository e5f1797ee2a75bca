# The variables where they are read before the gate was asked: a Basic credential says nothing there, whether it is
# known or not, and counts as missing. Else they would tell a right guess from wrong ones, which nobody counts.

use v5.36;

use AuthGate;
use AuthGate::Server;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $server = AuthGate::Server->start(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; accept cookie bearer basic; limit off; }
    server {
        listen 127.0.0.1:%%PORT%%;
        authgate ops;
        root %%DIR%%/html;
        add_header X-Gate "$authgate_status|$authgate_user|$authgate_method|$remote_user" always;
        location /return { return 204; }
        location /any { satisfy any; allow all; try_files /hello.txt =404; }
        location /satisfied { satisfy any; allow all; authgate_require group=sre; try_files /hello.txt =404; }
        location /sre { authgate_require group=sre; try_files /hello.txt =404; }
    }
EOF_HTTP

my $client = $server->client(headers => []);
sub gate ($path, $user, $password) {
    my $answer = $client->get($path, Authorization => 'Basic ' . encode_base64("$user:$password", ''));
    return $answer->status . ' ' . $answer->header('X-Gate');
}
my @alice = ('alice', $PASSWORD{alice});
my @bob   = ('bob', $PASSWORD{bob});

is gate('/return', @alice), '204 missing|||', 'return: not checked';
is gate('/any',    @alice), '200 missing|||', 'satisfy any: not checked';
is gate('/hello.txt', @alice), '200 ok|alice|basic|alice', 'asked: checked';
is gate('/return', @alice), '204 missing|||', 'J120 return: nor is what is known from before';
is gate('/any',    @alice), '200 missing|||', 'J120 satisfy any: nor is what is known from before';
is gate('/any', 'alice', 'canary-wrong'), '200 missing|||', 'satisfy any: another password';
is gate('/hello.txt', 'alice', 'canary-wrong'), '401 bad_password|||', 'asked: wrong';

# Who may not is named in the log of the refusal, and nowhere else.
is gate('/sre', @bob), '403 forbidden|bob|basic|bob', 'forbidden: named where the gate refuses';
is gate('/satisfied', @bob), '200 missing|||', 'forbidden: not named where another lets in';
is gate('/satisfied', @alice), '200 missing|||', 'J120 nor who is allowed';

done_testing;
