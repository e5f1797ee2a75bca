//! J133: a file that is replaced keeps all that it has besides its content.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod command;

use command::Folder;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use xattr::FileExt;

const HASH: &str = "$2y$04$CnI5/3Vd2jcBmfkWTBqcI.KWxR4eUYTHD/BZLa1BzCKyVE.1bXqMS";
const KEYS: &str = "k1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nk2 MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

const ACCESS_LIST: &str = "system.posix_acl_access";
const DEFAULT_LIST: &str = "system.posix_acl_default";
const SET: [&str; 6] = ["user", "set", "--cost", "4", "users", "alice"];

/// An access list as the kernel takes it (linux/posix_acl_xattr.h): the owner may read and write,
/// user 1234 read, the group has `group`, at most `mask` holds, others have nothing.
fn access_list(group: u16, mask: u16) -> Vec<u8> {
    let entries = [
        (1, 6, u32::MAX),
        (2, 4, 1234),
        (4, group, u32::MAX),
        (16, mask, u32::MAX),
        (32, 0, u32::MAX),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        let (tag, rights): (u16, u16) = (tag, rights);
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    list
}

/// All that a file has besides its content, in words.
fn attributes(folder: &Folder, name: &str) -> Vec<String> {
    let file = File::open(folder.path(name)).unwrap();
    let metadata = file.metadata().unwrap();
    let mut all: Vec<_> = file
        .list_xattr()
        .unwrap()
        .map(|name| format!("{name:?}={:?}", file.get_xattr(&name).unwrap()))
        .collect();
    all.sort();
    all.push(format!("{}:{} {:o}", metadata.uid(), metadata.gid(), metadata.mode()));
    all
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Sets an attribute; `false`, said aloud, where the file system has none.
fn has_set(folder: &Folder, name: &str, attribute: &str, value: &[u8]) -> bool {
    let set = xattr::set(folder.path(name), attribute, value);
    if matches!(&set, Err(error) if error.kind() == std::io::ErrorKind::Unsupported) {
        eprintln!("skipped: the file system of the tests takes no {attribute}");
        return false;
    }
    set.unwrap();
    true
}

fn with_everything(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("users", format!("alice:{HASH}\nbob:{HASH}\n"));
    folder.write("keys", KEYS);
    for file in ["users", "keys"] {
        if is_root() {
            chown(folder.path(file), Some(1111), Some(2222)).unwrap();
        } else {
            eprintln!("skipped: only root gives a file to another user");
        }
        fs::set_permissions(folder.path(file), Permissions::from_mode(0o640)).unwrap();
        has_set(&folder, file, "user.x", b"kept \0\xff");
        has_set(&folder, file, ACCESS_LIST, &access_list(0, 4));
    }
    folder
}

#[test]
fn j133_owner_mode_attributes_and_access_list_are_kept() {
    let folder = with_everything("j133_kept");
    let (users, keys) = (attributes(&folder, "users"), attributes(&folder, "keys"));
    let run = |file: &str, arguments: &[&str]| {
        let (inode, text) = (fs::metadata(folder.path(file)).unwrap().ino(), folder.read(file));
        folder.ok(arguments, "new");
        assert_ne!(fs::metadata(folder.path(file)).unwrap().ino(), inode, "{arguments:?}");
        assert_ne!(folder.read(file), text, "{arguments:?}");
        assert_eq!(attributes(&folder, "users"), users, "{arguments:?}");
        assert_eq!(attributes(&folder, "keys"), keys, "{arguments:?}");
        assert_eq!(folder.names(), ["keys", "users"]);
    };
    run("users", &SET);
    run("users", &["user", "set", "--cost", "4", "users", "alice", "--groups", "ops"]);
    run("users", &["user", "remove", "users", "bob"]);
    run("keys", &["keys", "rotate", "keys"]);
    run("keys", &["keys", "rotate", "--add", "keys"]);
    run("keys", &["keys", "rotate", "--promote", "keys"]);
    run("keys", &["keys", "rotate", "--drop", "keys"]);
}

/// What a folder hands on to new files would let others read what they could not read before.
#[test]
fn j133_the_access_list_of_the_folder_lets_nobody_in() {
    let folder = Folder::new("j133_folder");
    folder.write("users", format!("alice:{HASH}\n"));
    fs::set_permissions(folder.path("users"), Permissions::from_mode(0o640)).unwrap();
    let before = attributes(&folder, "users");
    if has_set(&folder, ".", DEFAULT_LIST, &access_list(4, 4)) {
        folder.ok(&SET, "new");
        assert_eq!(attributes(&folder, "users"), before);
    }
}

#[test]
fn j133_a_symbolic_link_stays_and_its_target_is_replaced() {
    let folder = Folder::new("j133_links");
    fs::create_dir(folder.path("there")).unwrap();
    let there = folder.path("there/real");
    let links = [
        ("relative", "there/real".into()),
        ("absolute", there.clone()),
        ("chain", "second".into()),
        ("second", "there/back".into()),
        ("there/back", "../relative".into()),
        ("folder", "there".into()),
    ];
    for (link, target) in &links {
        symlink(target, folder.path(link)).unwrap();
    }
    // First where nothing is there yet.
    for (name, link) in ["relative", "absolute", "chain", "folder/back"]
        .iter()
        .flat_map(|link| [("alice", *link), ("bob", *link)])
    {
        if name == "alice" {
            let _ = fs::remove_file(&there);
        }
        let answer = folder.run(&["user", "set", "--cost", "4", link, name], "new");
        assert_eq!(answer.status, 0, "{link}: {}", answer.errors);
        assert!(fs::symlink_metadata(&there).unwrap().is_file(), "{link}");
        assert!(folder.read("there/real").contains(&format!("{name}:$2y$04$")), "{link}");
        for (link, target) in &links {
            assert_eq!(fs::read_link(folder.path(link)).unwrap(), *target);
        }
        assert_eq!(folder.names(), ["absolute", "chain", "folder", "relative", "second", "there"]);
        assert_eq!(fs::read_dir(folder.path("there")).unwrap().count(), 2);
    }
    symlink("round", folder.path("round")).unwrap();
    folder.fails(2, &["user", "set", "--cost", "4", "round", "alice"], "new");
    assert_eq!(fs::read_link(folder.path("round")).unwrap().to_str(), Some("round"));
}

#[test]
fn j133_what_cannot_be_kept_is_an_error_and_changes_nothing() {
    if !is_root() {
        return eprintln!("skipped: only root gives a file to another user");
    }
    let folder = Folder::new("j133_refused");
    let before = format!("alice:{HASH}\n");
    folder.write("users", &before);
    chown(folder.path("."), Some(1234), Some(1234)).unwrap();
    chown(folder.path("users"), Some(1111), Some(2222)).unwrap();
    fs::set_permissions(folder.path("users"), Permissions::from_mode(0o644)).unwrap();
    let attributes_before = attributes(&folder, "users");
    let answer = folder.run_as(1234, &SET, "new");
    let text =
        "authgate: users: cannot keep its owner and group (1111:2222): Operation not permitted\n";
    assert_eq!((answer.status, answer.errors.as_str()), (2, text));
    assert_eq!(folder.read("users"), before);
    assert_eq!(attributes(&folder, "users"), attributes_before);
    assert_eq!(folder.names(), ["users"]);
    // The twin: one's own file.
    chown(folder.path("users"), Some(1234), Some(1234)).unwrap();
    assert_eq!(folder.run_as(1234, &SET, "new").status, 0);
}

#[test]
fn j133_other_names_of_the_file_are_told_of() {
    let folder = Folder::new("j133_names");
    folder.write("users", format!("alice:{HASH}\n"));
    fs::hard_link(folder.path("users"), folder.path("backup")).unwrap();
    let answer = folder.run(&SET, "new");
    let note = "authgate: users: had other names (hard links), under which nothing has changed\n";
    assert_eq!((answer.status, answer.errors.as_str()), (0, note));
    assert_eq!(folder.read("backup"), format!("alice:{HASH}\n"));
    folder.ok(&SET, "new");
}

/// Who looks at any moment sees a whole file, and none that more may read than before.
#[test]
fn j133_at_no_moment_is_the_file_gone_or_open_to_more() {
    let folder = with_everything("j133_moments");
    let before = attributes(&folder, "users").last().unwrap().clone();
    let (allowed, has_list) = (0o640, attributes(&folder, "users").len() == 3);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0_u64;
            while !done.load(Relaxed) {
                looks += 1;
                let file = File::open(folder.path("users")).unwrap();
                let metadata = file.metadata().unwrap();
                let owner = format!("{}:{} {:o}", metadata.uid(), metadata.gid(), metadata.mode());
                assert_eq!(owner, before);
                for entry in fs::read_dir(folder.path(".")).unwrap() {
                    // It may have gone meanwhile.
                    let Ok(file) = File::open(entry.unwrap().path()) else { continue };
                    let metadata = file.metadata().unwrap();
                    assert_eq!(metadata.mode() & 0o777 & !allowed, 0, "{:o}", metadata.mode());
                    // Without the list, the mode says that the file's group may read it.
                    let is_open = metadata.is_file() && metadata.mode() & 0o070 != 0;
                    let list = file.get_xattr(ACCESS_LIST).unwrap_or_default();
                    assert!(!(is_open && has_list && list.is_none()));
                    let is_folder = metadata.is_dir();
                    assert!(is_folder || metadata.len() == 0 || metadata.len() > 40);
                }
            }
            looks
        });
        for _ in 0..20 {
            folder.ok(&SET, "new");
        }
        done.store(true, Relaxed);
        assert!(watcher.join().unwrap() > 20);
    });
}

/// A limit on the length of files stands for the full disk.
#[test]
fn j133_what_cannot_be_written_whole_leaves_nothing_behind() {
    let folder = with_everything("j133_full");
    let before = ["users", "keys"].map(|name| (folder.read(name), attributes(&folder, name)));
    for arguments in [&SET[..], &["keys", "rotate", "keys"], &["keys", "new", "other"]] {
        let errors = folder.fails_to_write(arguments, "new");
        assert!(errors.ends_with(": file too large\n"), "{errors}");
        let after = ["users", "keys"].map(|name| (folder.read(name), attributes(&folder, name)));
        assert_eq!(after, before);
        assert_eq!(folder.names(), ["keys", "users"], "{arguments:?}");
    }
}
