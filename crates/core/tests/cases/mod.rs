//! How many cases a property is tried with.

use proptest::test_runner::Config;

/// So many, or as many as `PROPTEST_CASES` says: more to search further, fewer where the tests run
/// many times over, as beside mutants.
pub(crate) fn cases(default: u32) -> Config {
    let config = Config::default();
    let cases = std::env::var_os("PROPTEST_CASES").map_or(default, |_| config.cases);
    Config { cases, ..config }
}
