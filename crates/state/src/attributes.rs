//! What a file has besides its content: owner, group, mode, extended attributes, access control list.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use xattr::FileExt as _;

/// The access control list of a file (acl(5)) is one of its extended attributes.
const ACCESS_LIST: &str = "system.posix_acl_access";
/// The kernel's word on the content: of any other content it is wrong.
const ABOUT_CONTENT: [&str; 2] = ["security.evm", "security.ima"];

/// What a file keeps when another one takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    owner: u32,
    group: u32,
    mode: u32,
    extended: Vec<(OsString, Vec<u8>)>,
}

impl Attributes {
    /// Those of a file, as far as we may see them.
    ///
    /// # Errors
    /// Any of looking at the file.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut extended = Vec::new();
        for name in none_where_unsupported(file.list_xattr())?.into_iter().flatten() {
            if ABOUT_CONTENT.iter().any(|about| name == *about) {
                continue;
            }
            if let Some(value) = file.get_xattr(&name)? {
                extended.push((name, value));
            }
        }
        let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        Ok(Self { owner, group, mode, extended })
    }

    /// Gives all of them to a new file of ours that nobody else may open (mode 0600). At no moment
    /// may anybody open it who may not in the end. Whatever it is to outlive is written before.
    ///
    /// # Errors
    /// What cannot be kept. The file then has some of them.
    pub fn give_to(&self, new: &File) -> io::Result<()> {
        let metadata = new.metadata()?;
        let (owner, group) = (self.owner, self.group);
        if (metadata.uid(), metadata.gid()) != (owner, group) {
            let what = || format!("owner and group ({owner}:{group})");
            fchown(new, Some(owner), Some(group)).map_err(not_kept(what))?;
        }
        self.give_extended(new)?;
        // Last: with an access list, the mode says how much of the list holds.
        let what = || format!("mode ({:o})", self.mode);
        new.set_permissions(Permissions::from_mode(self.mode)).map_err(not_kept(what))
    }

    fn give_extended(&self, new: &File) -> io::Result<()> {
        if !self.extended.iter().any(|(name, _)| name == ACCESS_LIST) {
            // What the folder hands on to new files would let others in than before.
            remove_access_list(new)?;
        }
        for (name, value) in &self.extended {
            // One that it has by itself, such as a security label, we might not be allowed to set.
            if none_where_unsupported(new.get_xattr(name))?.flatten().as_ref() != Some(value) {
                let what = || format!("attribute \"{}\"", name.display());
                new.set_xattr(name, value).map_err(not_kept(what))?;
            }
        }
        Ok(())
    }
}

fn remove_access_list(file: &File) -> io::Result<()> {
    match none_where_unsupported(file.get_xattr(ACCESS_LIST))?.flatten() {
        None => Ok(()),
        Some(_) => file.remove_xattr(ACCESS_LIST),
    }
}

/// There are file systems without extended attributes, which lose none.
fn none_where_unsupported<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        result => result.map(Some),
    }
}

fn not_kept(what: impl Fn() -> String) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        let text = error.to_string();
        let reason = text.split_once(" (os error").map_or(text.as_str(), |(reason, _)| reason);
        io::Error::new(error.kind(), format!("cannot keep its {}: {reason}", what()))
    }
}
