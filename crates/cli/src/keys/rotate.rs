//! `authgate keys rotate`

use crate::failure::Failure;
use crate::file::Replacement;
use authgate_core::keyring::Keys;
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(crate) struct Rotation {
    /// The keys file
    file: PathBuf,
    /// Several nodes, first step: a new key at the end, which verifies and does not sign
    #[arg(long, group = "step")]
    add: bool,
    /// Several nodes, second step: the last key comes first, and signs
    #[arg(long, group = "step")]
    promote: bool,
    /// Last step: delete the last key
    #[arg(long, group = "step")]
    drop: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    AddFirst,
    AddLast,
    Promote,
    Drop,
}

impl Rotation {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let (path, step) = (&self.file, self.step());
        let file = Replacement::of(path)?;
        let Some(old) = &file.content else {
            let text = format!("no such file; \"authgate keys new {}\" makes one", path.display());
            return Err(Failure::no(path, text));
        };
        let before = names(old, path)?;
        if before.len() == 1 && matches!(step, Step::Promote | Step::Drop) {
            return Err(Failure::no(path, "has one key only, which signs already and stays"));
        }
        let new = rotated(old, step, super::new_key()?.as_bytes());
        let after = names(&new, path)?;
        file.replace(&new, super::MODE)?;
        Ok(self.describe(step, &before, &after))
    }

    fn step(&self) -> Step {
        match (self.add, self.promote, self.drop) {
            (true, ..) => Step::AddLast,
            (_, true, _) => Step::Promote,
            (.., true) => Step::Drop,
            _ => Step::AddFirst,
        }
    }

    fn describe(&self, step: Step, before: &[String], after: &[String]) -> String {
        let (path, next) = (self.file.display(), step.next(&self.file));
        let name = step.key(before, after);
        if self.json {
            let json = json!({"step": step.name(), "key": name, "keys": after, "next": next});
            return format!("{json}\n");
        }
        let mut text = format!("{path}: key \"{name}\" {}; the keys are now:\n", step.done());
        for (index, name) in after.iter().enumerate() {
            text += &format!("  {name}  {}\n", if index == 0 { "signs" } else { "verifies" });
        }
        text + &format!("Next: {next}\n")
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::AddFirst => "rotate",
            Self::AddLast => "add",
            Self::Promote => "promote",
            Self::Drop => "drop",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::AddFirst => "is new and comes first",
            Self::AddLast => "is new and comes last",
            Self::Promote => "comes first",
            Self::Drop => "is deleted",
        }
    }

    /// The key that the step is about.
    fn key(self, before: &[String], after: &[String]) -> String {
        let key = match self {
            Self::AddFirst | Self::Promote => after.first(),
            Self::AddLast => after.last(),
            Self::Drop => before.last(),
        };
        key.cloned().unwrap_or_default()
    }

    fn next(self, path: &Path) -> String {
        let rotate = |step| format!("\"authgate keys rotate {step} {}\"", path.display());
        let later = format!(
            "When the \"max\" of \"session\" has passed: {}. What the old key signed then ends, API tokens and known devices too.",
            rotate("--drop")
        );
        match self {
            Self::AddFirst => format!("reload nginx. {later}"),
            Self::AddLast => {
                format!(
                    "copy the file to every node and reload each. Then: {}.",
                    rotate("--promote")
                )
            }
            Self::Promote => format!("copy the file to every node and reload each. {later}"),
            Self::Drop => "reload nginx, on every node that has this file.".into(),
        }
    }
}

fn names(text: &[u8], path: &Path) -> Result<Vec<String>, Failure> {
    let mistake = |mistake| Failure::Error(format!("{}:{mistake}", path.display()));
    let keys = Keys::parse(text).map_err(mistake)?;
    Ok(keys.ids().map(ToString::to_string).collect())
}

/// The text after the step. Only lines with keys move.
fn rotated(text: &[u8], step: Step, new: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    // Of a text with keys.
    let first = lines.iter().position(|line| is_key(line)).unwrap_or_default();
    let last = lines.iter().rposition(|line| is_key(line)).unwrap_or_default();
    match step {
        Step::AddFirst => lines.insert(first, new),
        Step::AddLast => lines.insert(last + 1, new),
        Step::Promote => {
            let line = lines.remove(last);
            lines.insert(first, line);
        }
        Step::Drop => drop(lines.remove(last)),
    }
    joined(&lines)
}

fn is_key(line: &[u8]) -> bool {
    line.trim_ascii_start().first().is_some_and(|byte| *byte != b'#')
}

/// Each line with its end, the file's last one too.
fn joined(lines: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // Sized beforehand: a vector that grows leaves copies of the keys behind.
    let length = lines.iter().map(|line| line.len() + 1).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    for line in lines {
        text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    text
}
