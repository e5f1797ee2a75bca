# The cookie directive: what nginx -t takes and what it does not.

use v5.36;

use AuthGate;
use AuthGate::Mistakes;
use Test::More;

sub realm ($name, $directives) { return "authgate_realm $name { users %%USERS%%; $directives }" }

# One realm with this cookie.
sub with ($cookie) { return realm('ops', "\ncookie $cookie; # MARK\n") . 'server { listen 127.0.0.1:%%PORT%%; authgate ops; }' }

# Two realms in one server.
sub both ($ops, $dev) {
    return realm('ops', $ops) . realm('dev', $dev) . <<'EOF_SERVER';
    server {
        listen 127.0.0.1:%%PORT%%;
        location = /a { authgate ops; return 204; }
        location = /b { authgate dev; return 204; }
    }
EOF_SERVER
}

is_right('B34 samesite=none with secure=on', with('sid samesite=none secure=on domain=.example.com'));
is_right('B34 two realms of one server with names of their own', both('', 'path /dev/; cookie dev;'));
is_right('B34 two realms with the same cookie name in two servers', realm('ops', '') . realm('dev', '') . <<'EOF_SERVERS');
    server { listen 127.0.0.1:%%PORT%%; location = /a { authgate ops; return 204; } }
    server { listen 127.0.0.1:%%PORT_2%%; location = /b { authgate dev; return 204; } }
EOF_SERVERS

for my $case (
    ['samesite=none without secure=on', 'sid samesite=none', '"samesite=none" requires "secure=on"'],
    ['samesite=none with secure=off', 'sid samesite=none secure=off', '"samesite=none" requires "secure=on"'],
    ['__Host- written in the name', '__Host-sid', '__Host-'],
    ['__Host- in other case', '__hOST-sid', '__Host-'],
    ['a name that cannot stand in a cookie', '"a;b"', 'invalid cookie name'],
    ['an unknown value', 'sid samesite=maybe', 'invalid parameter "samesite=maybe" in "cookie" directive'],
    ['a parameter twice', 'sid secure=on secure=off', 'invalid parameter "secure=off" in "cookie" directive'],
    ['a domain with a line break', 'sid "domain=a.com\r\nX: y"', 'invalid cookie domain'],
) {
    my ($name, $cookie, $message) = @$case;
    is_mistake("B34 $name", with($cookie), quotemeta $message);
}
is_mistake('B34 two realms of one server with the same cookie name', both('', 'path /dev/;'), 'same cookie name');
is_mistake('B34 two realms of which one is named as the device cookie of the other',
    both('cookie sid;', 'path /dev/; cookie sid-device;'), 'same cookie name');

done_testing;
