//! Passwords: from a prompt without echo or from standard input, never from an argument.

use crate::failure::Failure;
use std::io::{IsTerminal, Read};
use zeroize::Zeroizing;

pub(crate) type Password = Zeroizing<Vec<u8>>;

/// The longest password, in bytes: the gate refuses longer ones before it checks them.
const MAX_PASSWORD: usize = 1024;

/// A password that exists: asked for once.
pub(crate) fn read() -> Result<Password, Failure> {
    if std::io::stdin().is_terminal() { prompt("Password: ") } else { read_standard_input() }
}

/// A new password: at a prompt, asked for twice.
pub(crate) fn read_new() -> Result<Password, Failure> {
    if !std::io::stdin().is_terminal() {
        return read_standard_input();
    }
    let password = prompt("New password: ")?;
    if password != prompt("The same again: ")? {
        return Err(Failure::Error("the passwords are not the same, nothing was changed".into()));
    }
    Ok(password)
}

fn prompt(text: &str) -> Result<Password, Failure> {
    let password = rpassword::prompt_password(text)
        .map_err(|error| Failure::Error(format!("cannot read the password: {error}")))?;
    checked(Zeroizing::new(password.into_bytes()))
}

fn read_standard_input() -> Result<Password, Failure> {
    // room for the line's end and for one byte too many, so that nothing is moved and left unwiped
    let limit = MAX_PASSWORD + 3;
    let mut input = Zeroizing::new(Vec::with_capacity(limit));
    let stdin = std::io::stdin().lock();
    stdin
        .take(limit as u64)
        .read_to_end(&mut input)
        .map_err(|error| Failure::Error(format!("cannot read standard input: {error}")))?;
    for end in [b'\n', b'\r'] {
        if input.last() == Some(&end) {
            input.pop();
        }
    }
    checked(input)
}

fn checked(password: Password) -> Result<Password, Failure> {
    let mistake = if password.is_empty() {
        "the password is empty"
    } else if password.contains(&b'\n') {
        "standard input has more than one line, give the password alone"
    } else if password.len() > MAX_PASSWORD {
        "the password is longer than 1024 bytes"
    } else {
        return Ok(password);
    };
    Err(Failure::Error(mistake.into()))
}
