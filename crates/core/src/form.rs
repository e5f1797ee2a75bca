//! The login form (`application/x-www-form-urlencoded`, WHATWG URL, section 5.1).

use crate::percent;
use percent_encoding::percent_decode;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 8192;

/// The most fields of a body, known or not.
const MAX_FIELDS: usize = 16;

/// Why a body is not a login form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Answered 415.
    #[error("not urlencoded")]
    UnsupportedMediaType,
    /// Answered 400.
    #[error("malformed")]
    Malformed,
}

/// The fields of the login form. An absent field is empty. Not `Debug`: it holds a password.
pub struct LoginForm {
    /// `username`
    pub username: String,
    /// `password`, wiped when dropped. Any bytes: what matches no hash is a wrong password, not a
    /// malformed form.
    pub password: Zeroizing<Vec<u8>>,
    /// `rd`
    pub return_to: String,
}

impl LoginForm {
    /// Whether the body's type and coding are those of a form (RFC 9110, sections 8.3 and 8.4).
    ///
    /// # Errors
    /// [`FormError::UnsupportedMediaType`].
    pub fn accepts(
        content_type: Option<&[u8]>,
        content_encoding: Option<&[u8]>,
    ) -> Result<(), FormError> {
        let is_form = content_type.is_some_and(|value| {
            let essence = value.split(|&byte| byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        });
        let is_plain = content_encoding
            .is_none_or(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"identity"));
        if is_form && is_plain { Ok(()) } else { Err(FormError::UnsupportedMediaType) }
    }

    /// Reads a body of at most [`MAX_BODY`] bytes. Fields are separated by `&` alone, `+` is a
    /// space, percent codes are decoded once; unknown fields are passed over.
    ///
    /// # Errors
    /// [`FormError::Malformed`]: a field twice, over 16 fields, a broken percent code, or, outside
    /// the password, a NUL or what is not UTF-8.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        if body.len() > MAX_BODY || !percent::codes_are_whole(body) {
            return Err(FormError::Malformed);
        }
        let mut fields = Fields::default();
        for (index, pair) in body.split(|&b| b == b'&').filter(|p| !p.is_empty()).enumerate() {
            if index >= MAX_FIELDS {
                return Err(FormError::Malformed);
            }
            fields.take(pair)?;
        }
        Ok(fields.into_form())
    }
}

/// The fields found so far.
#[derive(Default)]
struct Fields {
    username: Option<String>,
    password: Option<Zeroizing<Vec<u8>>>,
    return_to: Option<String>,
}

impl Fields {
    fn take(&mut self, pair: &[u8]) -> Result<(), FormError> {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        if form_urlencoded::parse(name).any(|(name, _)| name == "password") {
            return put(&mut self.password, decode_secret(value));
        }
        let (name, value) = decode(pair)?;
        match name.as_ref() {
            "username" => put(&mut self.username, value.into_owned()),
            "rd" => put(&mut self.return_to, value.into_owned()),
            _ => Ok(()),
        }
    }

    fn into_form(self) -> LoginForm {
        LoginForm {
            username: self.username.unwrap_or_default(),
            password: self.password.unwrap_or_default(),
            return_to: self.return_to.unwrap_or_default(),
        }
    }
}

/// Fills an empty slot: a field that comes twice could be read as either by those in between.
fn put<T>(slot: &mut Option<T>, value: T) -> Result<(), FormError> {
    if slot.is_some() {
        return Err(FormError::Malformed);
    }
    *slot = Some(value);
    Ok(())
}

/// Decodes a pair of text. `form_urlencoded` replaces what is not UTF-8, hence the look before.
fn decode(pair: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), FormError> {
    let text = percent_decode(pair).decode_utf8().map_err(|_| FormError::Malformed)?;
    if text.contains('\0') {
        return Err(FormError::Malformed);
    }
    form_urlencoded::parse(pair).next().ok_or(FormError::Malformed)
}

/// Decodes the password straight into memory that is wiped. `form_urlencoded` would leave copies
/// behind: it decodes through buffers of its own that grow.
fn decode_secret(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(value.len()));
    for (index, word) in value.split(|&byte| byte == b'+').enumerate() {
        if index > 0 {
            secret.push(b' ');
        }
        secret.extend(percent_decode(word));
    }
    secret
}
