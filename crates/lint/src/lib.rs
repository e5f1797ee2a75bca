//! Where an nginx configuration leaves open what its gate is to close: the places at which nginx asks no
//! access module, and those that are easily forgotten. It reads what `nginx -T` prints, or files.
//!
//! - [`files`]: the files, and `include`
//! - [`syntax`]: words, blocks and lines
//! - `site`: blocks, and what they take over from those around them; `location`: which paths they are for
//! - `gate`: which gate holds in a block, and what else does; `application`: where its requests go
//! - `rules`: what is looked for
//! - [`finding`]: what is told

#![forbid(unsafe_code)]

mod application;
pub mod files;
pub mod finding;
mod gate;
mod location;
pub mod place;
mod rules;
mod site;
pub mod syntax;

use finding::Finding;
use syntax::Directive;

/// All that is found, in the order of lines.
pub fn findings(config: &[Directive]) -> Vec<Finding> {
    rules::findings(&site::Sites::of(config))
}

/// The names of all rules.
pub fn rules() -> impl Iterator<Item = &'static str> {
    rules::RULES.iter().map(|(name, _)| *name)
}

/// Whether a gate stands anywhere.
pub fn has_gate(config: &[Directive]) -> bool {
    let is_gate = |directive: &Directive| {
        matches!(directive.name.as_str(), "authgate" | "authgate_verify")
            || directive.block.as_deref().is_some_and(has_gate)
    };
    config.iter().any(is_gate)
}
