//! Reading files, making new ones, and replacing one in a single step.

use crate::failure::Failure;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
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
    write_new(path, mode, content).map_err(|error| match error.kind() {
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
}

impl Replacement {
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        Self::open(path).map_err(|error| Failure::error(path, describe(&error)))
    }

    /// Puts a file with the new content in the old one's place, of the same owner and mode: at
    /// every moment the name stands for one whole file.
    pub(crate) fn replace(self, content: &[u8], new_mode: u32) -> Result<(), Failure> {
        self.rename_over(content, new_mode)
            .map_err(|error| Failure::error(&self.path, describe(&error)))
    }

    fn open(path: &Path) -> io::Result<Self> {
        // a symbolic link stays, and what it names is replaced
        let path = match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            path => path?,
        };
        let folder = File::open(folder_of(&path))?;
        folder.lock()?;
        let content = content_of(&path)?.map(Zeroizing::new);
        Ok(Self { path, folder, content })
    }

    fn rename_over(&self, content: &[u8], new_mode: u32) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.path.with_file_name(name);
        let result =
            self.write(&new, content, new_mode).and_then(|()| fs::rename(&new, &self.path));
        if result.is_err() {
            // where it was never made there is nothing to remove
            let _ = fs::remove_file(&new);
        }
        result.and_then(|()| self.folder.sync_all())
    }

    fn write(&self, new: &Path, content: &[u8], new_mode: u32) -> io::Result<()> {
        match &self.content {
            None => write_new(new, new_mode, content),
            Some(_) => {
                let old = fs::metadata(&self.path)?;
                let file = write_new_file(new, content)?;
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
                file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))
            }
        }
    }
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

fn write_new(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    // whatever the umask
    write_new_file(path, content)?.set_permissions(Permissions::from_mode(mode))
}

fn write_new_file(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The system's text in lower case, without its number.
fn describe(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
}
