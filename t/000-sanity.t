# The module loads, and where no realm is named nginx is as it was.

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

=== TEST 2: an error in the configuration is found
--- config
    no_such_directive;
--- must_die
--- error_log
unknown directive "no_such_directive"
