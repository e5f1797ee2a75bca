# What is taken as a login form: its type (C43), its fields (C44) and their coding (C45).

use v5.36;

use AuthGate;
use AuthGate::Server;
use Test::More;

my $server = AuthGate::Server->prepare(<<'EOF_HTTP');
    authgate_realm ops { users %%USERS%%; limit off; }
    server { listen 127.0.0.1:%%PORT%%; authgate ops; root %%DIR%%/html; }
EOF_HTTP
AuthGate::append_file($server->path('users'), join '', map { "$_->[0]:" . AuthGate::bcrypt($_->[1]) . "\n" }
    [ 'plus', 'canary a+b' ], [ 'percent', 'canary%41' ], [ 'semi', 'canary;rd=/x' ], [ 'a b', 'canary' ],
    [ "caf\xc3\xa9", "canary-\xc3\xa9" ], [ 'latin', "canary-\xe9" ]);
$server->run;

my $FORM   = 'application/x-www-form-urlencoded';
my $right  = AuthGate::Client::form([ username => 'alice', password => $PASSWORD{alice} ]);
my $client = $server->client;

# Posts bytes as they are.
sub post ($body, %header) {
    %header = ('Content-Type' => $FORM, Cookie => undef, %header);
    return $client->request('POST', '/authgate/login', $body, %header);
}

# Types.
my @refused = (
    'multipart'         => [ 'Content-Type' => 'multipart/form-data; boundary=x' ],
    'JSON'              => [ 'Content-Type' => 'application/json' ],
    'text/plain'        => [ 'Content-Type' => 'text/plain' ],
    'no type'           => [ 'Content-Type' => undef ],
    'an empty type'     => [ 'Content-Type' => '' ],
    'a longer name'     => [ 'Content-Type' => "${FORM}ish" ],
    'a list'            => [ 'Content-Type' => "text/plain, $FORM" ],
    'gzip'              => [ 'Content-Encoding' => 'gzip' ],
    'br'                => [ 'Content-Encoding' => 'br' ],
    'identity and gzip' => [ 'Content-Encoding' => 'identity, gzip' ],
);
while (my ($what, $headers) = splice @refused, 0, 2) {
    my $response;
    my @lines = $server->gate_lines_of(sub { $response = post($right, @$headers) });
    is $response->status, 415, "C43 $what: 415";
    is $response->headers('Set-Cookie'), 0, "C43 $what: no cookie";
    is "@lines", '', "C43 $what: no password was looked at";
}
is post('{"username":"alice","password":"x"}', 'Content-Type' => 'application/json',
    Accept => 'application/json')->status, 415, 'C43 a JSON body with a JSON answer: 415';
for my $type ($FORM, "$FORM; charset=UTF-8", uc $FORM, "$FORM;charset=iso-8859-1") {
    is post($right, 'Content-Type' => $type)->status, 303, "C43 $type is taken";
}
is post($right, 'Content-Encoding' => 'identity')->status, 303, 'C43 Content-Encoding: identity is none';

# Fields.
my @bad = (
    'username twice'             => "$right&username=alice",
    'username twice, both alike' => "username=alice&$right",
    'password twice'             => "$right&password=x",
    'password twice, one empty'  => "$right&password",
    'password twice, one coded'  => "$right&p%61ssword=x",
    'rd twice'                   => "$right&rd=/&rd=/",
    'rd twice, one coded'        => "$right&rd=/&%72d=/x",
    'seventeen fields'           => join('&', $right, map { "x$_=1" } 1 .. 15),
    'seventeen fields of a name' => join('&', $right, ('x=1') x 15),
);
while (my ($what, $body) = splice @bad, 0, 2) {
    my $response;
    my @lines = $server->gate_lines_of(sub { $response = post($body) });
    is $response->status, 400, "C44 $what: 400";
    is $response->headers('Set-Cookie'), 0, "C44 $what: no cookie";
    is "@lines", '', "C44 $what: no password was looked at";
}
is post(join('&', $right, map { "x$_=1" } 1 .. 14))->status, 303, 'C44 sixteen fields are taken';
is post("$right&x=1&x=2")->status, 303, 'C44 another field twice is passed over';
is post("&&$right&&")->status, 303, 'C44 empty fields are passed over';
is post('')->status, 403, 'C44 no field at all is a wrong password';
is post('username=alice')->status, 403, 'C44 without a password';
is post("Username=alice&PASSWORD=$PASSWORD{alice}")->status, 403, 'C44 names differ by case';

# Coding.
for my $code ('%zz', '%', '%4', '%%41', '%u0041') {
    for my $field (qw(username password rd other)) {
        my $body = join '&', (grep { !/^$field=/ } split /&/, $right), "$field=$code";
        is post($body)->status, 400, "C45 $code in $field: 400";
    }
}
is post("$right&%zz=1")->status, 400, 'C45 a broken code in a name: 400';
is post("$right&rd=%00")->status, 400, 'C45 %00 in rd: 400';
is post("username=alice%00&password=$PASSWORD{alice}")->status, 400, 'C45 %00 in the user name: 400';
is post("username=alice&password=$PASSWORD{alice}%00")->status, 403, 'C45 %00 in the password: a wrong one';
is post("username=alice&password=$PASSWORD{alice}%00x")->status, 403, 'C45 what follows it counts';
is post("username=%ff&password=x")->status, 400, 'C45 a user name that is not UTF-8: 400';
is post('username=plus&password=canary+a%2Bb')->status, 303, 'C45 + is a blank, %2B a plus';
is post('username=plus&password=canary%20a%2Bb')->status, 303, 'C45 so is %20';
is post('username=plus&password=canary+a+b')->status, 403, 'C45 a + as it stands is no plus';
is post('username=a+b&password=canary')->status, 303, 'C45 the same in the user name';
is post('username=percent&password=canary%2541')->status, 303, 'C45 %2541 is %41';
is post('username=percent&password=canary%41')->status, 403, 'C45 %41 is A: decoded once';
is post('username=percent&password=canaryA')->status, 403, 'C45 and never twice';
is post('username=semi&password=canary;rd=/x')->status, 303, 'C45 ; separates nothing';
is post('username=semi&password=canary;rd=/x')->header('Location'), '/', 'C45 and names no rd';
is post('username=semi;password=x')->status, 403, 'C45 nor a password';
is post('username=caf%C3%A9&password=canary-%c3%a9')->status, 303, 'C45 UTF-8 in name and password';
is post("username=caf\xc3\xa9&password=canary-\xc3\xa9")->status, 303, 'C45 the same without codes';
is post('username=latin&password=canary-%E9')->status, 303, 'C45 a password of any bytes';
is post("$right&rd=/a%2520b")->header('Location'), '/a%20b', 'C45 rd is decoded once';
is post("$right&rd=/a%2Bb")->header('Location'), '/a+b', 'C45 %2B in rd is a plus';

done_testing;
