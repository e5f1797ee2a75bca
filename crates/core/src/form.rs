//! The login form (`application/x-www-form-urlencoded`, WHATWG URL, section 5.1).

use zeroize::Zeroizing;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 8192;

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

/// The fields of the login form. An absent field is empty.
pub struct LoginForm {
    /// `username`
    pub username: String,
    /// `password`, wiped when dropped.
    pub password: Zeroizing<Vec<u8>>,
    /// `rd`
    pub return_to: String,
}

impl LoginForm {
    /// Whether the body's type and coding are those of a form.
    ///
    /// # Errors
    /// [`FormError::UnsupportedMediaType`].
    pub fn accepts(
        _content_type: Option<&[u8]>,
        _content_encoding: Option<&[u8]>,
    ) -> Result<(), FormError> {
        todo!()
    }

    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// [`FormError::Malformed`]: a field twice, over 16 fields, a broken percent code, a NUL outside
    /// the password, not UTF-8.
    pub fn parse(_body: &[u8]) -> Result<Self, FormError> {
        todo!()
    }
}
