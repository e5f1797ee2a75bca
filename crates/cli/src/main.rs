//! The `authgate` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    authgate_cli::run()
}
