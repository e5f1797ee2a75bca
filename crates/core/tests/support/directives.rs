//! Directives as they stand in a configuration.

use authgate_core::settings::{Builder, Settings};

pub(crate) fn builder() -> Builder {
    Builder::new("ops").unwrap()
}

/// A directive as it stands in a configuration, with arguments cut at blanks.
pub(crate) fn give<'d>(builder: &mut Builder, directive: &'d str) -> Result<&'static str, String> {
    let mut words = directive.split(' ').map(|word| if word == "''" { "" } else { word });
    let name: &'d str = words.next().unwrap();
    let args: Vec<&str> = words.collect();
    builder.directive(name, &args).map_err(|error| error.to_string())
}

pub(crate) fn settings(directives: &[&str]) -> Settings {
    let mut builder = builder();
    for directive in directives {
        give(&mut builder, directive).unwrap_or_else(|error| panic!("{directive}: {error}"));
    }
    builder.finish().unwrap()
}

pub(crate) fn with(directive: &str) -> Settings {
    settings(&["users u", directive])
}

pub(crate) fn mistake(directive: &str) -> String {
    match give(&mut builder(), directive) {
        Ok(_) => panic!("{directive} is taken"),
        Err(error) => error,
    }
}
