//! What is found, rule by rule, each with its twin that is right.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use authgate_lint::finding::{Finding, Level};
use authgate_lint::{findings, has_gate, rules, syntax::parse};

/// An http block with a realm on a first line; what is in the server begins on the second.
fn server(inside: &str) -> String {
    format!("authgate_realm ops {{ users u; }} server {{ listen 127.0.0.1:80;\n{inside}\n}}\n")
}

fn all(text: &str) -> Vec<Finding> {
    findings(&parse(text, "f").unwrap())
}

/// `line rule` of the warnings, `line rule?` of the notes.
fn found(text: &str) -> Vec<String> {
    let mark = |finding: &Finding| if finding.level == Level::Note { "?" } else { "" };
    all(text)
        .iter()
        .map(|finding| format!("{} {}{}", finding.place.line, finding.rule, mark(finding)))
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn return_answers_before_the_gate() {
    let of = |inside: &str| found(&server(&format!("authgate ops;\n{inside}")));
    assert_eq!(of("location /x { return 200 text; }"), ["3 return"]);
    assert_eq!(of("location /x { return 201 $x; }"), ["3 return"]);
    assert_eq!(of("location /x { if ($x) { return 200 text; } }"), ["3 return"]);
    assert_eq!(of("if ($x) { return 200 text; }"), ["3 return"]);
    assert_eq!(of("location /x { return 302 /b; }"), ["3 return?"]);
    assert_eq!(of("location /x { return https://x/; }"), ["3 return?"]);
    assert_eq!(of("location /x { rewrite ^ /b redirect; }"), ["3 return?"]);
    assert_eq!(of("location /x { rewrite ^ https://x/$1; }"), ["3 return?"]);
    assert_eq!(of("location /x { rewrite ^/a/(.*) /b/$1 permanent; }"), ["3 return?"]);
    for right in ["return 404;", "return 204;", "return 444;", "return 200;", "rewrite ^ /b break;"]
    {
        assert_eq!(of(&format!("location /x {{ {right} }}")), NOTHING, "{right}");
    }
    assert_eq!(of("location /x { authgate off; return 200 text; }"), ["3 open?"]);
    assert_eq!(found(&server("location /x { return 200 text; }")), NOTHING);
}

#[test]
fn the_login_page_has_to_be_reached() {
    let gated = "location /app { authgate ops; proxy_pass http://a; }";
    let of = |inside: &str| found(&server(&format!("{gated}\n{inside}")));
    assert_eq!(of("location / { return 302 /app; }"), ["3 pages"]);
    assert_eq!(of("location / { return 404; }"), ["3 pages"]);
    assert_eq!(of("location /auth { rewrite ^ https://x/ redirect; }"), ["3 pages"]);
    assert_eq!(of("location = /authgate/login { return 404; }"), ["3 pages"]);
    assert_eq!(of("location / { root x; }"), NOTHING);
    assert_eq!(of("location = / { return 302 /app; }"), NOTHING);
    assert_eq!(of("location / { if ($x) { return 404; } }"), NOTHING);
    let mend = "location /authgate/ { authgate_endpoints ops; }";
    assert_eq!(of(&format!("location / {{ return 302 /app; }}\n{mend}")), NOTHING);
    // Whether an expression takes it is not computed.
    assert_eq!(of("location ~ x { return 404; }"), NOTHING);
    let elsewhere = server(&format!("{gated}\nlocation / {{ return 404; }}"));
    let elsewhere = elsewhere.replace("users u;", "login_url https://x/authgate/login;");
    assert_eq!(found(&elsewhere), NOTHING);
    let moved = server(&format!("{gated}\nlocation /authgate/ {{ return 404; }}"));
    assert_eq!(found(&moved), ["3 pages"]);
    assert_eq!(found(&moved.replace("users u;", "path /in/;")), NOTHING);
    // A server that only redirects sends nobody to a login.
    assert_eq!(of("return 301 https://x/;"), NOTHING);
}

#[test]
fn rewrite_leaves_before_the_gate() {
    let of = |from: &str, to: &str| {
        let from = format!("location /in/ {{ authgate ops; {from} }}");
        found(&server(&format!("{from}\n{to}")))
    };
    let inner = "location /files/ { internal; alias x; }";
    assert_eq!(of("rewrite ^/in/(.*) /files/$1 last;", inner), ["2 rewrite"]);
    assert_eq!(of("rewrite ^/in/(.*) /files/$1;", inner), ["2 rewrite"]);
    assert_eq!(of("rewrite ^/in/(.*) /files/$1 break;", inner), NOTHING);
    let gated = "location /files/ { internal; authgate ops; alias x; }";
    assert_eq!(of("rewrite ^/in/(.*) /files/$1 last;", gated), NOTHING);
    let open = "location /files/ { authgate off; alias x; }";
    assert_eq!(of("rewrite ^/in/(.*) /files/$1 last;", open), NOTHING);
    assert_eq!(of("rewrite ^/in/(.*) $to last;", inner), NOTHING);
}

#[test]
fn parts_of_open_pages() {
    let gated = "location /in/ { authgate ops; }";
    let of = |inside: &str| found(&server(&format!("{gated}\n{inside}")));
    assert_eq!(of("location /a { ssi on; }"), ["3 ssi"]);
    assert_eq!(of("ssi on; location /a { } location /b { }"), ["3 ssi"]);
    assert_eq!(of("location /a { authgate ops; ssi on; }"), NOTHING);
    assert_eq!(found(&server("location /a { ssi on; }")), NOTHING);

    for directive in ["add_before_body", "add_after_body", "mirror"] {
        assert_eq!(of(&format!("location /a {{ {directive} /in/x; }}")), ["3 subrequest"]);
        assert_eq!(of(&format!("location /a {{ authgate ops; {directive} /in/x; }}")), NOTHING);
        assert_eq!(of(&format!("location /a {{ {directive} /a/x; }}")), NOTHING);
        assert_eq!(of(&format!("location /a {{ {directive} off; }}")), NOTHING);
        let php =
            format!("location /a {{ {directive} /in/x; }} location ~ \\.php$ {{ authgate off; }}");
        assert_eq!(of(&php), ["3 subrequest"], "an expression that cannot be about it");
        let sre = "location /sre { authgate ops; authgate_require group=sre; }";
        let gated = format!("location /a {{ authgate ops; {directive} /sre; }} {sre}");
        assert_eq!(of(&gated), ["3 subrequest"], "it is for fewer");
        let same =
            gated.replace("authgate ops; add", "authgate ops; authgate_require group=sre; add");
        let same = same
            .replace("authgate ops; mirror", "authgate ops; authgate_require group=sre; mirror");
        assert_eq!(of(&same), NOTHING);
    }
}

#[test]
fn auth_request_to_a_gate() {
    let of =
        |target: &str| found(&server(&format!("location /a {{ auth_request /ask; }}\n{target}")));
    assert_eq!(of("location = /ask { authgate ops; }"), ["2 auth-request"]);
    assert_eq!(of("location = /ask { authgate ops; proxy_pass http://a; }"), ["2 auth-request"]);
    assert_eq!(of("location = /ask { internal; authgate_verify ops; }"), NOTHING);
    assert_eq!(of("location = /ask { proxy_pass http://a; }"), NOTHING);
    let off = "location /a { authgate off; auth_request /ask; } location = /ask { %; }";
    let of_server =
        |target: &str| found(&server(&format!("authgate ops; {}", off.replace('%', target))));
    assert_eq!(of_server("try_files x =404"), ["2 auth-request", "2 open?"]);
    assert_eq!(of_server("proxy_pass http://a"), ["2 open?"], "another service is asked");
}

#[test]
fn locations_beside_the_gate() {
    let of = |gated: &str, beside: &str| {
        found(&server(&format!("location {gated} {{ authgate ops; }}\nlocation {beside}")))
    };
    for beside in [
        "~ \\.php$ { }",
        "~* \\.(png|css)$ { }",
        "~ ^/in/x { }",
        "~ ^/i { }",
        "/in/x { }",
        "= /in/x { }",
        "^~ /in/x { }",
    ] {
        assert_eq!(of("/in/", beside), ["3 location"], "{beside}");
    }
    for beside in [
        "~ ^/out/ { }",
        "/out/ { }",
        "/ { }",
        "= /in { }",
        "@in { }",
        "/in/x { authgate off; }",
        "/in/x { authgate ops; }",
        "/in/x { authgate ops optional; }",
        "/in/x { return 404; }",
        "/in/x { deny all; }",
        "/in/x { internal; }",
        "/in/x { auth_basic x; }",
        "/in/x { auth_request /out; }",
        "/in/x { authgate_endpoints ops; }",
        "~ \\.php$ { authgate off; }",
    ] {
        let found = of("/in/", beside);
        assert!(found.iter().all(|it| it.ends_with('?')), "{beside}: {found:?}");
    }
    assert_eq!(of("^~ /in/", "~ \\.php$ { }"), NOTHING);
    assert_eq!(of("= /in/", "~ \\.php$ { }"), NOTHING);
    assert_eq!(of("/in/", "/out/ { }\nlocation /in/a { location /in/a/b { } }"), ["4 location"]);
    let inner = "location /in/ { authgate ops; location /in/x { } location ~ \\.php$ { } }";
    assert_eq!(found(&server(inner)), NOTHING);
    assert_eq!(found(&server("authgate ops; location / { } location ~ x { }")), NOTHING);
}

#[test]
fn a_page_of_refusal_that_shows_the_application() {
    let of = |page: &str, named: &str| {
        let gated = format!("location / {{ authgate ops; {page} proxy_pass http://app/x; }}");
        found(&server(&format!("{gated}\nlocation @open {{ {named} }}")))
    };
    assert_eq!(of("error_page 401 = @open;", "proxy_pass http://app;"), ["2 error-page"]);
    assert_eq!(of("error_page 404 403 = @open;", "proxy_pass http://app;"), ["2 error-page"]);
    assert_eq!(of("error_page 401 = @open;", "proxy_pass http://login;"), NOTHING);
    assert_eq!(of("error_page 401 = @open;", "authgate ops; proxy_pass http://app;"), NOTHING);
    assert_eq!(of("error_page 404 = @open;", "proxy_pass http://app;"), NOTHING);
    assert_eq!(of("error_page 401 /own.html;", "proxy_pass http://app;"), NOTHING);
}

#[test]
fn the_same_application_in_another_server() {
    let gated = server("authgate ops; location / { proxy_pass http://127.0.0.1:9090; }");
    let of = |other: &str| found(&format!("{gated}server {{\n{other}\n}}"));
    let open = "location / { proxy_pass http://127.0.0.1:9090/; }";
    assert_eq!(of(open), ["5 upstream"]);
    assert_eq!(of(&format!("listen 8080; {open}")), ["5 upstream"]);
    assert_eq!(of(&format!("listen 127.0.0.1:8080; listen unix:/x; {open}")), NOTHING);
    assert_eq!(of(&format!("allow 192.0.2.1; deny all; {open}")), NOTHING);
    assert_eq!(of(&format!("ssl_verify_client on; {open}")), NOTHING);
    assert_eq!(of(&format!("authgate off; {open}")), NOTHING);
    assert_eq!(of("location / { proxy_pass http://127.0.0.1:9091; }"), NOTHING);
    assert_eq!(of("location / { proxy_pass http://$host; }"), NOTHING);
    let beside =
        "location /in { authgate ops; proxy_pass http://a; } location /x { proxy_pass http://a; }";
    assert_eq!(found(&server(beside)), NOTHING, "in one server the location is what is chosen");
}

#[test]
fn webdav_writes_elsewhere() {
    let gated = "location /in/ { authgate ops; }";
    let of = |inside: &str| found(&server(&format!("{gated}\n{inside}")));
    assert_eq!(of("location /a { dav_methods PUT MOVE; }"), ["3 dav"]);
    assert_eq!(of("location /a { dav_methods COPY; }"), ["3 dav"]);
    assert_eq!(of("location /a { dav_methods PUT DELETE MKCOL; }"), NOTHING);
    assert_eq!(of("location /a { authgate ops; dav_methods PUT MOVE; }"), NOTHING);
    assert_eq!(found(&server("location /a { dav_methods PUT MOVE; }")), NOTHING);
}

#[test]
fn fields_that_an_application_believes() {
    let of = |other: &str| {
        let field = "proxy_set_header X-Forwarded-User $authgate_user;";
        let gated = format!("location / {{ proxy_pass http://app; {field} }}");
        found(&server(&format!("authgate ops; {gated}\nlocation /b {{ {other} }}")))
    };
    let off = "authgate off; proxy_pass http://app;";
    assert_eq!(
        of(off),
        ["3 open?", "3 identity"].map(String::from).iter().rev().cloned().collect::<Vec<_>>()
    );
    assert_eq!(of("proxy_pass http://app/x;"), ["3 identity"]);
    assert_eq!(of("proxy_pass http://app; proxy_set_header Host $host;"), ["3 identity"]);
    assert_eq!(of("proxy_pass http://app; proxy_set_header x-forwarded-user \"\";"), NOTHING);
    assert_eq!(of("proxy_pass http://app; proxy_set_header X-Forwarded-User $gate_user;"), NOTHING);
    assert_eq!(of("proxy_pass http://app; proxy_pass_request_headers off;"), NOTHING);
    assert_eq!(of("proxy_pass http://other;"), NOTHING);
    let trap = "authgate ops; proxy_set_header X-User ${remote_user};
        location / { proxy_pass http://app; }
        location /b { proxy_pass http://app; proxy_set_header Host x; }";
    assert_eq!(found(&server(trap)), ["4 identity"], "one of its own, and all from above are gone");
}

#[test]
fn caches_that_are_told_to_keep_it() {
    let of = |field: &str| {
        let inside =
            format!("authgate ops;\nadd_header {field};\nlocation / {{ }} location /b {{ }}");
        found(&server(&inside))
    };
    for field in [
        "Cache-Control public",
        "cache-control \"max-age=60, Public\" always",
        "Cache-Control s-maxage=60",
        "CDN-Cache-Control max-age=60",
        "Surrogate-Control max-age=60",
        "X-Accel-Expires 60",
    ] {
        assert_eq!(of(field), ["3 cache"], "{field}");
    }
    for field in [
        "Cache-Control private",
        "Cache-Control max-age=60",
        "Cache-Control no-store",
        "X-Accel-Expires 0",
        "X-Other public",
        "CDN-Cache-Control no-store",
    ] {
        assert_eq!(of(field), NOTHING, "{field}");
    }
    assert_eq!(found(&server("location / { add_header Cache-Control public; }")), NOTHING);
}

#[test]
fn passwords_in_the_clear() {
    let of = |realm: &str, inside: &str| {
        found(&format!("authgate_realm ops {{ {realm} }}\nserver {{\n{inside} authgate ops; }}"))
    };
    for listen in ["", "listen 80;", "listen *:80;", "listen 192.0.2.1:80;", "listen [::]:80;"] {
        let line = if listen.is_empty() { "2 tls" } else { "3 tls" };
        assert_eq!(of("users u;", listen), [line], "{listen}");
        assert_eq!(of("cookie c secure=on;", listen), NOTHING, "{listen}");
        assert_eq!(
            of("users u;", &format!("{listen} return 301 https://x;")),
            ["3 return?"],
            "{listen}"
        );
    }
    for listen in [
        "listen 443 ssl;",
        "listen 443 quic;",
        "listen 127.0.0.1:80;",
        "listen [::1]:80;",
        "listen unix:/x;",
    ] {
        assert_eq!(of("users u;", listen), NOTHING, "{listen}");
    }
    let to_tls = "listen 80; if ($scheme = http) { return 301 https://$host$request_uri; }";
    assert_eq!(of("users u;", to_tls), ["3 return?"]);
    assert_eq!(of("users u;", "listen 80; listen 443 ssl;"), ["3 tls"]);
    let open = "authgate_realm ops { }\nserver { listen 80; location / { } }";
    assert_eq!(found(open), NOTHING);
}

#[test]
fn the_numbers_of_the_gate() {
    let of = |listen: &str, inside: &str| {
        found(&format!(
            "server {{ listen {listen};\nlocation /m {{ authgate_metrics; {inside} }} }}"
        ))
    };
    assert_eq!(of("8081", ""), ["2 metrics"]);
    assert_eq!(of("127.0.0.1:8081", ""), NOTHING);
    assert_eq!(of("8081", "allow 192.0.2.1; deny all;"), NOTHING);
    assert_eq!(of("8081 ssl", "authgate ops;"), NOTHING);
}

#[test]
fn satisfy_any() {
    let of = |inside: &str| found(&server(&format!("authgate ops;\nlocation / {{ {inside} }}")));
    assert_eq!(of("satisfy any; allow all;"), ["3 satisfy"]);
    assert_eq!(of("satisfy any; allow 0.0.0.0/0; deny all;"), ["3 satisfy"]);
    assert_eq!(of("satisfy any; allow 192.0.2.1; deny all;"), ["3 satisfy?"]);
    assert_eq!(of("satisfy any; auth_basic x;"), ["3 satisfy?"]);
    assert_eq!(of("satisfy any; deny all; allow all;"), NOTHING);
    assert_eq!(of("satisfy any; deny all;"), NOTHING);
    assert_eq!(of("satisfy all; allow all;"), NOTHING);
    let text = server("authgate ops;\nlocation / { satisfy any; allow 192.0.2.1; auth_basic x; }");
    let note = all(&text).remove(0);
    assert_eq!(note.text, "\"satisfy any\" lets in without a login: 192.0.2.1, auth_basic");
}

#[test]
fn what_is_said_to_be_open() {
    let of = |inside: &str| found(&server(&format!("authgate ops;\n{inside}")));
    assert_eq!(of("location /a { authgate off; }"), ["3 open?"]);
    assert_eq!(of("location /a { authgate off; location /a/b { } }"), ["3 open?"]);
    assert_eq!(of("location /a { authgate ops optional; }"), ["3 open?"]);
    assert_eq!(of("location /a { authgate_dry_run on; }"), ["3 open"]);
    assert_eq!(of("authgate_dry_run on; location /a { } location /b { }"), ["3 open"]);
    assert_eq!(of("location /a { authgate_dry_run off; }"), NOTHING);
    assert_eq!(of("location /a { limit_except POST { authgate off; } }"), ["3 open?"]);
    assert_eq!(of("location /a { if ($request_method = OPTIONS) { authgate off; } }"), ["3 open?"]);
    assert_eq!(of("location /a { if ($http_x_key = secret) { authgate off; } }"), ["3 open"]);
    assert_eq!(of("location /a { if ($arg_open) { authgate off; } }"), ["3 open"]);
    assert_eq!(found(&server("location /a { authgate off; }")), NOTHING, "it was open before");
}

#[test]
fn every_finding_says_what_to_do_and_where() {
    let text = server(
        "authgate ops;\nlocation /a { authgate_dry_run on; return 200 x; satisfy any; allow all; }",
    );
    let findings = all(&text);
    assert!(!findings.is_empty());
    for Finding { place, rule, text, mend, .. } in findings {
        assert_eq!(&*place.file, "f");
        assert!(rules().any(|name| name == rule));
        for line in [text, mend] {
            assert!(!line.is_empty() && !line.ends_with('.') && !line.contains('\n'), "{line}");
        }
    }
}

#[test]
fn parts_of_a_configuration_and_whole_ones() {
    let inside = "authgate ops; location /a { authgate off; }";
    for text in [
        inside.to_owned(),
        format!("server {{ listen 443 ssl; {inside} }}"),
        format!("http {{ server {{ listen 443 ssl; {inside} }} }}"),
        "http { authgate ops; server { listen 443 ssl; location /a { authgate off; } } }"
            .to_owned(),
    ] {
        assert_eq!(found(&text), ["1 open?"], "{text}");
        assert!(has_gate(&parse(&text, "f").unwrap()));
    }
    let other =
        "stream { server { listen 80; } } http { upstream a { server x; } map $a $b { a b; } }";
    assert_eq!(found(other), NOTHING);
    assert!(!has_gate(&parse(other, "f").unwrap()));
}
