//! Runs the command in a folder of its own.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses some of it")]

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) struct Folder(PathBuf);

pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Folder {
    /// An empty folder for the test of this name.
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn run(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Answer {
        self.run_with(Command::new(env!("CARGO_BIN_EXE_authgate")).args(arguments), input)
    }

    /// The same as another user and group, without further groups. Root alone can.
    pub(crate) fn run_as(&self, id: u32, arguments: &[&str], input: impl AsRef<[u8]>) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authgate"));
        self.run_with(command.args(arguments).uid(id).gid(id), input)
    }

    /// Runs it where no file may be longer than nothing, and it must fail; what it says.
    pub(crate) fn fails_to_write(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> String {
        let mut shell = Command::new("sh");
        // Of the signal that comes with the limit, a full disk knows nothing.
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
        let answer =
            self.run_with(shell.arg(env!("CARGO_BIN_EXE_authgate")).args(arguments), input);
        assert_eq!((answer.status, answer.output.as_str()), (2, ""), "{}", answer.errors);
        answer.errors
    }

    fn run_with(&self, command: &mut Command, input: impl AsRef<[u8]>) -> Answer {
        let mut child = command
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // a command that reads nothing may have closed it
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        let output = child.wait_with_output().unwrap();
        Answer {
            status: output.status.code().unwrap(),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it, and it must succeed.
    pub(crate) fn ok(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> String {
        let answer = self.run(arguments, input);
        assert_eq!((answer.status, answer.errors.as_str()), (0, ""), "{arguments:?}");
        answer.output
    }

    /// Runs it, and it must fail with this status and say so on standard error alone.
    pub(crate) fn fails(&self, status: i32, arguments: &[&str], input: impl AsRef<[u8]>) -> String {
        let answer = self.run(arguments, input);
        assert_eq!((answer.status, answer.output.as_str()), (status, ""), "{}", answer.errors);
        answer.errors
    }
}
