//! Who may read and write what is kept under `state`.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod support;

use authgate_state::generated_key;
use authgate_state::rights::{User, of_file, of_state};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use support::{folder, journal_of, open};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// As the user that runs the tests would be the workers' one.
fn judge(folder: &Path) -> Result<Vec<String>, String> {
    let id = fs::metadata("/proc/self").unwrap().uid();
    of_state(folder, "ops", User { name: "www-data", id })
}

#[test]
fn j134_what_is_made_here_is_right() {
    let folder = folder("j134_right");
    mode(&folder, 0o700);
    assert_eq!(judge(&folder), Ok(Vec::new()));
    open(&folder);
    generated_key(&folder).unwrap();
    assert_eq!(judge(&folder), Ok(Vec::new()));
    assert_eq!(judge(&folder.join("nothing")), Ok(Vec::new()));
    assert_eq!(judge(&journal_of(&folder)), Ok(Vec::new()));
}

#[test]
fn j134_a_warning_for_readers_and_the_group_an_error_for_everybody() {
    let folder = folder("j134_modes");
    mode(&folder, 0o700);
    open(&folder);
    generated_key(&folder).unwrap();
    let journal = journal_of(&folder);
    for path in [&folder, &journal, &folder.join("key")] {
        let (right, mend) = if path.is_dir() { (0o700, "chmod 700") } else { (0o600, "chmod 600") };
        for (more, how) in [
            (0o040, "read"),
            (0o004, "read"),
            (0o010, "read"),
            (0o001, "read"),
            (0o020, "written"),
            (0o064, "read and written"),
        ] {
            mode(path, right | more);
            let (name, mode) = (path.display(), right | more);
            let text =
                format!("\"{name}\" may be {how} by others than its owner (mode {mode:o}): {mend}");
            assert_eq!(judge(&folder), Ok(vec![text]));
        }
        for more in [0o002, 0o066, 0o1002] {
            mode(path, right | more);
            let (name, mode) = (path.display(), (right | more) & 0o777);
            let text = format!("\"{name}\" may be written by anyone (mode {mode:o}): {mend}");
            assert_eq!(judge(&folder), Err(text));
        }
        mode(path, right);
    }
    // The realm's own files, and no link: that is refused when it is opened.
    fs::write(folder.join("other.ended"), "").unwrap();
    mode(&folder.join("other.ended"), 0o666);
    symlink("other.ended", folder.join("ops.ended.new")).unwrap();
    assert_eq!(judge(&folder), Ok(Vec::new()));
}

#[test]
fn j134_a_directory_above_that_anyone_may_write() {
    let above = folder("j134_above");
    let folder = above.join("between/state");
    fs::create_dir_all(&folder).unwrap();
    mode(&folder, 0o700);
    mode(&above, 0o777);
    let refused = |folder: &Path, above: &Path| {
        Err(format!(
            "\"{0}\" may be replaced by anyone, \"{1}\" being writable for all (mode 777): chmod o-w \"{1}\"",
            folder.display(),
            above.display()
        ))
    };
    assert_eq!(judge(&folder), refused(&folder, &above));
    // Where a link leads to, and where it stands.
    let beside = self::folder("j134_link");
    let link = beside.join("state");
    symlink(&folder, &link).unwrap();
    assert_eq!(judge(&link), refused(&link, &above));
    mode(&above, 0o1777);
    for path in [&folder, &link] {
        assert_eq!(judge(path), Ok(Vec::new()));
    }
    mode(&beside, 0o777);
    assert_eq!(judge(&link), refused(&link, &beside));
    assert_eq!(judge(&folder), Ok(Vec::new()));
}

#[test]
fn j134_another_owner_than_the_workers_or_root() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return eprintln!("skipped: only root gives a file to another user");
    }
    let folder = folder("j134_owner");
    mode(&folder, 0o700);
    generated_key(&folder).unwrap();
    let workers = User { name: "www-data", id: 33 };
    for path in [&folder, &folder.join("key")] {
        for (owner, is_right) in [(0, true), (33, true), (1234, false)] {
            chown(path, Some(owner), None).unwrap();
            let text =
                format!("\"{}\" belongs to another user (1234): chown www-data", path.display());
            let judged = if is_right { Ok(Vec::new()) } else { Err(text) };
            assert_eq!(of_state(&folder, "ops", workers), judged, "{owner}");
        }
        chown(path, Some(33), None).unwrap();
    }
}

#[test]
fn j134_a_directory_above_that_another_user_owns() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return eprintln!("skipped: only root gives a directory to another user");
    }
    let above = folder("j134_owner_above");
    let folder = above.join("state");
    fs::create_dir(&folder).unwrap();
    mode(&folder, 0o700);
    for (owner, is_right) in [(0, true), (33, true), (1234, false)] {
        chown(&above, Some(owner), None).unwrap();
        let text = format!(
            "\"{0}\" may be replaced by the owner of \"{1}\" (user 1234): chown root \"{1}\"",
            folder.display(),
            above.display()
        );
        let warnings = if is_right { Vec::new() } else { vec![text] };
        let workers = User { name: "www-data", id: 33 };
        assert_eq!(of_state(&folder, "ops", workers), Ok(warnings), "{owner}");
    }
}

#[test]
fn j134_a_keys_file_by_itself() {
    let folder = folder("j134_keys");
    let path = folder.join("keys");
    fs::write(&path, "").unwrap();
    for (given, judged) in
        [(0o600, Ok(false)), (0o400, Ok(false)), (0o640, Ok(true)), (0o602, Err(()))]
    {
        mode(&path, given);
        let metadata = fs::metadata(&path).unwrap();
        let warned = of_file(&path, &metadata).map(|warning| warning.is_some()).map_err(drop);
        assert_eq!(warned, judged, "{given:o}");
    }
}
