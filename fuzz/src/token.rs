//! The token as docs/TOKEN.md lays it out, from that page alone.

use crate::{base64url, names};
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

    /// Whether a request is within the limits.
    pub fn allow(&self, method: &[u8], path: &[u8]) -> bool {
        let by_method = self.methods.iter().any(|allowed| allowed.as_bytes() == method);
        let by_path = self.paths.iter().any(|allowed| is_below(allowed.as_bytes(), path));
        (self.methods.is_empty() || by_method) && (self.paths.is_empty() || by_path)
    }
}

/// A token of RFC 9110, section 5.6.2.
pub fn is_method(text: &str) -> bool {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_tchar)
}

/// A path of a limit.
pub fn is_path(text: &str) -> bool {
    let is_plain =
        |c: char| !matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f) && !"?#\\%".contains(c);
    text.starts_with('/')
        && text.chars().all(is_plain)
        && !text.contains("//")
        && !has_dot_segment(text.as_bytes())
}

/// Cookie paths match so (RFC 6265, section 5.1.4).
fn is_below(allowed: &[u8], path: &[u8]) -> bool {
    let folder = if allowed.ends_with(b"/") { allowed.to_vec() } else { [allowed, b"/"].concat() };
    (path == allowed || path.starts_with(&folder)) && !has_dot_segment(path)
}

/// `.` or `..` between two of `/` and `\`, or at the end, also with `;` and what follows it.
fn has_dot_segment(path: &[u8]) -> bool {
    let path: Vec<u8> = path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    path.split(|byte| *byte == b'/').any(|segment| {
        let dots = segment.iter().take_while(|byte| **byte == b'.').count();
        matches!(dots, 1 | 2) && matches!(segment.get(dots), None | Some(b';'))
    })
}

/// The name of a key that has none.
pub fn derived_name(secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(derive::<6>(secret, "authgate v1\0kid"))
}
