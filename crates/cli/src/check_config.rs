//! `authgate check-config`: what an nginx configuration leaves open.

use crate::failure::Failure;
use crate::{file, note};
use authgate_lint::files::{self, File};
use authgate_lint::finding::{Finding, Level};
use authgate_lint::{findings, has_gate, rules};
use clap::builder::PossibleValuesParser;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Find what an nginx configuration leaves open that its gate is to close
///
/// nginx asks no access module about "return", about subrequests and in some other places, and a
/// location is easily forgotten. Reads what "nginx -T" prints, from standard input if no file is named,
/// or a configuration file with all that it includes. "nginx -t" tells what is wrong with a
/// configuration; this tells what a right one lets through. A note is about something that is open
/// because the configuration says so; a warning about what hardly anybody means.
///
/// Exit status 0: no warning; 1: a warning; 2: it cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  nginx -T 2>/dev/null | authgate check-config
  authgate check-config /etc/nginx/nginx.conf
  nginx -T 2>/dev/null | authgate check-config --allow return --json")]
pub(crate) struct Arguments {
    /// What "nginx -T" has printed, or a configuration file; "-" is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Leave out what this rule finds; may be given several times
    #[arg(long, value_name = "RULE", value_parser = PossibleValuesParser::new(rules()))]
    allow: Vec<String>,
    /// Warnings alone, no notes
    #[arg(long, short)]
    quiet: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<String, Failure> {
    let config = read(&arguments.file)?;
    let mut found = findings(&config);
    found.retain(|finding| arguments.shows(finding));
    let answer = arguments.answer(&found);
    if !has_gate(&config) && !arguments.json && !arguments.quiet {
        note("no \"authgate\" in this configuration");
    }
    match found.iter().filter(|finding| finding.level == Level::Warning).count() {
        0 => Ok(answer),
        count => {
            // the answer, not a message beside it
            crate::print(&answer);
            Err(Failure::No(format!("warnings: {count}")))
        }
    }
}

fn read(path: &Path) -> Result<Vec<authgate_lint::syntax::Directive>, Failure> {
    let text = String::from_utf8_lossy(&file::read_or_input(path)?).into_owned();
    if text.trim().is_empty() {
        // What a failed "nginx -T" prints is no configuration without a warning.
        return Err(Failure::Error(NOTHING.into()));
    }
    let dumped = files::files_of_dump(&text);
    let read = match dumped.first() {
        Some(main) => {
            let mut find = |name: &str| files::named(&dumped, name).into_iter().cloned().collect();
            files::read(main, &mut find)
        }
        None => files::read(&File { name: name_of(path), text }, &mut on_disk),
    };
    read.map_err(|error| Failure::Error(error.to_string()))
}

const NOTHING: &str =
    "no configuration: name a file, or have \"nginx -T\" print one to standard input";

fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

/// The files that an `include` names. One that cannot be read is one that is not there.
fn on_disk(pattern: &str) -> Vec<File> {
    let paths = glob::glob_with(pattern, files::OPTIONS).into_iter().flatten().flatten();
    let read = |path: PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(&path).ok()?).into_owned();
        Some(File { name: path.display().to_string(), text })
    };
    paths.filter_map(read).collect()
}

impl Arguments {
    fn shows(&self, finding: &Finding) -> bool {
        let allowed = self.allow.iter().any(|rule| rule == finding.rule);
        let unwanted = self.quiet && finding.level == Level::Note;
        !allowed && !unwanted
    }

    fn answer(&self, findings: &[Finding]) -> String {
        match self.json {
            true => format!("{}\n", findings.iter().map(in_json).collect::<serde_json::Value>()),
            false => findings.iter().map(in_lines).collect(),
        }
    }
}

fn in_lines(Finding { place, level, rule, text, mend }: &Finding) -> String {
    format!("{place}: {}: {text} [{rule}]\n    {mend}\n", level.as_str())
}

fn in_json(Finding { place, level, rule, text, mend }: &Finding) -> serde_json::Value {
    json!({
        "file": *place.file, "line": place.line, "level": level.as_str(),
        "rule": rule, "text": text, "mend": mend,
    })
}
