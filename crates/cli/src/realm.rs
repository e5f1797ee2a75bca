//! The realm that an argument names.

use authgate_core::settings::{Builder, SettingsError};

/// The name of a realm, for clap. No path: it becomes part of a file's name.
pub(crate) fn name(text: &str) -> Result<String, SettingsError> {
    Builder::new(text).map(|_| text.to_owned())
}
