//! The files of a configuration, and `include`.

use crate::place::Place;
use crate::syntax::{Directive, SyntaxError, parse};
use glob::{MatchOptions, Pattern};

/// A file and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What cannot be read as a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A mistake in a file.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A file that is included and is not there, or may not be read.
    #[error("{place}: \"{name}\" cannot be read")]
    Missing {
        /// The `include`.
        place: Place,
        /// What it names.
        name: String,
    },
    /// Files that include each other.
    #[error("{place}: \"{name}\" includes itself")]
    Cycle {
        /// The `include`.
        place: Place,
        /// What it names.
        name: String,
    },
}

/// A line of `nginx -T` before each file.
const MARK: &str = "# configuration file ";

/// The files in what `nginx -T` has said, the main one first; none where it is a configuration itself.
pub fn files_of_dump(text: &str) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for line in text.split_inclusive('\n') {
        let name = line.strip_prefix(MARK).and_then(|rest| rest.trim_end().strip_suffix(':'));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push(File { name: name.to_owned(), text: String::new() }),
            (None, Some(file)) => file.text.push_str(line),
            // What nginx has said of the test, where both outputs are one.
            (None, None) if line.starts_with("nginx: ") || line.trim().is_empty() => {}
            (None, None) => return Vec::new(),
        }
    }
    files
}

/// The directives of a file with those of all that it includes in their places. `find` gives the files
/// that a name, which may be a pattern, stands for.
///
/// # Errors
/// A mistake in one of them, or a file that is not there.
pub fn read(
    main: &File,
    find: &mut dyn FnMut(&str) -> Vec<File>,
) -> Result<Vec<Directive>, ReadError> {
    let mut reader = Reader { folder: folder_of(&main.name).to_owned(), find, open: Vec::new() };
    reader.file(main)
}

/// How nginx takes a pattern: it does not go over a slash, and leaves hidden files out.
pub const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files of `files` that a name stands for, as `glob` finds them on a disk.
pub fn named<'f>(files: &'f [File], name: &str) -> Vec<&'f File> {
    let pattern = Pattern::new(name).ok().filter(|_| is_pattern(name));
    let is_it = |file: &&File| match &pattern {
        Some(pattern) => pattern.matches_with(&file.name, OPTIONS),
        None => file.name == name,
    };
    let mut found: Vec<&File> = files.iter().filter(is_it).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Whether nginx looks for several files by this name.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// With its slash; empty for a file that is named without one.
fn folder_of(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    file.strip_suffix(name).unwrap_or("")
}

struct Reader<'f> {
    /// Where relative names are looked for: the folder of the main file.
    folder: String,
    find: &'f mut dyn FnMut(&str) -> Vec<File>,
    /// The files that are being read, one in the other.
    open: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, file: &File) -> Result<Vec<Directive>, ReadError> {
        self.open.push(file.name.clone());
        let directives = parse(&file.text, &file.name)?;
        let directives = self.expanded(directives);
        self.open.pop();
        directives
    }

    fn expanded(&mut self, directives: Vec<Directive>) -> Result<Vec<Directive>, ReadError> {
        let mut all = Vec::with_capacity(directives.len());
        for mut directive in directives {
            // In a map or types block it would be a value; nginx includes there as well.
            match (directive.name.as_str(), directive.arguments.as_slice(), &directive.block) {
                ("include", [name], None) => {
                    let included = self.included(name, &directive.place)?;
                    all.extend(included);
                }
                _ => {
                    let block = directive.block.take();
                    directive.block = block.map(|block| self.expanded(block)).transpose()?;
                    all.push(directive);
                }
            }
        }
        Ok(all)
    }

    fn included(&mut self, name: &str, place: &Place) -> Result<Vec<Directive>, ReadError> {
        let full = match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("{}{name}", self.folder),
        };
        let files = (self.find)(&full);
        if files.is_empty() && !is_pattern(&full) {
            return Err(ReadError::Missing { place: place.clone(), name: full });
        }
        let mut all = Vec::new();
        for file in files {
            if self.open.contains(&file.name) {
                return Err(ReadError::Cycle { place: place.clone(), name: file.name });
            }
            all.extend(self.file(&file)?);
        }
        Ok(all)
    }
}
