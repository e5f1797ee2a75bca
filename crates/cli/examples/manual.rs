//! Writes the manual pages and the completions of `authgate` into a folder, for packages:
//!
//! ```sh
//! cargo run --example manual FOLDER
//! ```
//!
//! - `FOLDER/man/authgate.1`, and one page for each command
//! - `FOLDER/completions/` for bash, zsh and fish

#![forbid(unsafe_code)]

use clap_complete::Shell;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or(io::Error::other("which folder?"))?;
    let folder = Path::new(&folder);
    write(folder, "man", |man| clap_mangen::generate_to(authgate_cli::command(), man))?;
    write(folder, "completions", |completions| {
        [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().try_for_each(|shell| {
            let mut command = authgate_cli::command();
            clap_complete::generate_to(shell, &mut command, "authgate", completions).map(drop)
        })
    })
}

fn write(folder: &Path, name: &str, what: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    what(&folder)
}
