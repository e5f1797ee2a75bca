//! The `authgate` command.

#![forbid(unsafe_code)]

fn main() {}
