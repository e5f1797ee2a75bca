# The cookie directive: what nginx -t takes and what it does not.

use v5.36;

use AuthGate;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: B34 samesite=none with secure=on is taken
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid samesite=none secure=on domain=.example.com; }
--- config
    location = /t { authgate ops; return 204; }
--- request
    GET /t
--- error_code: 204

=== TEST 2: B34 samesite=none without secure=on
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid samesite=none; }
--- config
--- must_die
--- error_log
[emerg]
"samesite=none" requires "secure=on"
--- no_error_log
[alert]

=== TEST 3: B34 samesite=none with secure=off
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid samesite=none secure=off; }
--- config
--- must_die
--- error_log
"samesite=none" requires "secure=on"
--- no_error_log
[alert]

=== TEST 4: B34 __Host- written in the name
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie __Host-sid; }
--- config
--- must_die
--- error_log
[emerg]
__Host-
--- no_error_log
[alert]

=== TEST 5: B34 __Host- in other case
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie __hOST-sid; }
--- config
--- must_die
--- error_log
[emerg]
__Host-
--- no_error_log
[alert]

=== TEST 6: B34 a name that cannot stand in a cookie
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie "a;b"; }
--- config
--- must_die
--- error_log
invalid cookie name
--- no_error_log
[alert]

=== TEST 7: B34 an unknown value
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid samesite=maybe; }
--- config
--- must_die
--- error_log
invalid parameter "samesite=maybe" in "cookie" directive
--- no_error_log
[alert]

=== TEST 8: B34 a parameter twice
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid secure=on secure=off; }
--- config
--- must_die
--- error_log
invalid parameter "secure=off" in "cookie" directive
--- no_error_log
[alert]

=== TEST 9: B34 a domain with a line break
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid "domain=a.com\r\nX: y"; }
--- config
--- must_die
--- error_log
invalid cookie domain
--- no_error_log
[alert]

=== TEST 10: B34 two realms of one server with the same cookie name
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; }
    authgate_realm dev { users $TEST_NGINX_USERS; path /dev/; }
--- config
    location = /a { authgate ops; return 204; }
    location = /b { authgate dev; return 204; }
--- must_die
--- error_log
same cookie name
--- no_error_log
[alert]

=== TEST 11: B34 two realms of one server with names of their own
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; }
    authgate_realm dev { users $TEST_NGINX_USERS; path /dev/; cookie dev; }
--- config
    location = /a { authgate ops; return 204; }
    location = /b { authgate dev; return 204; }
--- request
    GET /a
--- error_code: 204

=== TEST 12: B34 two realms of which one is named as the device cookie of the other
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; cookie sid; }
    authgate_realm dev { users $TEST_NGINX_USERS; path /dev/; cookie sid-device; }
--- config
    location = /a { authgate ops; return 204; }
    location = /b { authgate dev; return 204; }
--- must_die
--- error_log
same cookie name
--- no_error_log
[alert]

=== TEST 13: B34 two realms with the same cookie name in two servers
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; }
    authgate_realm dev { users $TEST_NGINX_USERS; }
    server { listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1; location = /b { authgate dev; return 204; } }
--- config
    location = /a { authgate ops; return 204; }
--- request
    GET /a
--- error_code: 204
