//! The numbers as Prometheus reads them: its text format, version 0.0.4.

use super::{BOUNDS, Checks, LoginResult, Totals};
use crate::ended;
use crate::event::LoginMethod;
use crate::insight::JournalState;
use crate::limit::{Ban, Banned};
use crate::pages::problem::not_allowed;
use crate::reply::Reply;
use crate::request::{Method, RequestHead};
use crate::status::Status;
use core::fmt::{Display, Write as _};

/// What there is to say of one realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmMetrics<'a> {
    /// The realm's name.
    pub realm: &'a str,
    /// What its workers have counted.
    pub totals: Totals,
    /// What they have running and waiting.
    pub checks: Checks,
    /// How many users there are.
    pub users: u64,
    /// Whether they are what the users file says now.
    pub users_file_valid: bool,
    /// How many keys there are.
    pub keys: u64,
    /// The size of its shared memory.
    pub zone_bytes: u64,
    /// How full the table of ended sessions is.
    pub ended: ended::Usage,
    /// The limiter; `None` with `limit off`.
    pub limiter: Option<LimiterUse>,
    /// The Basic credentials that need no check; `None` where none are taken.
    pub basic: Option<BasicUse>,
    /// The file of ended sessions; `None` without `state`.
    pub journal: Option<JournalState>,
}

/// How full the table of Basic credentials is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicUse {
    /// How many it takes.
    pub capacity: u64,
    /// How many need no check now.
    pub used: u64,
}

/// How full the limiter is, and what it bans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterUse {
    /// How many counters it takes.
    pub capacity: u64,
    /// How many are in use.
    pub used: u64,
    /// The bans in force.
    pub bans: Bans,
}

/// How many bans are in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bans {
    /// Of networks.
    pub networks: u64,
    /// Of user names.
    pub users: u64,
    /// Of devices.
    pub devices: u64,
    /// Of user names from one network.
    pub places: u64,
}

impl FromIterator<Ban> for Bans {
    fn from_iter<I: IntoIterator<Item = Ban>>(bans: I) -> Self {
        bans.into_iter().fold(Self::default(), |sum, ban| match ban.subject {
            Banned::Network(_) => Self { networks: sum.networks + 1, ..sum },
            Banned::User(_) => Self { users: sum.users + 1, ..sum },
            Banned::Device(_) => Self { devices: sum.devices + 1, ..sum },
            Banned::Place(..) => Self { places: sum.places + 1, ..sum },
        })
    }
}

/// What the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build<'a> {
    /// The version of authgate.
    pub version: &'a str,
    /// The version of nginx.
    pub nginx: &'a str,
}

/// The answer to a request with a method that there is nothing for.
pub fn refusal(head: &RequestHead<'_>) -> Option<Reply> {
    match head.method {
        Method::Get | Method::Head => None,
        Method::Post | Method::Delete | Method::Other => {
            Some(not_allowed(head, "GET, HEAD").uncached())
        }
    }
}

/// The answer that holds the numbers.
pub fn reply(text: String) -> Reply {
    Reply::with_body(200, CONTENT_TYPE, text).uncached()
}

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of all realms.
pub fn render(build: Build<'_>, realms: &[RealmMetrics<'_>]) -> String {
    let mut page = Page { realms, text: String::new() };
    page.build(build);
    counters(&mut page);
    durations(&mut page);
    gauges(&mut page);
    ended(&mut page);
    limiter(&mut page);
    basic(&mut page);
    journal(&mut page);
    page.text
}

fn counters(page: &mut Page<'_>) {
    let help = "Requests by how they went, as $authgate_status says it.";
    page.family("authgate_verdicts_total", "counter", help, |realm, family| {
        let counted = Status::ALL.into_iter().zip(realm.totals.verdicts);
        for (status, count) in counted.filter(|(status, _)| *status != Status::Off) {
            family.sample("", &[("status", status.as_str())], count);
        }
    });
    let help = "Logins by what carried the password and how they ended.";
    page.family("authgate_logins_total", "counter", help, |realm, family| {
        for (method, counts) in LoginMethod::ALL.into_iter().zip(realm.totals.logins) {
            for (result, count) in LoginResult::ALL.into_iter().zip(counts) {
                let labels = [("method", method.as_str()), ("result", result.as_str())];
                family.sample("", &labels, count);
            }
        }
    });
    let help = "Sessions that a sign-out has ended.";
    page.family("authgate_logouts_total", "counter", help, |realm, family| {
        family.sample("", &[], realm.totals.logouts);
    });
}

fn durations(page: &mut Page<'_>) {
    let help = "How long a password check took in its thread.";
    page.family("authgate_password_check_duration_seconds", "histogram", help, |realm, family| {
        let totals = &realm.totals;
        let mut count: u64 = 0;
        let bounds = BOUNDS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
        for (bound, more) in bounds.zip(totals.checks) {
            count = count.wrapping_add(more);
            family.sample("_bucket", &[("le", bound)], count);
        }
        family.sample("_sum", &[], totals.check_nanoseconds as f64 / 1e9);
        family.sample("_count", &[], count);
    });
}

fn gauges(page: &mut Page<'_>) {
    let help = "Password checks that run in a thread now.";
    page.gauge("authgate_password_checks_running", help, |realm| Some(realm.checks.running));
    let help = "Password checks that wait for a thread or for the limiter now.";
    page.gauge("authgate_password_checks_waiting", help, |realm| Some(realm.checks.waiting));
    let help = "Users in force, disabled ones too.";
    page.gauge("authgate_users", help, |realm| Some(realm.users));
    let help = "1 while the users in force are what the users file says, 0 while it is not taken.";
    page.gauge("authgate_users_file_valid", help, |realm| Some(realm.users_file_valid.into()));
    let help = "Signing keys, the one that signs and those that only verify.";
    page.gauge("authgate_keys", help, |realm| Some(realm.keys));
    let help = "Size of the shared memory.";
    page.gauge("authgate_zone_size_bytes", help, |realm| Some(realm.zone_bytes));
}

fn ended(page: &mut Page<'_>) {
    let help = "Entries in the table of what has ended before its time.";
    page.family("authgate_ended_entries", "gauge", help, |realm, family| {
        let ended::Usage { sessions, tokens, users, .. } = realm.ended;
        for (kind, count) in [("session", sessions), ("token", tokens), ("user", users)] {
            family.sample("", &[("kind", kind)], count);
        }
    });
    let help = "Entries that the table of what has ended takes.";
    page.gauge("authgate_ended_capacity", help, |realm| Some(realm.ended.capacity));
    let help = "Parts of the users for whom the table of what has ended was too small.";
    page.gauge("authgate_ended_coarsened", help, |realm| Some(realm.ended.coarsened));
}

fn limiter(page: &mut Page<'_>) {
    let help = "Counters of failed logins in use.";
    page.gauge("authgate_limiter_counters", help, |realm| Some(realm.limiter?.used));
    let help = "Counters of failed logins that there are.";
    page.gauge("authgate_limiter_capacity", help, |realm| Some(realm.limiter?.capacity));
    page.family("authgate_bans", "gauge", "Bans in force.", |realm, family| {
        let Some(LimiterUse { bans, .. }) = realm.limiter else { return };
        let Bans { networks, users, devices, places } = bans;
        let counts =
            [("network", networks), ("user", users), ("device", devices), ("place", places)];
        for (subject, count) in counts {
            family.sample("", &[("subject", subject)], count);
        }
    });
}

fn basic(page: &mut Page<'_>) {
    let help = "Basic credentials that need no check now.";
    page.gauge("authgate_basic_cache_entries", help, |realm| Some(realm.basic?.used));
    let help = "Basic credentials that there is room for.";
    page.gauge("authgate_basic_cache_capacity", help, |realm| Some(realm.basic?.capacity));
}

fn journal(page: &mut Page<'_>) {
    let help = "1 while all that has ended is in the file under state, 0 while some is missing.";
    page.gauge("authgate_state_saved", help, |realm| Some(realm.journal?.saved.into()));
    let help = "Length of the file of ended sessions under state.";
    page.gauge("authgate_state_size_bytes", help, |realm| Some(realm.journal?.bytes));
}

/// The text, family by family: all samples of a name stand together, behind what it means.
struct Page<'p> {
    realms: &'p [RealmMetrics<'p>],
    text: String,
}

impl Page<'_> {
    fn build(&mut self, Build { version, nginx }: Build<'_>) {
        let help = "1, and what is running.";
        self.head("authgate_build_info", "gauge", help);
        let labels = [("version", version), ("nginx", nginx)];
        sample(&mut self.text, "authgate_build_info", "", &labels, 1);
    }

    fn gauge(
        &mut self,
        name: &'static str,
        help: &str,
        value: impl Fn(&RealmMetrics<'_>) -> Option<u64>,
    ) {
        self.family(name, "gauge", help, |realm, family| {
            if let Some(value) = value(realm) {
                family.sample("", &[], value);
            }
        });
    }

    /// A family without samples is left out.
    fn family(
        &mut self,
        name: &'static str,
        kind: &str,
        help: &str,
        fill: impl Fn(&RealmMetrics<'_>, &mut Family<'_>),
    ) {
        let mut samples = String::new();
        for realm in self.realms {
            fill(realm, &mut Family { name, realm: realm.realm, samples: &mut samples });
        }
        if !samples.is_empty() {
            self.head(name, kind, help);
            self.text.push_str(&samples);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }
}

/// The samples of one realm in a family.
struct Family<'f> {
    name: &'static str,
    realm: &'f str,
    samples: &'f mut String,
}

impl Family<'_> {
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let realm = [("realm", self.realm)];
        let labels: Vec<_> = realm.iter().chain(labels).copied().collect();
        sample(self.samples, self.name, suffix, &labels, value);
    }
}

fn sample(
    text: &mut String,
    name: &str,
    suffix: &str,
    labels: &[(&str, &str)],
    value: impl Display,
) {
    let _ = write!(text, "{name}{suffix}");
    for (place, (label, content)) in labels.iter().enumerate() {
        debug_assert!(is_plain(content), "{content:?} is to be escaped");
        let before = if place == 0 { '{' } else { ',' };
        let _ = write!(text, "{before}{label}=\"{content}\"");
    }
    let _ = writeln!(text, "}} {value}");
}

/// Whether a label's value stands as it is: names of realms, versions and our own words do.
fn is_plain(content: &str) -> bool {
    content.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}
