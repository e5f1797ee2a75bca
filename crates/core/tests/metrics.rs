//! What is counted of a realm, and how Prometheus reads it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it is wrong"
)]

mod support;

use authgate_core::ended::Usage;
use authgate_core::event::{Event, LoginMethod, Reason};
use authgate_core::gate::Cause;
use authgate_core::insight::JournalState;
use authgate_core::limit::{Ban, Banned, LimitReason};
use authgate_core::metrics::{
    Bans, BasicUse, Build, Checks, LimiterUse, Metrics, RealmMetrics, refusal, render, reply,
};
use authgate_core::network::Network;
use authgate_core::request::Method;
use authgate_core::status::Status;
use std::collections::{HashMap, HashSet};
use std::thread;
use std::time::Duration;
use support::*;

const BUILD: Build<'_> = Build { version: "0.1.0", nginx: "1.22.1" };

fn failed(method: LoginMethod, reason: Reason) -> Event {
    Event::LoginFailed { user: "bob".into(), method, reason, realm: "ops".into() }
}

/// Every event that is a login, with its labels; and a logout.
fn logins(method: LoginMethod) -> [(Event, &'static str); 5] {
    let (user, realm) = (String::from("bob"), String::from("ops"));
    let (of, at) = (|| user.clone(), || realm.clone());
    [
        (Event::LoginOk { user: of(), method, realm: at() }, "ok"),
        (failed(method, Reason::BadPassword), "bad_password"),
        (failed(method, Reason::UnknownUser), "unknown_user"),
        (
            Event::LoginLimited {
                user: of(),
                method,
                reason: LimitReason::User,
                realm: at(),
                is_first: false,
            },
            "limited",
        ),
        (Event::LoginBusy { user: of(), method, realm: at() }, "busy"),
    ]
}

fn logout() -> Event {
    Event::Logout { user: "bob".into(), realm: "ops".into() }
}

fn realm<'a>(name: &'a str, metrics: &Metrics) -> RealmMetrics<'a> {
    RealmMetrics {
        realm: name,
        totals: metrics.totals(),
        checks: metrics.checks(0),
        users: 12,
        users_file_valid: true,
        keys: 2,
        zone_bytes: 1 << 20,
        ended: Usage { capacity: 900, sessions: 4, tokens: 3, users: 2, coarsened: 1 },
        limiter: None,
        basic: None,
        journal: None,
    }
}

/// The samples of a text, by name and labels; dies of two that are the same.
fn samples(text: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{name} twice");
    }
    samples
}

fn sample(metrics: &Metrics, name: &str) -> f64 {
    samples(&render(BUILD, &[realm("ops", metrics)]))[name]
}

#[test]
fn the_text_to_the_letter() {
    let metrics = Metrics::default();
    for (worker, status) in Status::ALL.into_iter().enumerate() {
        (0..=worker).for_each(|worker| metrics.stripe(worker).verdict(status));
    }
    for (worker, (event, _)) in logins(LoginMethod::Form).into_iter().enumerate() {
        (0..=worker).for_each(|worker| metrics.stripe(worker).event(&event));
    }
    metrics.stripe(1).event(&logout());
    for milliseconds in [1, 5, 6, 300, 10_001] {
        metrics.stripe(2).check(Duration::from_millis(milliseconds));
    }
    metrics.report(3, Checks { running: 2, waiting: 17 }, 0);
    let ops = RealmMetrics {
        users_file_valid: false,
        limiter: Some(LimiterUse {
            capacity: 1000,
            used: 12,
            bans: Bans { networks: 3, users: 2, devices: 1, places: 4 },
        }),
        basic: Some(BasicUse { capacity: 2048, used: 7 }),
        journal: Some(JournalState { bytes: 144, saved: true }),
        ..realm("ops", &metrics)
    };
    let text = render(BUILD, &[ops, realm("A-b_c.9", &Metrics::default())]);
    assert_eq!(text, include_str!("data/metrics.txt"));
}

#[test]
fn each_family_stands_together_and_no_series_twice() {
    let metrics = Metrics::default();
    let text = render(BUILD, &[realm("ops", &metrics), realm("dev", &metrics)]);
    samples(&text);
    let mut seen = HashSet::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
            assert!(seen.insert(family), "{family} twice");
        }
        let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        assert!(line.starts_with(family), "{line} in {family}");
    }
}

#[test]
fn without_a_realm_there_is_the_build_alone() {
    let text = render(BUILD, &[]);
    let samples = samples(&text);
    assert_eq!(samples.len(), 1);
    assert_eq!(samples["authgate_build_info{version=\"0.1.0\",nginx=\"1.22.1\"}"], 1.0);
}

#[test]
fn every_status_but_off_is_there_from_the_start() {
    let text = render(BUILD, &[realm("ops", &Metrics::default())]);
    for status in Status::ALL {
        let name =
            format!("authgate_verdicts_total{{realm=\"ops\",status=\"{}\"}}", status.as_str());
        let expected = (status != Status::Off).then_some(&0.0);
        assert_eq!(samples(&text).get(&name), expected, "{name}");
    }
}

#[test]
fn each_event_counts_once_with_its_labels() {
    for method in LoginMethod::ALL {
        for (event, result) in logins(method) {
            let metrics = Metrics::default();
            metrics.stripe(0).event(&event);
            let text = render(BUILD, &[realm("ops", &metrics)]);
            let counted: Vec<_> = samples(&text)
                .into_iter()
                .filter(|(name, value)| name.contains("_total") && *value != 0.0)
                .collect();
            let labels =
                format!("realm=\"ops\",method=\"{}\",result=\"{result}\"", method.as_str());
            assert_eq!(counted, [(format!("authgate_logins_total{{{labels}}}"), 1.0)], "{event}");
        }
    }
    let metrics = Metrics::default();
    metrics.stripe(0).event(&logout());
    let refused = Event::TokenRefused { reason: Cause::Expired, realm: "ops".into() };
    metrics.stripe(0).event(&refused);
    assert_eq!(sample(&metrics, "authgate_logouts_total{realm=\"ops\"}"), 1.0);
}

#[test]
fn stripes_add_up() {
    let metrics = Metrics::default();
    for worker in 0..100 {
        metrics.stripe(worker).verdict(Status::Ok);
        metrics.stripe(worker).event(&logout());
    }
    assert_eq!(sample(&metrics, "authgate_verdicts_total{realm=\"ops\",status=\"ok\"}"), 100.0);
    assert_eq!(sample(&metrics, "authgate_logouts_total{realm=\"ops\"}"), 100.0);
    let same = |a, b| std::ptr::eq(metrics.stripe(a), metrics.stripe(b));
    assert!(same(3, 11), "worker 11 shares with worker 3");
    assert!((0..8).all(|a| (0..a).all(|b| !same(a, b))), "eight workers share nothing");
}

#[test]
fn nothing_is_lost_between_threads() {
    const TIMES: usize = 20_000;
    let metrics = Metrics::default();
    thread::scope(|scope| {
        for worker in 0..12 {
            let stripe = metrics.stripe(worker);
            scope.spawn(move || {
                for _ in 0..TIMES {
                    stripe.verdict(Status::Missing);
                    stripe.check(Duration::from_nanos(500));
                }
            });
        }
    });
    let count = (12 * TIMES) as f64;
    let named = |name: &str| sample(&metrics, name);
    assert_eq!(named("authgate_verdicts_total{realm=\"ops\",status=\"missing\"}"), count);
    assert_eq!(named("authgate_password_check_duration_seconds_count{realm=\"ops\"}"), count);
    let sum = named("authgate_password_check_duration_seconds_sum{realm=\"ops\"}");
    assert!((sum - count * 500e-9).abs() < 1e-9, "{sum}");
}

#[test]
fn buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() {
    let metrics = Metrics::default();
    let bucket = |bound: &str| {
        let name = "authgate_password_check_duration_seconds_bucket";
        sample(&metrics, &format!("{name}{{realm=\"ops\",le=\"{bound}\"}}"))
    };
    let bounds =
        ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
    for (place, bound) in bounds.into_iter().enumerate() {
        let seconds = bound.parse::<f64>().unwrap().min(1000.0);
        metrics.stripe(place).check(Duration::from_secs_f64(seconds));
        assert_eq!(bucket(bound), (place + 1) as f64, "{bound}");
        assert_eq!(bucket("+Inf"), (place + 1) as f64);
    }
    metrics.stripe(0).check(Duration::from_nanos(5_000_001));
    assert_eq!(bucket("0.005"), 1.0, "over its bound is over it");
    assert_eq!(bucket("0.01"), 3.0);
    assert_eq!(bucket("+Inf"), 13.0);
}

#[test]
fn a_process_that_says_nothing_more_is_forgotten() {
    let metrics = Metrics::default();
    let checks = |running, waiting| Checks { running, waiting };
    metrics.report(0, checks(2, 5), 10_000);
    metrics.report(7, checks(1, 0), 10_500);
    assert_eq!(metrics.checks(10_500), checks(3, 5), "all processes");
    assert_eq!(metrics.checks(9_990), checks(3, 5), "whose clocks are ahead");
    assert_eq!(metrics.checks(12_001), checks(1, 0), "one is gone");
    assert_eq!(metrics.checks(12_501), checks(0, 0), "both");
    metrics.report(0, checks(1, 1), 20_000);
    assert_eq!(metrics.checks(20_000), checks(1, 1), "another one has its slot");
    metrics.report(0, checks(0, 0), 20_001);
    assert_eq!(metrics.checks(20_001), checks(0, 0), "what it says last counts");
}

#[test]
fn what_processes_say_has_bounds() {
    let metrics = Metrics::default();
    metrics.report(100_000, Checks { running: 1, waiting: 1 }, 0);
    assert_eq!(metrics.checks(0), Checks::default(), "a slot that is not there");
    metrics.report(127, Checks { running: 1 << 40, waiting: 0 }, 0);
    assert_eq!(metrics.checks(0), Checks { running: 65_535, waiting: 0 });
}

#[test]
fn the_clock_may_go_round() {
    let metrics = Metrics::default();
    let (checks, round) = (Checks { running: 1, waiting: 0 }, 1u64 << 32);
    metrics.report(0, checks, round - 500);
    assert_eq!(metrics.checks(round + 500), checks);
    assert_eq!(metrics.checks(round + 1501), Checks::default());
    assert_eq!(metrics.checks(round + (1 << 31)), Checks::default(), "half a round later");
}

#[test]
fn bans_are_counted_by_subject() {
    let ban = |subject| Ban { subject, seconds: 9 };
    let network = |text: &str| ban(Banned::Network(text.parse::<Network>().unwrap()));
    let bans = [
        network("192.0.2.7"),
        ban(Banned::User(1)),
        network("2001:db8::7"),
        ban(Banned::Device(1)),
        ban(Banned::Place("192.0.2.7".parse().unwrap(), 1)),
        network("192.0.2.8"),
    ];
    assert_eq!(
        bans.into_iter().collect::<Bans>(),
        Bans { networks: 3, users: 1, devices: 1, places: 1 }
    );
}

#[test]
fn only_reading_is_allowed() {
    for (method, status) in [
        (Method::Get, None),
        (Method::Head, None),
        (Method::Post, Some(405)),
        (Method::Delete, Some(405)),
        (Method::Other, Some(405)),
    ] {
        let refused = request(method, "/metrics").with_head(refusal);
        assert_eq!(refused.as_ref().map(|reply| reply.status), status, "{method:?}");
        if let Some(refused) = refused {
            assert_eq!(header(&refused, "Allow"), Some("GET, HEAD"));
            assert!(is_guarded(&refused), "{refused:?}");
        }
    }
    let answer = reply("text\n".into());
    assert!(is_guarded(&answer), "{answer:?}");
    let content_type = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!((answer.status, answer.content_type), (200, content_type));
    assert_eq!(answer.body, "text\n");
}
