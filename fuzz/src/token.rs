//! The token as docs/TOKEN.md lays it out, from that page alone.

use crate::{base64url, names, unquote};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a token is for, as the derivation of its key names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    Session,
    Api,
    Device,
}

impl For {
    fn info(self) -> &'static str {
        match self {
            Self::Session => "authgate v1\0session\0ops",
            Self::Api => "authgate v1\0api\0ops",
            Self::Device => "authgate v1\0device\0ops",
        }
    }
}

fn derive<const N: usize>(secret: &[u8], info: &str) -> [u8; N] {
    let mut key = [0; N];
    Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), &mut key).expect("a short key");
    key
}

/// The tag of the realm `ops`.
pub fn realm_tag(secret: &[u8]) -> [u8; 4] {
    derive(secret, "authgate v1\0realm\0ops")
}

/// A token of these bytes, signed: what only the holder of the key can make.
pub fn sign(secret: &[u8], key_id: &str, purpose: For, payload: &[u8]) -> String {
    let key: [u8; 32] = derive(secret, purpose.info());
    let text = format!("v1.{key_id}.{}", URL_SAFE_NO_PAD.encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    let mac = mac.chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// The fields of a payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    pub realm_tag: [u8; 4],
    pub session: [u8; 16],
    pub issued_at: u64,
    pub expires_at: u64,
    pub ends_at: u64,
    pub epoch: u64,
    pub user: String,
    pub methods: Vec<String>,
    pub paths: Vec<String>,
}

/// Cuts a token into key name and payload; the MAC is not looked at but for its form.
pub fn read(token: &[u8]) -> Option<(&str, Fields)> {
    let text = core::str::from_utf8(token).ok().filter(|text| text.len() <= 512)?;
    let parts: Vec<&str> = text.split('.').collect();
    let ["v1", key_id, payload, mac] = parts[..] else { return None };
    (mac.len() == 43 && base64url::decode_url(mac.as_bytes()).is_some()).then_some(())?;
    Some((key_id, fields(&base64url::decode_url(payload.as_bytes())?)?))
}

/// Reads a payload.
pub fn fields(payload: &[u8]) -> Option<Fields> {
    let number = |at: usize| payload[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let length = usize::from(*payload.get(52)?);
    let user = core::str::from_utf8(payload.get(53..53 + length)?).ok()?;
    let mut read = Fields {
        realm_tag: *payload.first_chunk()?,
        session: *payload[4..].first_chunk()?,
        issued_at: number(20)?,
        expires_at: number(28)?,
        ends_at: number(36)?,
        epoch: number(44)?,
        user: user.into(),
        methods: Vec::new(),
        paths: Vec::new(),
    };
    let mut rest = &payload[53 + length..];
    while !rest.is_empty() {
        let length = usize::from(*rest.get(1)?);
        let text = core::str::from_utf8(rest.get(2..2 + length)?).ok()?;
        match rest[0] {
            1 if is_method(text) => read.methods.push(text.into()),
            2 if is_path(text) => read.paths.push(text.into()),
            _ => return None,
        }
        rest = &rest[2 + length..];
    }
    names::is_user(user).then_some(read)
}

impl Fields {
    /// The bytes that say this: the methods before the paths, though they may stand in any order.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = [&self.realm_tag[..], &self.session].concat();
        for number in [self.issued_at, self.expires_at, self.ends_at, self.epoch] {
            payload.extend(number.to_be_bytes());
        }
        payload.push(self.user.len() as u8);
        payload.extend(self.user.bytes());
        let methods = self.methods.iter().map(|text| (1, text));
        for (kind, text) in methods.chain(self.paths.iter().map(|text| (2, text))) {
            payload.extend([kind, text.len() as u8]);
            payload.extend(text.bytes());
        }
        payload
    }

    pub fn has_limits(&self) -> bool {
        !self.methods.is_empty() || !self.paths.is_empty()
    }

    /// Whether a request of this method and target is within the limits.
    pub fn allow(&self, method: &[u8], target: &[u8]) -> bool {
        let by_method = self.methods.iter().any(|allowed| allowed.as_bytes() == method);
        let by_path = plain_path(target)
            .is_some_and(|path| self.paths.iter().any(|allowed| is_below(allowed, &path)));
        (self.methods.is_empty() || by_method) && (self.paths.is_empty() || by_path)
    }
}

/// A token of RFC 9110, section 5.6.2.
pub fn is_method(text: &str) -> bool {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_tchar)
}

/// The path of a target, where it is plain.
fn plain_path(target: &[u8]) -> Option<String> {
    let raw = target.split(|byte| *byte == b'?').next()?;
    let path = String::from_utf8(unquote(raw)?).ok()?;
    let slashes = raw.iter().filter(|byte| **byte == b'/').count();
    (path.matches('/').count() == slashes && is_path(&path)).then_some(path)
}

/// A path of a limit: a plain one.
pub fn is_path(text: &str) -> bool {
    let mut segments: Vec<&str> = text.split('/').collect();
    if segments.len() < 2 || !segments.remove(0).is_empty() {
        return false;
    }
    segments.pop_if(|last| last.is_empty());
    segments.into_iter().all(has_name) && !text.chars().any(is_doubtful)
}

fn has_name(segment: &str) -> bool {
    let name: String = segment.chars().take_while(|c| *c != ';').collect();
    let is_named = |c: char| match c.is_ascii() {
        true => !". +".contains(c),
        false => c.is_alphanumeric() && !name.contains('.'),
    };
    name.chars().any(is_named)
}

fn is_doubtful(c: char) -> bool {
    let code = u32::from(c);
    let single = "\\?#%\u{a5}\u{20a9}\u{37e}\u{66a}\u{2044}\u{2100}\u{2101}\u{2105}\u{2106}\u{2215}\u{2216}\
        \u{29f5}\u{29f8}\u{29f9}\u{3002}\u{fe30}\u{115f}\u{1160}\u{3164}\u{ffa0}\u{2189}\u{33a7}\u{33a8}\u{33ae}\
        \u{33af}\u{33c6}\u{33de}\u{33df}";
    let ranges = [
        0..=0x1f,
        0x7f..=0x9f,
        0xbc..=0xbe,
        0x2150..=0x215f,
        0x2024..=0x2026,
        0x2047..=0x2049,
        0xfe10..=0xfe1f,
        0xfe50..=0xfe6f,
        0xff01..=0xff0f,
        0xff1a..=0xff20,
        0xff3b..=0xff40,
        0xff5b..=0xff65,
    ];
    single.contains(c) || ranges.iter().any(|range| range.contains(&code))
}

/// Cookie paths match so (RFC 6265, section 5.1.4).
fn is_below(allowed: &str, path: &str) -> bool {
    path == allowed
        || path.starts_with(&format!("{}/", allowed.trim_end_matches('/')))
            && path.starts_with(allowed)
}

/// The name of a key that has none.
pub fn derived_name(secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(derive::<6>(secret, "authgate v1\0kid"))
}
