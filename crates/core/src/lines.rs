//! A mistake in a file, with the line it stands in.

use core::fmt;

/// A mistake in line `line` (from 1) of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError<E> {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub error: E,
}

impl<E: fmt::Display> fmt::Display for LineError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.error)
    }
}

impl<E: core::error::Error> core::error::Error for LineError<E> {}
