//! Group D of the cases: where a login returns to. The oracle is a WHATWG URL parser.

mod cases;

use authgate_core::return_path::{ReturnPath, encode, from_query};
use cases::cases;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use std::collections::BTreeSet;
use url::Url;

const GATE: &str = "/authgate/";

/// Strings with which others were led astray, as the visitor's browser would have them.
const HOSTILE: &[&[u8]] = &[
    b"//evil.com",
    b"///evil.com",
    b"////evil.com/%2f..",
    b"/\\evil.com",
    b"/\\/evil.com",
    b"\\\\evil.com",
    b"\\/evil.com",
    b"/\\\\\\evil.com",
    b"/\t/evil.com",
    b"/\n/evil.com",
    b"/\r\\evil.com",
    b"/\x0b/evil.com",
    b"/\x0c/evil.com",
    b"/ /evil.com",
    b" //evil.com",
    b"\t//evil.com",
    b"/%09/evil.com",
    b"/%0a/evil.com",
    b"/%5cevil.com",
    b"/%5c%5cevil.com",
    b"/%2f/evil.com",
    b"/%2f%2fevil.com",
    b"/%252f%252fevil.com",
    b"/%255cevil.com",
    b"/./\\evil.com",
    b"/.//evil.com",
    b"/../..//evil.com",
    b"/..;//evil.com",
    b"http://evil.com",
    b"https:evil.com",
    b"https:/evil.com",
    b"https:\\\\evil.com",
    b"http:///evil.com",
    b"HtTp://evil.com",
    b"https://gate.example@evil.com",
    b"https://gate.example.evil.com",
    b"https://gate.example\\.evil.com",
    b"https://evil.com#gate.example",
    b"https://gate.example%00.evil.com",
    b"evil.com",
    b"@evil.com",
    b"?//evil.com",
    b"#//evil.com",
    b".evil.com",
    b"javascript:alert(1)",
    b"java%0ascript:alert(1)",
    b"data:text/html,x",
    b"vbscript:x",
    b"//evil%E3%80%82com",
    "/\u{3000}/evil.com".as_bytes(),
    "/\u{ff0f}/evil.com".as_bytes(),
    "/\u{2044}/evil.com".as_bytes(),
    b"//[::ffff:1.2.3.4]",
    b"//0x7f000001",
    b"http:3627734734",
    b"//evil.com:80?@gate.example",
    b"/x%0d%0aSet-Cookie:a=b",
    b"/x%E5%98%8D%E5%98%8ASet-Cookie:a=b",
    b"/x%00//evil.com",
    "\u{feff}//evil.com".as_bytes(),
    b"",
    &[b'/'; 2049],
    b"\xc0\xaf",
    b"/\xc0\xaf/evil.com",
    b"/;@x",
    b"/@evil.com",
];

/// What remains a plain path here, in one of its spellings: the oracle of D51 keeps each of them on
/// the origin, and none holds a byte that ends a header line.
const HARMLESS: &[&str] = &[
    // User information only follows an authority, and there is none.
    "/%253B%2540x",
    "/%2540evil.com",
    "/%3B%40x",
    "/%40evil.com",
    "/;@x",
    "/@evil.com",
    // A blank, what resembles a slash in another script, or what was once cut to CR and LF.
    "/%20/evil.com",
    "/%2520/evil.com",
    "/%25C0%25AF/evil.com",
    "/%25E2%2581%2584/evil.com",
    "/%25E3%2580%2580/evil.com",
    "/%25EF%25BC%258F/evil.com",
    "/%C0%AF/evil.com",
    "/%E2%81%84/evil.com",
    "/%E3%80%80/evil.com",
    "/%EF%BC%8F/evil.com",
    "/x%2525E5%252598%25258D%2525E5%252598%25258ASet-Cookie%253Aa%253Db",
    "/x%25E5%2598%258D%25E5%2598%258ASet-Cookie%3Aa%3Db",
    "/x%E5%98%8D%E5%98%8ASet-Cookie:a=b",
    // A third decoding would be needed, and no parser decodes at all before it splits.
    "/%252509/evil.com",
    "/%25250a/evil.com",
    "/%2525252f%2525252fevil.com",
    "/%2525255cevil.com",
    "/%25252f%25252fevil.com",
    "/%25252f/evil.com",
    "/%25255c%25255cevil.com",
    "/%25255cevil.com",
    "/x%25250d%25250aSet-Cookie%253Aa%253Db",
];

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ALL_BUT_SLASHES: &AsciiSet = &UNRESERVED.remove(b'/');

/// The string itself, and percent-encoded once and twice, with its slashes and without.
fn spellings(raw: &[u8]) -> Vec<Vec<u8>> {
    let coded = |text: &[u8], set| percent_encode(text, set).to_string().into_bytes();
    let mut all = vec![raw.to_vec()];
    for set in [UNRESERVED, ALL_BUT_SLASHES] {
        let once = coded(raw, set);
        all.push(coded(&once, set));
        all.push(once);
    }
    all
}

fn parse(raw: &[u8]) -> ReturnPath {
    ReturnPath::parse(raw, GATE)
}

fn is_taken(raw: &[u8]) -> bool {
    parse(raw).as_str().as_bytes() == raw && raw != b"/"
}

/// Whether a browser on the login page that is sent to `target` stays on the origin.
fn stays(target: &str) -> bool {
    ["https://gate.example/authgate/login?rd=x", "http://gate.example:8080/authgate/login"]
        .into_iter()
        .all(|base| Url::parse(base).is_ok_and(|base| leads_to_its_origin(&base, target)))
}

fn leads_to_its_origin(base: &Url, target: &str) -> bool {
    base.join(target).is_ok_and(|there| there.origin() == base.origin())
}

#[test]
fn d50_hostile_strings_become_the_root() {
    let taken: BTreeSet<String> = HOSTILE
        .iter()
        .flat_map(|raw| spellings(raw))
        .filter(|spelling| is_taken(spelling))
        .map(|spelling| String::from_utf8(spelling).unwrap())
        .collect();
    let harmless: BTreeSet<String> = HARMLESS.iter().map(|&text| text.to_owned()).collect();
    assert_eq!(taken, harmless);
    assert!(HARMLESS.iter().all(|target| stays(target)));
}

#[test]
fn d50_the_same_through_the_query() {
    for raw in HOSTILE {
        for spelling in spellings(raw) {
            let query = format!("rd={}", encode(&spelling));
            let there = from_query(query.as_bytes()).unwrap_or_default();
            assert_eq!(parse(&there), parse(&spelling), "{query}");
        }
    }
}

/// Pieces that parsers stumble over, so that chance puts them together.
const PIECES: &[&str] = &[
    "/",
    "//",
    "\\",
    ".",
    "..",
    "%2e",
    "%2E",
    "%252e",
    "%2f",
    "%5c",
    "%252f",
    "%255c",
    "%09",
    "%0a",
    "%00",
    "%",
    "%%32%66",
    "%25",
    "%3f",
    "%23",
    "?",
    "#",
    "@",
    ":",
    ";",
    "&",
    "=",
    "+",
    "\t",
    "\n",
    "\r",
    " ",
    "evil.com",
    "https:",
    "http://",
    "javascript:",
    "[::1]",
    "{",
    "}",
    "|",
    "^",
    "\u{3002}",
    "\u{ff0f}",
    "\u{560a}",
    "\u{feff}",
    "\u{80}",
    "login",
    "authgate",
    "a",
    "'",
    "\"",
    "<",
    ">",
    "`",
    "~",
];

fn mixtures() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..12);
    prop_oneof![
        pieces.clone().prop_map(|pieces| pieces.concat().into_bytes()),
        pieces.prop_map(|pieces| format!("/{}", pieces.concat()).into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
        "/[!-~]{0,40}".prop_map(String::into_bytes),
    ]
}

/// A hostile string with one part cut out, doubled or replaced.
fn mutants() -> impl Strategy<Value = Vec<u8>> {
    let parts = (prop::sample::select(HOSTILE), any::<prop::sample::Index>(), 0..4usize, 0..3usize);
    (parts, prop::sample::select(PIECES)).prop_map(|((raw, at, cut, times), piece)| {
        let (before, rest) = raw.split_at(at.index(raw.len() + 1));
        let (_, after) = rest.split_at(rest.len().min(cut));
        [before, piece.repeat(times).as_bytes(), after].concat()
    })
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn d51_accepted_paths_stay_on_the_origin(raw in prop_oneof![mixtures(), mutants()]) {
        let there = parse(&raw);
        prop_assert!(stays(there.as_str()), "{:?}", there);
        prop_assert!(there.as_str() == "/" || there.as_str().as_bytes() == raw);
        for decoded in decodings(there.as_str()) {
            prop_assert!(stays(&decoded), "{:?}", decoded);
        }
    }

    #[test]
    fn d52_accepted_paths_hold_no_end_of_line(raw in prop_oneof![mixtures(), mutants()]) {
        let there = parse(&raw);
        prop_assert!(there.as_str().bytes().all(|byte| (0x21..0x7f).contains(&byte)));
        for decoded in decodings(there.as_str()) {
            prop_assert!(!decoded.contains(['\r', '\n']), "{:?}", decoded);
        }
    }

    #[test]
    fn d52_what_encode_makes_is_safe_anywhere_and_comes_back(raw in mixtures()) {
        let value = encode(&raw);
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        prop_assert!(value.bytes().all(is_safe), "{}", value);
        let expected = String::from_utf8(raw).ok().map(String::into_bytes);
        prop_assert_eq!(from_query(format!("a=b&rd={value}").as_bytes()), expected);
    }
}

/// What a proxy on the way, or two, would make of the path.
fn decodings(target: &str) -> Vec<String> {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let decode = |text: &[u8]| percent_encoding::percent_decode(text).collect::<Vec<u8>>();
    let once = decode(path.as_bytes());
    let twice = decode(&once);
    [once, twice].map(|path| String::from_utf8_lossy(&path).into_owned() + query).into()
}

#[test]
fn d52_no_extra_header_line() {
    for text in
        ["/x%0d%0aSet-Cookie:a=b", "/x\r\nSet-Cookie:a=b", "/x\u{560d}\u{560a}Set-Cookie:a=b"]
    {
        assert_eq!(parse(text.as_bytes()).as_str(), "/", "{text:?}");
        assert!(!encode(text.as_bytes()).contains(['\r', '\n', ':']), "{text:?}");
    }
    assert_eq!(encode("\u{560d}\u{560a}".as_bytes()), "%E5%98%8D%E5%98%8A");
}

#[test]
fn d50_a_dot_segment_ends_at_the_fragment_too() {
    for path in ["/.#x", "/a/..#", "/a/.%23x", "/a/%2e%2e#", "/a/..%3fx", "/a/..%253fx", "/..#/b"] {
        assert_eq!(parse(path.as_bytes()).as_str(), "/", "{path}");
    }
    for path in ["/a.#x", "/what%3f.", "/a#.x", "/...#", "/.a%23"] {
        assert_eq!(parse(path.as_bytes()).as_str(), path);
    }
}

#[test]
fn d53_honest_paths_byte_for_byte() {
    for path in [
        "/",
        "/a/b?x=1&y=2",
        "/a%20b",
        "/a?u=https://x/",
        "/caf%C3%A9",
        "/graph?g0.expr=up{job=%22x%22}",
        "/graph?g0.expr=sum|a^b[5m]&q='x'",
        "/a/",
        "/a/b/;v=1/(x)!$&'*+,=:@~",
        "/.well-known/x",
        "/...",
        "/a..b/c.",
        "/#/alerts?silenced=false",
        "/?//evil.com",
        "/?/../x",
        "/100%25",
    ] {
        assert_eq!(parse(path.as_bytes()).as_str(), path);
        let query = format!("rd={}", encode(path.as_bytes()));
        assert_eq!(from_query(query.as_bytes()).as_deref(), Some(path.as_bytes()));
        assert!(stays(path));
    }
}

#[test]
fn d53_characters_that_belong_to_the_query_alone() {
    for character in "{}|^[]".chars() {
        assert_eq!(parse(format!("/a{character}b").as_bytes()).as_str(), "/");
        let query = format!("/a?b{character}c");
        assert_eq!(parse(query.as_bytes()).as_str(), query);
    }
    for character in "\\\"<>`\u{7f} ".chars() {
        assert_eq!(parse(format!("/a{character}b").as_bytes()).as_str(), "/");
        assert_eq!(parse(format!("/a?b{character}c").as_bytes()).as_str(), "/");
    }
}

#[test]
fn d54_the_pages_of_the_gate_become_the_root() {
    for path in [
        "/authgate/login",
        "/authgate/logout",
        "/authgate/login?rd=/x",
        "/authgate/login#x",
        "/authgate/login/",
        "/authgate/logout/x",
        "/authgate/%6cogin",
        "/authgate/%6c%6F%67%69%6e?x",
        "/%61uthgate/logou%74",
        "/%2561uthgate/login",
        "/authgate/login%2fx",
        "/authgate/login%3fx",
    ] {
        assert_eq!(parse(path.as_bytes()).as_str(), "/", "{path}");
    }
    for path in
        ["/authgate/session", "/authgate/logins", "/authgate", "/x/authgate/login", "/login"]
    {
        assert_eq!(parse(path.as_bytes()).as_str(), path);
    }
    assert_eq!(ReturnPath::parse(b"/login?x", "/").as_str(), "/");
    assert_eq!(ReturnPath::parse(b"/authgate/login", "/gate/").as_str(), "/authgate/login");
}

#[test]
fn d54_over_two_kibibytes_become_the_root() {
    let longest = format!("/{}", "a".repeat(2047));
    assert_eq!(parse(longest.as_bytes()).as_str(), longest);
    assert_eq!(parse(format!("{longest}a").as_bytes()).as_str(), "/");
}

#[test]
fn c45_rd_is_decoded_once_or_not_at_all() {
    let value = |query: &str| from_query(query.as_bytes()).map(|v| String::from_utf8(v).unwrap());
    assert_eq!(value("rd=/a%2520b"), Some("/a%20b".into()));
    assert_eq!(value("rd=/a+b"), Some("/a b".into()));
    assert_eq!(value("x=1&rd=/a;rd=/b"), Some("/a;rd=/b".into()));
    assert_eq!(value("%72%64=/a"), Some("/a".into()));
    assert_eq!(value("rd"), Some(String::new()));
    for query in
        ["", "x=1", "rd=/a&rd=/a", "rd=/a&%72d=/b", "rd=%zz", "rd=%", "rd=/a&x=%4", "rd=%C0%AF"]
    {
        assert_eq!(value(query), None, "{query}");
    }
}
