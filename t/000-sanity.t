# The module loads; with a realm nginx asks for a login, and without one it is as it was.

use AuthGate;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a location without the gate
--- config
    location = /open { return 200 "open\n"; }
--- request
    GET /open
--- response_body
open
--- error_code: 200

=== TEST 2: a page behind the gate leads to the login page
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; keys $TEST_NGINX_KEYS; }
--- config
    authgate ops;
--- request
    GET /index.html?x=1
--- more_headers
Accept: text/html
--- response_headers
Location: /authgate/login?rd=/index.html%3Fx%3D1
Cache-Control: no-store
--- response_body_unlike: works
--- error_code: 302

=== TEST 3: anything else behind the gate is 401
--- http_config
    authgate_realm ops { users $TEST_NGINX_USERS; }
--- config
    authgate ops;
--- request
    GET /index.html
--- response_headers
WWW-Authenticate: Bearer realm="ops"
Cache-Control: no-store
--- response_body_unlike: works
--- error_code: 401

=== TEST 4: a mistake in the configuration is found, with file and line
--- http_config
    authgate_realm ops { no_such_directive on; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\] .*unknown directive "no_such_directive" in .*nginx\.conf:\d+/
