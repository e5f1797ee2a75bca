//! The `authgate` command: what the program runs, and what its manual is made from.

#![forbid(unsafe_code)]

mod arguments;
mod check;
mod check_config;
mod clock;
mod crypt;
mod failure;
mod file;
mod keys;
mod password;
mod realm;
mod revocation;
mod session;
mod token;
mod user;

use crate::failure::Failure;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Users, keys and tokens of authgate, the login in front of web interfaces.
///
/// Exit status: 0 is yes, 1 is no (a wrong password, a file with a mistake), 2 is a mistake in the
/// command line or an answer that could not be found.
#[derive(Parser)]
#[command(name = "authgate", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Users files: set, remove, list and check users
    #[command(subcommand)]
    User(user::Command),
    /// Keys files: the keys that sign sessions and tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// API tokens: issue, verify and end them; what a cookie or an API token says
    #[command(subcommand)]
    Token(token::Command),
    /// Sessions: end them before their time
    #[command(subcommand)]
    Session(session::Command),
    Check(check::Arguments),
    CheckConfig(check_config::Arguments),
}

/// The command line as it is defined.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    // Here, for all of them: a new argument is looked at, too.
    let answer = arguments::refuse_control_characters(std::env::args_os().skip(1))
        .and_then(|()| run_command(Arguments::parse().command));
    match answer {
        Ok(output) => print(&output),
        Err(failure) => {
            note(failure.text());
            failure.exit_code()
        }
    }
}

fn run_command(command: Command) -> Result<String, Failure> {
    match command {
        Command::User(command) => user::run(command),
        Command::Keys(command) => keys::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Session(command) => session::run(&command),
        Command::Check(arguments) => check::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
    }
}

/// A reader who has gone is no mistake worth a message.
fn print(output: &str) -> ExitCode {
    match std::io::stdout().write_all(output.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

/// One line for people, beside the output.
fn note(text: &str) {
    eprintln!("authgate: {text}");
}
