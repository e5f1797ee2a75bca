//! What is told of a configuration.

use crate::place::Place;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something that is meant to be closed is open, or a password can be read.
    Warning,
    /// Something is open, as the configuration says.
    Note,
}

impl Level {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line that it is about.
    pub place: Place,
    /// How much it matters.
    pub level: Level,
    /// Which rule has found it.
    pub rule: &'static str,
    /// What is so.
    pub text: String,
    /// What to do.
    pub mend: String,
}
