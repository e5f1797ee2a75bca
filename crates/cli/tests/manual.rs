//! The command line as it is defined, which manual pages and completions are made from.

mod command;

use command::Folder;

#[test]
fn the_definition_holds_together() {
    authgate_cli::command().debug_assert();
}

#[test]
fn the_program_has_the_name_that_it_is_called_by() {
    let version = Folder::new("version").ok(&["--version"], "");
    assert_eq!(version, format!("authgate {}\n", env!("CARGO_PKG_VERSION")));
}
