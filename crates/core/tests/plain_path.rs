//! Case J122: the paths that the limits of an API token are about, and everybody who reads them.
#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod cases;

use authgate_core::plain_path::plain_path;
use authgate_core::token::ScopeBuf;
use cases::cases;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

#[test]
fn j122_plain_paths_are_decoded() {
    for (target, path) in [
        ("/", "/"),
        ("/metrics", "/metrics"),
        ("/metrics?x=/../y&%zz#", "/metrics"),
        ("/metrics??", "/metrics"),
        ("/m%65trics", "/metrics"),
        ("/a%20b/caf%C3%A9", "/a b/caf\u{e9}"),
        ("/a%20b/caf%c3%a9", "/a b/caf\u{e9}"),
        ("/caf\u{e9}", "/caf\u{e9}"),
        ("/%C3%BCbersicht/", "/übersicht/"),
        ("/u%CC%88bersicht", "/u\u{308}bersicht"),
        ("/名前/हिन्दी", "/名前/हिन्दी"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a..b/.c/..d/e../f.", "/a..b/.c/..d/e../f."),
        ("/a+b/c++/@:,=&$!'()*~", "/a+b/c++/@:,=&$!'()*~"),
        ("/a/", "/a/"),
        ("/a%3bb", "/a;b"),
    ] {
        assert_eq!(plain_path(target.as_bytes()).as_deref(), Some(path), "{target}");
    }
}

/// Not one of these is read alike by nginx, what it hands them to, and what stands behind that.
const DOUBTFUL: &[&str] = &[
    "",
    "*",
    "?",
    "?/x",
    "metrics",
    "%2f",
    "%2fmetrics",
    "app.example:443",
    "http://app.example/metrics",
    // Merged, or not.
    "//",
    "//metrics",
    "/metrics//",
    "/a//b",
    "/admin//../metrics",
    "/;/",
    "/metrics/;/x",
    "/metrics/;x",
    // Resolved, or not.
    "/metrics/..",
    "/metrics/../admin",
    "/./metrics",
    "/metrics/.",
    "/.",
    "/..",
    "/../",
    "/metrics/..;/admin",
    "/metrics/..;x=1/admin",
    "/metrics/.;/x",
    "/metrics;/../admin",
    "/metrics/%2e%2e/admin",
    "/metrics/%2E./admin",
    "/metrics/.%2e",
    "/%2e/x",
    "/admin/%2e%2e/metrics",
    "/metrics/%2e%2e;/admin",
    "/metrics/..%3b/admin",
    "/metrics/..%3B/admin",
    // One segment, or two.
    "/metrics%2f..%2fadmin",
    "/admin%2f..%2fmetrics",
    "/metrics%2fx",
    "/metrics%2Fx",
    "/metrics%5cx",
    "/metrics%5Cx",
    "/metrics\\..\\admin",
    "/metrics/..\\admin",
    "/metrics\\",
    // Decoded a second time.
    "/metrics%252fx",
    "/metrics%255cx",
    "/metrics/%252e%252e/admin",
    "/metrics%2500",
    "/100%25",
    "/%2525",
    // Broken, or of other times.
    "/metrics%",
    "/metrics%2",
    "/metrics%zz",
    "/metrics%u002f",
    "/metrics%%32f",
    "/metrics% 2f",
    // An end, or a character.
    "/metrics#/x",
    "/metrics#",
    "/metrics#?",
    "/metrics/%23x",
    "/metrics/%3fx",
    "/metrics/%3Fx",
    "/metrics%00",
    "/metrics%00/x",
    "/metrics\0",
    "/metrics%0a",
    "/metrics%0d%0aX:y",
    "/metrics%09",
    "/metrics/.\t./x",
    "/metrics%7f",
    "/metrics%C2%85",
    "/metrics%2f?x",
    // Dropped at the end of a name.
    "/metrics/...",
    "/metrics/..../x",
    "/metrics/..%20/x",
    "/metrics/.%20./x",
    "/metrics/%20/x",
    "/metrics/ ",
    "/metrics/..+/x",
    "/metrics/+",
    "/metrics/..%C2%A0/x",
    "/metrics/.%E2%80%8B./x",
    "/metrics/..%EF%BB%BF/x",
    "/metrics/..%CC%81/x",
    // Not UTF-8, overlong.
    "/metrics/%ff",
    "/metrics/%c0%ae%c0%ae/admin",
    "/metrics/%c0%af",
    "/metrics/%e0%80%af",
    "/metrics/%ed%a0%80",
    "/metrics/%c3",
    "/metrics/%f4%90%80%80",
    // Look like them, and are folded to them by some.
    "/metrics/\u{ff0e}\u{ff0e}/x",
    "/metrics\u{ff0f}..\u{ff0f}x",
    "/metrics\u{2215}x",
    "/metrics\u{2044}x",
    "/metrics\u{ff3c}x",
    "/metrics\u{2216}x",
    "/metrics/\u{2025}/x",
    "/metrics/\u{2024}\u{2024}/x",
    "/metrics/\u{fe52}\u{fe52}/x",
    "/metrics/\u{3002}\u{ff61}/x",
    "/metrics/\u{ff05}2e\u{ff05}2e/x",
    "/metrics\u{ff1f}",
    "/metrics\u{ff03}",
    "/metrics/..\u{37e}/x",
    "/metrics\u{a5}x",
    "/metrics\u{2100}",
];

#[test]
fn j122_paths_that_servers_read_differently_are_none() {
    for target in DOUBTFUL {
        assert_eq!(plain_path(target.as_bytes()), None, "{target}");
        let encoded = percent_encode(target.as_bytes(), BEYOND_ASCII).to_string();
        assert_eq!(plain_path(encoded.as_bytes()), None, "{encoded}");
    }
}

#[test]
fn j122_every_byte_raw_and_encoded() {
    for byte in 0..=u8::MAX {
        let raw = [b"/a", &[byte][..], b"b"].concat();
        let encoded = format!("/a%{byte:02x}b");
        let is_text = byte.is_ascii() && !byte.is_ascii_control();
        let structures = b"/\\#%?".contains(&byte);
        // A slash and the query are what they are.
        let plain_raw = is_text && (!structures || matches!(byte, b'/' | b'?'));
        assert_eq!(plain_path(&raw).is_some(), plain_raw, "{byte:#x}");
        assert_eq!(plain_path(encoded.as_bytes()).is_some(), is_text && !structures, "{byte:#x}");
    }
}

/// All of Unicode: what may stand in a plain path stands for no character that structures one, in
/// whichever normal form.
#[test]
fn j122_no_character_becomes_another_one() {
    let (composed, decomposed) =
        (ComposingNormalizerBorrowed::new_nfkc(), DecomposingNormalizerBorrowed::new_nfkd());
    let mut plain = 0;
    for c in ('\u{80}'..=char::MAX).filter(|c| plain_path(format!("/a{c}b").as_bytes()).is_some()) {
        let text = c.to_string();
        for form in [composed.normalize(&text), decomposed.normalize(&text)] {
            assert!(!form.contains(['/', '\\', '%', '?', '#', ';']), "{c:?} is {form:?}");
            // Those that fractions and units are written with.
            assert!(!form.contains(['\u{2044}', '\u{2215}', '\u{2216}']), "{c:?} is {form:?}");
            // Dots beside letters are none of a dot segment: U+33C2 is "a.m.".
            assert!(form.contains(|c: char| c != '.'), "{c:?} is {form:?}");
            assert!(!form.contains(char::is_control), "{c:?} is {form:?}");
        }
        plain += 1;
    }
    assert!(plain > 1_000_000, "{plain}");
}

/// What no normal form says: taken for a slash or a dot by who knows no better, or nothing to be seen.
#[test]
fn j122_no_character_looks_like_another_one_or_like_none() {
    for c in "\u{29f5}\u{29f8}\u{29f9}\u{3002}\u{115f}\u{1160}\u{3164}\u{ffa0}".chars() {
        for target in [format!("/a{c}b"), format!("/{c}"), format!("/a/{c}/b")] {
            assert_eq!(plain_path(target.as_bytes()), None, "{c:?}");
        }
    }
}

/// Somebody who reads a target and opens what is there.
#[derive(Debug, Clone, Copy)]
struct Reader {
    /// How often percent codes are decoded.
    decodes: usize,
    /// Before the path is split into segments, or after that and the resolving of dots.
    decodes_first: bool,
    /// Whether what follows `;` in a segment is dropped.
    drops_parameters: bool,
    /// Whether `\` is `/`.
    takes_backslashes: bool,
    /// Whether `//` is `/`.
    merges_slashes: bool,
    /// Whether dots and blanks at the end of a name are dropped.
    drops_ends: bool,
    /// Whether `+` is a blank.
    reads_forms: bool,
    /// Whether the path is brought into a normal form of Unicode.
    normalizes: bool,
}

impl Reader {
    fn all() -> impl Iterator<Item = Self> {
        (1..=3_usize).flat_map(|decodes| (0..1_u8 << 7).map(move |bits| (decodes, bits))).map(
            |(decodes, bits)| {
                let has = |bit: u8| bits >> bit & 1 == 1;
                Self {
                    decodes,
                    decodes_first: has(0),
                    drops_parameters: has(1),
                    takes_backslashes: has(2),
                    merges_slashes: has(3),
                    drops_ends: has(4),
                    reads_forms: has(5),
                    normalizes: has(6),
                }
            },
        )
    }

    /// The names on the way to what it opens. Who resolves dots before it decodes hands what is left
    /// to another one.
    fn opens(&self, target: &[u8]) -> Vec<Vec<u8>> {
        let mut path = before(target, b"?").to_vec();
        if !self.decodes_first {
            path = [b"/", &*self.walk(&path).join(&b'/')].concat();
        }
        let decoded = (0..self.decodes).fold(path, |path, _| percent_decode(&path).collect());
        let mut path = before(&decoded, b"?#\0").to_vec();
        if self.normalizes {
            let text = String::from_utf8_lossy(&path);
            path =
                ComposingNormalizerBorrowed::new_nfkc().normalize(&text).into_owned().into_bytes();
        }
        self.walk(&path)
    }

    fn walk(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let is_slash = |byte: &u8| *byte == b'/' || (*byte == b'\\' && self.takes_backslashes);
        for segment in path.split(is_slash).skip(1) {
            match &*self.name(segment) {
                b"." => {}
                b".." => drop(names.pop()),
                b"" if self.merges_slashes => {}
                name => names.push(name.to_vec()),
            }
        }
        names
    }

    fn name(&self, segment: &[u8]) -> Vec<u8> {
        let segment = if self.drops_parameters { before(segment, b";") } else { segment };
        let is_blank = |byte: u8| byte == b' ' || (byte == b'+' && self.reads_forms);
        let mut name: Vec<u8> =
            segment.iter().map(|&byte| if is_blank(byte) { b' ' } else { byte }).collect();
        let is_dots = |name: &[u8]| name == b"." || name == b"..";
        while self.drops_ends && !is_dots(&name) && matches!(name.last(), Some(b' ' | b'.')) {
            name.pop();
        }
        name
    }
}

fn before<'a>(text: &'a [u8], ends: &[u8]) -> &'a [u8] {
    text.split(|byte| ends.contains(byte)).next().unwrap()
}

/// As in a form, but for slashes.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b';').remove(b'.').remove(b'+');
const BEYOND_ASCII: &AsciiSet = &AsciiSet::EMPTY;

fn is_below(names: &[Vec<u8>], limit: &[Vec<u8>]) -> bool {
    let limit = limit.strip_suffix(&[Vec::new()]).unwrap_or(limit);
    names.starts_with(limit)
}

/// To a browser's parser, too.
fn opens_in_a_url(target: &str) -> Vec<Vec<u8>> {
    let url = Url::parse(&format!("https://app.example{target}")).unwrap();
    let path: Vec<u8> = percent_decode(url.path().as_bytes()).collect();
    path.split(|&byte| byte == b'/').skip(1).map(<[u8]>::to_vec).collect()
}

const LIMITS: &[&str] =
    &["/", "/metrics", "/metrics/", "/a b/Zoë", "/a;b", "/a+b/", "/app/metrics", "/名前"];

const PIECES: &[&str] = &[
    "/", "//", "\\", ".", "..", "...", ";", ";x=1", "%2e", "%2E", "%252e", "%2f", "%5c", "%252f",
    "%00", "%0a", "%", "%25", "%41", "%20", "?", "#", "metrics", "a", "admin", "%3f", "%23", "%3b",
    "~", "+", " ", "%c3%bc", "ü", "%c0%ae", "\u{ff0e}", "\u{ff0f}", "\u{2025}", "\u{200b}",
    "\u{a0}", "%ff",
];

proptest! {
    #![proptest_config(cases(4_000))]

    /// Whatever a token opens is below one of its paths, whoever reads the target.
    #[test]
    fn j122_whoever_reads_it_comes_below_a_path_of_the_token(
        limit in select(LIMITS),
        before in prop::collection::vec(select(PIECES), 0..5),
        after in prop::collection::vec(select(PIECES), 0..7),
        is_within in prop::bool::weighted(0.8),
    ) {
        let mut scope = ScopeBuf::default();
        scope.add_path(limit).unwrap();
        let within = percent_encode(limit.as_bytes(), IN_A_PATH).to_string();
        let target = match is_within {
            true => format!("{within}{}", after.concat()),
            false => format!("/{}{within}{}", before.concat(), after.concat()),
        };
        if scope.as_scope().allows(b"GET", target.as_bytes()) {
            for reader in Reader::all() {
                let (names, limit) = (reader.opens(target.as_bytes()), reader.opens(within.as_bytes()));
                prop_assert!(is_below(&names, &limit), "{target} is {names:?} to {reader:?}");
            }
            let (names, limit) = (opens_in_a_url(&target), opens_in_a_url(&within));
            prop_assert!(is_below(&names, &limit), "{target} is {names:?} to a browser");
        }
    }

    #[test]
    fn j122_nothing_panics(target in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(path) = plain_path(&target) {
            prop_assert!(path.starts_with('/') && !path.contains("//") && !path.contains('%'));
        }
    }
}
