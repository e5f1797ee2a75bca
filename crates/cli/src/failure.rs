use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Why a command ends without a yes.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The answer is no.
    No(String),
    /// There is no answer.
    Error(String),
}

impl Failure {
    /// The answer is no, for this file.
    pub(crate) fn no(path: &Path, text: impl Display) -> Self {
        Self::No(format!("{}: {text}", path.display()))
    }

    /// There is no answer, because of this file.
    pub(crate) fn error(path: &Path, text: impl Display) -> Self {
        Self::Error(format!("{}: {text}", path.display()))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::No(text) | Self::Error(text) => text,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::No(_) => ExitCode::from(1),
            Self::Error(_) => ExitCode::from(2),
        }
    }
}
