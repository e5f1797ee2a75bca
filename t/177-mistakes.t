# I100: nginx -t tells every mistake in authgate_require, authgate_dry_run, authgate_verify and basic_cache.

use v5.36;

use AuthGate;
use AuthGate::Mistakes qw(check);
use Test::More;

sub is_mistake ($http, $message) {
    my ($name) = $http =~ /^\s*(.*?)\s*# MARK/m;
    AuthGate::Mistakes::is_mistake($name, $http, $message);
}

sub is_right ($http, $warnings = 0) {
    my ($name) = $http =~ /location (.*)/s;
    AuthGate::Mistakes::is_right(($name // $http) =~ s/\s+/ /gr, $http, '', $warnings);
}

my $realms = "authgate_realm ops { users %%USERS%%; }\n"
    . "authgate_realm two { users %%USERS%%; path /two/; cookie two; }\n";
sub http ($text) { return "$realms server { listen 127.0.0.1:%%PORT%%; }\n$text" }
sub server ($text) { return "$realms server { listen 127.0.0.1:%%PORT%%;\n$text\n}\n" }
sub location ($text) { return server("location / {\n$text\n}") }
sub gated ($text) { return server("authgate ops;\nlocation / {\n$text\n}") }
sub realm ($text) { return "authgate_realm ops {\nusers %%USERS%%;\n$text\n}\nserver { listen 127.0.0.1:%%PORT%%; }\n" }

# ---- authgate_require: arguments
my $parameter = 'in "authgate_require" directive';
for my $arguments ('alice', 'users=alice', 'User=alice', 'user', 'user=', 'group=', 'user=alice,', 'user=,alice',
    'user=alice,,bob', 'user=alice,alice', 'group=sre,sre', 'user=alice user=bob', 'group=a group=b',
    '=alice', 'off', 'valid-user', 'user=alice optional', "'user=a\tb'", "user=" . 'x' x 129)
{
    is_mistake(gated("authgate_require $arguments; # MARK"), "invalid parameter .* $parameter");
}
is_mistake(gated('authgate_require; # MARK'), 'invalid number of arguments in "authgate_require"');
is_mistake(gated("authgate_require 'user=\xff'; # MARK"), 'not UTF-8');

# ---- authgate_require: places
my $nothing = '"authgate_require" needs "authgate"';
is_mistake(location('authgate_require user=alice; # MARK'), $nothing);
is_mistake(gated("authgate off;\nauthgate_require user=alice; # MARK"), $nothing);
is_mistake(gated("authgate_require user=alice; # MARK\nauthgate_require user=bob;\nauthgate off;"), $nothing);
is_mistake(server("authgate_require user=alice; # MARK\nlocation / { authgate ops; }"), $nothing);
is_mistake(http('authgate_require user=alice; # MARK'), $nothing);
is_mistake(server("authgate ops;\nlocation / { authgate off; if (\$arg_a) {\nauthgate_require user=alice; # MARK\n} }"), $nothing);
is_mistake(server("location / { limit_except GET {\nauthgate_require user=alice; # MARK\n} }"), $nothing);
is_mistake(server("authgate ops;\nlocation / { authgate off; location /a {\nauthgate_require user=alice; # MARK\n} }"), $nothing);
is_mistake(gated("authgate_endpoints ops;\nauthgate_require user=alice; # MARK") =~ s/location \//location \/authgate\//r, $nothing);
is_mistake(gated("authgate_status ops;\nauthgate off;\nauthgate_require user=alice; # MARK"), $nothing);
is_mistake("upstream u {\nauthgate_require user=alice; # MARK\n}\n", 'directive is not allowed here');
is_mistake(realm('authgate_require user=alice; # MARK'), 'unknown directive|not allowed|authgate_require');

# ---- authgate_require and optional
my $optional = 'cannot hold where "authgate" is "optional"';
is_mistake(location("authgate ops optional;\nauthgate_require user=alice; # MARK"), $optional);
is_mistake(server("authgate ops optional;\nlocation / {\nauthgate_require user=alice; # MARK\n}"), $optional);
is_mistake(server("authgate ops;\nauthgate_require user=alice; # MARK\nlocation / { authgate ops optional; }"), $optional);
is_mistake(server("authgate ops;\nlocation / { authgate_require user=alice; # MARK\n if (\$arg_a) { authgate ops optional; } }"), $optional);

# ---- authgate_require: right
is_right(gated('authgate_require user=alice;'));
is_right(gated("authgate_require user=alice,bob group=sre;\nauthgate_require group=ops;"));
is_right(http("authgate ops;\nauthgate_require user=alice;"));
is_mistake(http("authgate off;\nauthgate_require user=alice; # MARK"), $nothing);
is_mistake("authgate_require user=alice; # MARK\nserver { listen 127.0.0.1:%%PORT%%; }", $nothing);
is_right(server("authgate ops;\nauthgate_require user=alice;\nlocation / { authgate off; }"));
is_right(server("authgate ops;\nauthgate_require user=alice;\nlocation /v { authgate_verify ops; authgate_require user=bob; }"));
is_right(location("authgate_verify ops;\nauthgate_require user=alice;"));
is_right(gated("if (\$arg_a) { authgate_require user=alice; }\nlimit_except GET { authgate_require user=bob; }"));
is_right(server("authgate ops;\nauthgate_require user=alice;\nlocation /authgate/ { authgate_endpoints ops; }"));
is_right(gated("authgate_require user=not-there group=not-there;"));

# ---- authgate_dry_run
is_mistake(gated('authgate_dry_run; # MARK'), 'invalid number of arguments in "authgate_dry_run"');
is_mistake(gated('authgate_dry_run on off; # MARK'), 'invalid number of arguments in "authgate_dry_run"');
is_mistake(gated("authgate_dry_run $_; # MARK"), 'invalid (?:parameter|value) "' . ($_ eq "''" ? '' : $_) . '"')
    for 'yes', 'ON', '1', "''";
is_mistake(gated("authgate_dry_run on;\nauthgate_dry_run on; # MARK"), 'is duplicate');
is_mistake(gated("authgate_dry_run off;\nauthgate_dry_run on; # MARK"), 'is duplicate');
is_mistake("upstream u {\nauthgate_dry_run on; # MARK\n}\n", 'directive is not allowed here');
is_mistake(realm('authgate_dry_run on; # MARK'), 'unknown directive|not allowed|authgate_dry_run');
is_right(gated('authgate_dry_run off;'));
is_right(gated('authgate_dry_run on;'), 1);
is_right(http("authgate ops;\nauthgate_dry_run on;"), 1);
is_right(server("authgate ops;\nlocation / { if (\$arg_a) { authgate_dry_run on; } limit_except GET { authgate_dry_run on; } }"), 2);

# ---- authgate_verify
is_mistake(location('authgate_verify; # MARK'), 'invalid number of arguments in "authgate_verify"');
is_mistake(location('authgate_verify ops redirect more; # MARK'), 'invalid number of arguments in "authgate_verify"');
is_mistake(location("authgate_verify ops $_; # MARK"), 'invalid parameter') for 'Redirect', 'optional', "''";
is_mistake(location('authgate_verify nowhere; # MARK'), 'unknown realm "nowhere"');
is_mistake(location('authgate_verify off; # MARK'), 'unknown realm "off"');
is_mistake(location("authgate_verify ops;\nauthgate_verify ops; # MARK"), 'is duplicate');
is_mistake(location("authgate_verify ops;\nauthgate_verify two redirect; # MARK"), 'is duplicate');
is_mistake(location("authgate ops;\nauthgate_verify ops; # MARK"), 'cannot stand beside "authgate"');
is_mistake(location("authgate_verify ops; # MARK\nauthgate two optional;"), 'cannot stand beside "authgate"');
is_mistake(location("authgate_endpoints ops;\nauthgate_verify ops; # MARK"), 'cannot stand beside "authgate_endpoints"');
is_mistake(location("authgate_verify ops; # MARK\nauthgate_status ops;"), 'cannot stand beside "authgate_status"');
is_mistake(server('authgate_verify ops; # MARK'), 'directive is not allowed here');
is_mistake(http('authgate_verify ops; # MARK'), 'directive is not allowed here');
is_mistake(location("if (\$arg_a) {\nauthgate_verify ops; # MARK\n}"), 'directive is not allowed here');
is_mistake(location("limit_except GET {\nauthgate_verify ops; # MARK\n}"), 'directive is not allowed here');
is_right(location('authgate_verify ops;'));
is_right(location("authgate_verify ops redirect;\nauthgate off;"));
is_right(gated('authgate_verify ops;'));
is_right(gated('authgate_verify two redirect;'));
is_right(server("authgate ops optional;\nlocation / { authgate_verify ops; authgate_require user=alice; }"));

# ---- accept and basic_cache
is_mistake(realm("accept $_; # MARK"), 'accept') for 'Basic', 'basic basic', 'cookie digest', '';
is_mistake(realm("basic_cache $_; # MARK"), 'basic_cache') for '', '5x', '-1', '5m 5m', "''", 'off', '999999999999d';
is_mistake(realm("basic_cache 5m;\nbasic_cache 5m; # MARK"), 'duplicate');
is_right(realm("accept $_;")) for 'basic', 'cookie basic', 'basic bearer cookie';
is_right(realm("basic_cache $_;")) for '1s', '5m', '1h', '1d';

done_testing;
