//! Files in a folder where the workers' user can put anything, opened by root too.

use authgate_core::journal::LENGTH;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{
    FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MODE: u32 = 0o600;
/// How much is read at once: whole records.
const CHUNK: u64 = 1024 * LENGTH as u64;

/// A file and the name it was opened by, which may meanwhile stand for another file or for none.
#[derive(Debug, Clone)]
pub(crate) struct OpenFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    identity: Identity,
}

/// What tells two files apart, as long as one of them is open: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl OpenFile {
    /// Opens a file that is there, to read and to append.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // No link that someone planted is followed, neither a symbolic nor a hard one.
        let file = options().open(path).map_err(failed("open", path))?;
        let metadata = file.metadata().map_err(failed("fstat", path))?;
        if !metadata.is_file() || metadata.nlink() > 1 {
            let text = format!("\"{}\" is not a regular file with one name", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        Ok(Self::new(path, file, &metadata))
    }

    /// Opens a file, or makes it where there is none.
    pub(crate) fn open_or_create(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => match Self::create(path) {
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::open(path),
                created => created,
            },
            opened => opened,
        }
    }

    /// Makes a file.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file =
            options().create_new(true).mode(MODE).open(path).map_err(failed("open", path))?;
        let metadata = file.metadata().map_err(failed("fstat", path))?;
        give_to_owner_of_folder(&file, &metadata, path).map_err(failed("fchown", path))?;
        Ok(Self::new(path, file, &metadata))
    }

    fn new(path: &Path, file: File, metadata: &Metadata) -> Self {
        Self { path: path.to_owned(), file: Arc::new(file), identity: Identity::of(metadata) }
    }

    /// Whether the name still stands for this file; `None` where it stands for nothing.
    pub(crate) fn has_its_name(&self) -> io::Result<Option<bool>> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) => Ok(Some(Identity::of(&metadata) == self.identity)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("lstat", &self.path)(error)),
        }
    }

    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(failed("fstat", &self.path))?.len())
    }

    /// The length up to which there are whole records.
    pub(crate) fn whole_length(&self) -> io::Result<u64> {
        self.length().map(|length| length - length % LENGTH as u64)
    }

    pub(crate) fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length).map_err(failed("ftruncate", &self.path))
    }

    /// Reads what is between two places, in pieces of whole records where both places are such.
    pub(crate) fn read(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK.min(to.saturating_sub(from)) as usize];
        let mut place = from;
        while place < to {
            buffer.truncate((to - place) as usize);
            let read = self.file.read_exact_at(&mut buffer, place);
            read.map_err(failed("pread", &self.path))?;
            each(&buffer)?;
            place += buffer.len() as u64;
        }
        Ok(())
    }

    /// Writes to the end, all of it.
    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes).map_err(failed("write", &self.path))
    }

    /// Writes to the end, at once and maybe less than all of it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.file).write(bytes).map_err(failed("write", &self.path))
    }

    /// As it was made, also where it has an access list: the mode says how much of that holds.
    pub(crate) fn close_to_others(&self) -> io::Result<()> {
        let closed = self.file.set_permissions(Permissions::from_mode(MODE));
        closed.map_err(failed("fchmod", &self.path))
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(failed("fsync", &self.path))
    }

    /// Puts the file into the place of whatever has that name.
    pub(crate) fn rename_to(&self, name: &Path) -> io::Result<()> {
        fs::rename(&self.path, name).map_err(failed("rename", &self.path))
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).custom_flags(libc::O_NOFOLLOW);
    options
}

/// What root makes, before the workers are there, is for them to open.
fn give_to_owner_of_folder(file: &File, metadata: &Metadata, path: &Path) -> io::Result<()> {
    let folder = fs::metadata(folder_of(path))?;
    if metadata.uid() == 0 && folder.uid() != 0 {
        fchown(file, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Makes new and changed names of the file's folder last.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    let file = File::open(folder).map_err(failed("open", folder))?;
    file.sync_all().map_err(failed("fsync", folder))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// An error in nginx's way: `open() "/x/ops.lock" failed (13: Permission denied)`.
pub(crate) fn failed(call: &str, path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        let text = error.to_string();
        let text = match (error.raw_os_error(), text.split_once(" (os error")) {
            (Some(number), Some((text, _))) => format!("{number}: {text}"),
            _ => text,
        };
        io::Error::new(error.kind(), format!("{call}() \"{}\" failed ({text})", path.display()))
    }
}
