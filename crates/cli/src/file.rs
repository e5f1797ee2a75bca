//! Reading files, making new ones, and replacing one in a single step.

use crate::failure::Failure;
use crate::note;
use authgate_state::Attributes;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::error(path, describe(&error)))
}

/// The same; "-" is standard input, where somebody has to write to it.
pub(crate) fn read_or_input(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return read(path);
    }
    let mut text = Vec::new();
    let input = io::stdin().lock();
    if !input.is_terminal() {
        let mut input = input;
        let read = input.read_to_end(&mut text);
        read.map_err(|error| Failure::error(Path::new("standard input"), describe(&error)))?;
    }
    Ok(text)
}

/// `None` where there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    content_of(path).map_err(|error| Failure::error(path, describe(&error)))
}

/// Makes a file of this mode; where one is there already, the answer is no.
pub(crate) fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), Failure> {
    let written = new_file(path).and_then(|file| {
        // What could not be written whole does not stay.
        fill(&file, content, || set_mode(&file, mode)).inspect_err(|_| remove(path))
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::no(path, "exists and is not overwritten"),
        _ => Failure::error(path, describe(&error)),
    })
}

/// A file to be replaced. Until it is dropped, no other `authgate` replaces files of its folder.
pub(crate) struct Replacement {
    path: PathBuf,
    folder: File,
    /// What the file holds; `None` where there is none yet.
    pub(crate) content: Option<Zeroizing<Vec<u8>>>,
    /// What it keeps when it is replaced.
    attributes: Option<Attributes>,
    has_other_names: bool,
}

impl Replacement {
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        Self::open(path).map_err(|error| Failure::error(path, describe(&error)))
    }

    /// Puts a file with the new content in the old one's place, with the same owner, group, mode,
    /// extended attributes and access list: at every moment the name stands for one whole file.
    pub(crate) fn replace(self, content: &[u8], new_mode: u32) -> Result<(), Failure> {
        self.rename_over(content, new_mode)
            .map_err(|error| Failure::error(&self.path, describe(&error)))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let path = target_of(path)?;
        let folder = File::open(folder_of(&path))?;
        folder.lock()?;
        let (content, attributes, has_other_names) = (None, None, false);
        let mut opened = Self { path, folder, content, attributes, has_other_names };
        match File::open(&opened.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => opened.read(&file?)?,
        }
        Ok(opened)
    }

    fn read(&mut self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        self.has_other_names = metadata.nlink() > 1;
        // Sized beforehand: a vector that grows leaves copies of keys behind.
        let length = usize::try_from(metadata.len()).unwrap_or_default();
        let mut content = Zeroizing::new(Vec::with_capacity(length.saturating_add(1)));
        { file }.read_to_end(&mut content)?;
        self.content = Some(content);
        self.attributes = Some(Attributes::of(file)?);
        Ok(())
    }

    fn rename_over(&self, content: &[u8], new_mode: u32) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.path.with_file_name(name);
        let file = new_file(&new)?;
        fill(&file, content, || match &self.attributes {
            None => set_mode(&file, new_mode),
            Some(attributes) => attributes.give_to(&file),
        })
        .and_then(|()| fs::rename(&new, &self.path))
        .inspect_err(|_| remove(&new))?;
        if self.has_other_names {
            let path = self.path.display();
            note(&format!("{path}: had other names (hard links), under which nothing has changed"));
        }
        self.folder.sync_all()
    }
}

/// The file that a name leads to, be it there or not. A symbolic link stays, and what it names is
/// replaced.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows; who goes round in circles is told so when opening.
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(error) if is_no_link(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(path)
}

fn is_no_link(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput)
}

/// Whether what is made here gets the folder's group, and not that of who makes it.
pub(crate) fn has_group_of_folder(path: &Path) -> bool {
    const SET_GROUP_ID: u32 = 0o2000;
    fs::metadata(folder_of(path)).is_ok_and(|folder| folder.mode() & SET_GROUP_ID != 0)
}

fn content_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        content => content.map(Some),
    }
}

/// A file that nobody else may open.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Writes the content, and lets others read it only then. All of it is on the disk in the end.
fn fill(
    mut file: &File,
    content: &[u8],
    give_attributes: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    file.write_all(content)?;
    give_attributes()?;
    file.sync_all()
}

/// Whatever the umask.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// What has been made here in vain. Nothing can be done where it stays.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The system's text in lower case, without its number.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    match error.raw_os_error() {
        // Ours, with names in it.
        None => text.to_owned(),
        Some(_) => text.to_lowercase(),
    }
}
