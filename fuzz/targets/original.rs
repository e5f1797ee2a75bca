//! The request that another proxy asks about: header lines, `name: value`.
#![no_main]

use authgate_core::original::{Line, Original, Peer};
use authgate_core::request::Scheme;
use authgate_fuzz::lines;
use authgate_fuzz::realm::Realm;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use url::Url;

static REALM: LazyLock<Realm> = LazyLock::new(|| Realm::new(&[]));

type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

fuzz_target!(|data: &[u8]| {
    let fields: Fields<'_> = lines(data).into_iter().filter_map(field).collect();
    let lookup = |name: &str| match &values(&fields, name)[..] {
        [] => Line::Absent,
        [value] => Line::One(value),
        _ => Line::Several,
    };
    assert_eq!(Original::read(&lookup, Peer::Untrusted), None);
    let Some(read) = Original::read(&lookup, Peer::Trusted) else { return };
    let one = |name: &str| values(&fields, name).first().copied();
    for name in NAMES {
        assert!(values(&fields, name).len() <= 1, "{name} twice");
    }
    told(&read, &one);
    let none = |_: &str| None;
    let asking = REALM.head(&none);
    let head = read.head(&asking);
    assert_eq!(head.target, Some(read.target));
    assert_eq!(head.host, read.host.map(|host| host.text.as_bytes()));
});

const NAMES: [&str; 6] = [
    "x-original-url",
    "x-original-method",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-uri",
];

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

fn values<'a>(fields: &Fields<'a>, name: &str) -> Vec<&'a [u8]> {
    fields.iter().filter(|(it, _)| *it == name.as_bytes()).map(|(_, value)| *value).collect()
}

/// Each part is what one of the fields says, and none says otherwise.
fn told<'a>(read: &Original<'_>, one: &dyn Fn(&str) -> Option<&'a [u8]>) {
    let target = read.target;
    assert!(target.starts_with(b"/") && !target.iter().any(|b| *b <= b' ' || *b == 0x7f));
    let urls = ["x-original-url", "x-forwarded-uri"].map(one);
    assert!(urls.iter().flatten().all(|url| url.ends_with(target)));
    for method in ["x-original-method", "x-forwarded-method"].iter().filter_map(|name| one(name)) {
        assert!(read.method.is_none_or(|seen| seen.as_bytes() == method));
    }
    if let Some(host) = one("x-forwarded-host") {
        assert!(read.host.is_none_or(|seen| seen.text.as_bytes() == host));
    }
    let Some(url) = urls[0] else { return };
    assert_eq!(url.starts_with(b"/"), read.scheme.is_none() || url[0] == b'/');
    // A browser reads the same host and path, where the URL is one.
    let Some(url) = core::str::from_utf8(url).ok().filter(|url| !url.starts_with('/')) else {
        return;
    };
    let Ok(parsed) = Url::parse(url) else { return };
    let https = matches!(parsed.scheme(), "https" | "wss");
    assert_eq!(read.scheme, Some(if https { Scheme::Https } else { Scheme::Http }));
    assert_eq!((parsed.username(), parsed.password()), ("", None), "{url:?}");
    let host = read.host.expect("the URL's");
    assert_eq!(parsed.port_or_known_default(), host.port.or(Some(if https { 443 } else { 80 })));
}
