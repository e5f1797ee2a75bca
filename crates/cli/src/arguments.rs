//! What holds of every argument, whatever it is for.

use crate::failure::Failure;
use std::ffi::OsString;

/// Refuses control characters. Arguments are written to files of lines, to the terminal and into
/// names of files: a line's end in one of them is never meant and may be an entry of its own.
/// The argument is not shown: it may be a token.
pub(crate) fn refuse_control_characters(
    arguments: impl Iterator<Item = OsString>,
) -> Result<(), Failure> {
    let has_control = |text: OsString| text.to_string_lossy().contains(char::is_control);
    match arguments.map(has_control).position(|bad| bad) {
        None => Ok(()),
        Some(index) => Err(Failure::Error(format!(
            "argument {} contains a line break or another control character, leave it out",
            index + 1
        ))),
    }
}
