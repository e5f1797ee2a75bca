//! Changes of one entry in the text of an htpasswd file: all else stays byte for byte.

use authgate_core::users::htpasswd::{Fields, groups_field};
use authgate_core::users::{FileFormat, Users, UsersError};

/// A hash that stands for any other where only the form is looked at.
pub(super) const ANY_HASH: &str = "$2y$12$2pfwz.FS1MbIb5q2PKwvi.RAzLv2bWhxmGvyF2pPRfpm4z0umtAlu";

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The text with this hash for the user, in place or at the end; `None` for the groups keeps them.
pub(super) fn set(
    text: &[u8],
    name: &str,
    hash: &str,
    groups: Option<&str>,
) -> Result<Vec<u8>, String> {
    check_format(text)?;
    let groups = Groups::read(groups)?;
    let mut new = Vec::with_capacity(text.len() + 256);
    let mut found = false;
    for line in lines(text) {
        match line.rest_of(name) {
            Some(rest) => {
                found = true;
                line.write(&entry(name, hash, rest, &groups)?, &mut new);
            }
            None => line.write_unchanged(&mut new),
        }
    }
    if !found {
        append(&entry(name, hash, None, &groups)?, &mut new);
    }
    check_result(text, &new, name, hash)?;
    Ok(new)
}

/// The text without the user; `None` where there is no such user.
pub(super) fn remove(text: &[u8], name: &str) -> Result<Option<Vec<u8>>, String> {
    check_format(text)?;
    let mut new = Vec::with_capacity(text.len());
    let mut found = false;
    for line in lines(text) {
        if line.rest_of(name).is_some() {
            found = true;
            new.extend(line.bom);
        } else {
            line.write_unchanged(&mut new);
        }
    }
    match Users::parse(&new, true) {
        _ if !found => Ok(None),
        Err(mistake) if mistake.error == UsersError::NoUsers => {
            Err(format!("\"{name}\" is the last user, and the gate takes no file without users"))
        }
        Err(mistake) => Err(format!("line {mistake}; mend it first")),
        Ok(_) => Ok(Some(new)),
    }
}

/// One line of the file.
struct Line<'a> {
    bom: &'a [u8],
    content: &'a [u8],
    end: &'a [u8],
}

impl<'a> Line<'a> {
    /// Where it is the entry of this user, what follows the hash.
    fn rest_of(&self, name: &str) -> Option<Option<&'a str>> {
        let fields = Fields::of(self.content).ok()??;
        (fields.name == name).then_some(fields.rest)
    }

    fn write(&self, content: &str, text: &mut Vec<u8>) {
        text.extend(self.bom);
        text.extend(content.as_bytes());
        text.extend(self.end);
    }

    fn write_unchanged(&self, text: &mut Vec<u8>) {
        for part in [self.bom, self.content, self.end] {
            text.extend(part);
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split_inclusive(|byte| *byte == b'\n').enumerate().map(|(index, line)| {
        let bom = if index == 0 && line.starts_with(BOM) { BOM.len() } else { 0 };
        let (bom, line) = line.split_at_checked(bom).unwrap_or((b"", line));
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let end = line.get(content.len()..).unwrap_or_default();
        Line { bom, content, end }
    })
}

/// What the third field is to be.
enum Groups {
    AsTheyAre,
    None,
    /// As they stand in the line.
    These(String),
}

impl Groups {
    fn read(text: Option<&str>) -> Result<Self, String> {
        match text {
            None => Ok(Self::AsTheyAre),
            Some("") => Ok(Self::None),
            Some(groups) => {
                groups_field(groups).map(Self::These).map_err(|mistake| mistake.to_string())
            }
        }
    }
}

fn entry(name: &str, hash: &str, rest: Option<&str>, groups: &Groups) -> Result<String, String> {
    let rest = match groups {
        Groups::AsTheyAre => rest.map(str::to_owned),
        Groups::None => Some(with_third_field(rest, "")).filter(|rest| !rest.is_empty()),
        Groups::These(groups) => Some(with_third_field(rest, groups)),
    };
    let fields = Fields { name, hash, rest: rest.as_deref() };
    fields.line().map_err(|mistake| mistake.to_string())
}

/// The third field replaced where it is one of groups, or else put before what is there.
fn with_third_field(rest: Option<&str>, groups: &str) -> String {
    let rest = rest.unwrap_or_default();
    let (third, others) =
        rest.split_at_checked(rest.find(':').unwrap_or(rest.len())).unwrap_or_default();
    match third {
        "" => format!("{groups}{others}"),
        _ if third.starts_with("groups=") => format!("{groups}{others}"),
        _ if groups.is_empty() => rest.to_owned(),
        _ => format!("{groups}:{rest}"),
    }
}

/// At the end, with the line ends that the file has.
fn append(entry: &str, text: &mut Vec<u8>) {
    let end: &[u8] = if text.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
    if text.strip_prefix(BOM).unwrap_or(text).last().is_some_and(|last| *last != b'\n') {
        text.extend(end);
    }
    text.extend(entry.as_bytes());
    text.extend(end);
}

fn check_format(text: &[u8]) -> Result<(), String> {
    match FileFormat::of(text.strip_prefix(BOM).unwrap_or(text)) {
        FileFormat::Htpasswd => Ok(()),
        format => Err(format!(
            "is {format}, and only htpasswd files are edited; \"authgate user set - NAME\" prints a hash to put there"
        )),
    }
}

/// What the gate would read is what was meant: the former entries and this one, no other.
fn check_result(old: &[u8], new: &[u8], name: &str, hash: &str) -> Result<(), String> {
    let no_name = || format!("\"{name}\" cannot be a user name in an htpasswd file");
    check_format(new).map_err(|_| no_name())?;
    let users =
        Users::parse(new, true).map_err(|mistake| format!("line {mistake}; mend it first"))?;
    let is_set = users.get(name).is_some_and(|user| user.hash.as_str() == hash);
    if is_set && others(old, name).eq(others(new, name)) { Ok(()) } else { Err(no_name()) }
}

fn others<'a>(text: &'a [u8], name: &'a str) -> impl Iterator<Item = Fields<'a>> {
    let entries = lines(text).filter_map(|line| Fields::of(line.content).ok().flatten());
    entries.filter(move |fields| fields.name != name)
}
