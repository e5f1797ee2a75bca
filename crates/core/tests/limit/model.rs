//! The limiter agrees with a model that has room for everyone and writes everything down.

use super::*;
use crate::cases::cases;
use authgate_core::limit::ABANDONED;
use proptest::prelude::*;
use std::collections::HashMap;

/// Small limits, so that random steps reach all of them.
const SMALL: Limits = Limits { retries: 3, find: 10_000, ban: 7_500, user_retries: 5 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Network(u8),
    User(u8),
    Device(u8),
}

#[derive(Default)]
struct Counter {
    failures: Vec<u64>,
    banned_until: u64,
    pending: u32,
    heard: u64,
}

#[derive(Default)]
struct Model {
    counters: HashMap<Who, Counter>,
}

impl Who {
    fn limit(self) -> u32 {
        match self {
            Self::User(_) => SMALL.user_retries,
            Self::Network(_) | Self::Device(_) => SMALL.retries,
        }
    }
}

impl Model {
    fn counter(&mut self, who: Who, now: u64) -> &mut Counter {
        let counter = self.counters.entry(who).or_default();
        if counter.failures.first().is_some_and(|first| first + SMALL.find <= now) {
            counter.failures.clear();
        }
        if counter.heard + ABANDONED <= now {
            counter.pending = 0;
        }
        counter
    }

    fn left(&mut self, who: Who, now: u64) -> u64 {
        self.counter(who, now).banned_until.saturating_sub(now)
    }

    fn who(&mut self, login: &Login, now: u64) -> Who {
        match login.device.map(Who::Device) {
            Some(device) if self.left(device, now) == 0 => device,
            _ => Who::User(login.user),
        }
    }

    fn counters_of(&mut self, login: &Login, now: u64) -> Vec<Who> {
        let who = self.who(login, now);
        login.network.map(Who::Network).into_iter().chain([who]).collect()
    }

    /// What the limiter has to decide.
    fn decide(&mut self, counters: &[Who], now: u64) -> Expected {
        let left = counters.iter().map(|who| self.left(*who, now)).max().unwrap_or(0);
        if left > 0 {
            return Expected::Limited(left.div_ceil(1000));
        }
        let is_full = |who: &Who| {
            let counter = self.counter(*who, now);
            counter.failures.len() as u32 + counter.pending >= who.limit()
        };
        if counters.iter().any(is_full) { Expected::Undecided } else { Expected::Granted }
    }

    fn begin(&mut self, counters: &[Who], now: u64) {
        for who in counters {
            let counter = self.counter(*who, now);
            (counter.pending, counter.heard) = (counter.pending + 1, now);
        }
    }

    fn settle(&mut self, counters: &[Who], how: Settled, now: u64) {
        for who in counters {
            let counter = self.counter(*who, now);
            (counter.pending, counter.heard) = (counter.pending.saturating_sub(1), now);
            if how == Settled::Failed && counter.banned_until <= now {
                counter.failures.push(now);
            }
            if counter.failures.len() as u32 >= who.limit() {
                (counter.banned_until, counter.failures) = (now + SMALL.ban, Vec::new());
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Granted,
    Undecided,
    Limited(u64),
}

#[derive(Debug, Clone, Copy)]
struct Login {
    network: Option<u8>,
    user: u8,
    device: Option<u8>,
}

impl Login {
    fn reserve(&self, table: &mut Table, now: u64) -> Decision {
        let network = self.network.map_or(Network::Unix, |number| network(number.into()));
        let device = self.device.map(|device| SessionId([device; 16]));
        let by = By::Form { device };
        table.reserve(&Attempt { by, ..by_form(network, &self.user.to_string()) }, now)
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve(Login),
    Settle(prop::sample::Index, Settled),
    Touch(prop::sample::Index),
    LiftUser(u8),
    LiftNetwork(u8),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let login = (prop::option::weighted(0.9, 0_u8..4), 0_u8..3, prop::option::of(0_u8..3))
        .prop_map(|(network, user, device)| Login { network, user, device });
    let how = prop_oneof![
        6 => Just(Settled::Failed), 1 => Just(Settled::Succeeded), 1 => Just(Settled::Unchecked)
    ];
    prop_oneof![
        12 => login.prop_map(Step::Reserve),
        8 => (any::<prop::sample::Index>(), how).prop_map(|(which, how)| Step::Settle(which, how)),
        2 => any::<prop::sample::Index>().prop_map(Step::Touch),
        1 => (0_u8..3).prop_map(Step::LiftUser),
        1 => (0_u8..4).prop_map(Step::LiftNetwork),
        3 => (0_u64..1500).prop_map(Step::Wait),
        1 => prop::sample::select(vec![ABANDONED, SMALL.find, SMALL.ban]).prop_map(Step::Wait),
    ]
}

struct Run {
    table: Table,
    model: Model,
    under_way: Vec<(Reservation, Vec<Who>)>,
    now: u64,
}

impl Run {
    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Wait(time) => self.now += time,
            Step::Reserve(login) => self.reserve(&login),
            Step::Settle(which, how) if !self.under_way.is_empty() => {
                let which = which.index(self.under_way.len());
                let (reservation, counters) = self.under_way.swap_remove(which);
                self.table.settle(reservation, how, now);
                self.model.settle(&counters, how, now);
            }
            Step::Touch(which) if !self.under_way.is_empty() => {
                let (reservation, counters) = which.get(&self.under_way);
                self.table.limiter().touch(reservation, now);
                counters.iter().for_each(|who| self.model.counter(*who, now).heard = now);
            }
            Step::LiftUser(user) => {
                self.table.limiter().lift_user(&user.to_string());
                self.lift(Who::User(user));
            }
            Step::LiftNetwork(number) => {
                self.table.limiter().lift_network(network(number.into()));
                self.lift(Who::Network(number));
            }
            Step::Settle(..) | Step::Touch(_) => {}
        }
    }

    fn lift(&mut self, who: Who) {
        let counter = self.model.counters.entry(who).or_default();
        (counter.failures, counter.banned_until) = (Vec::new(), 0);
    }

    fn reserve(&mut self, login: &Login) {
        let now = self.now;
        let counters = self.model.counters_of(login, now);
        let expected = self.model.decide(&counters, now);
        let seen = match login.reserve(&mut self.table, now) {
            Decision::Granted(reservation) => {
                self.model.begin(&counters, now);
                self.under_way.push((reservation, counters));
                Expected::Granted
            }
            Decision::Undecided => Expected::Undecided,
            other @ (Decision::Follow | Decision::Holds | Decision::Fails) => {
                panic!("{other:?} of a credential that nobody has sent before")
            }
            Decision::Limited(limited) => {
                self.retry_after_is_true(login, &counters, limited);
                Expected::Limited(limited.seconds.into())
            }
        };
        assert_eq!(seen, expected, "{login:?} at {now}");
    }

    /// Asks a copy of the table: so long it has to wait and no longer.
    fn retry_after_is_true(&mut self, login: &Login, counters: &[Who], limited: Limited) {
        let left = |who: &Who| self.model.left(*who, self.now);
        let end = self.now + counters.iter().map(left).max().unwrap_or(0);
        let retry = self.now + u64::from(limited.seconds) * 1000;
        let is_limited = |now| {
            let slots = self.table.slots.clone();
            let mut copy = Table { limits: SMALL, slots, places: Vec::new() };
            matches!(login.reserve(&mut copy, now), Decision::Limited(_))
        };
        // Meanwhile a device's ban may end and with it the name's say.
        let by_device = login.device.is_some() && counters.contains(&Who::User(login.user));
        assert!(by_device || is_limited(end - 1), "{limited:?}");
        assert!(!is_limited(retry) && !is_limited(end), "{limited:?}");
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_limiter_agrees_with_a_model_that_has_room_for_everyone(
        // Far more than the subjects and the credentials of the steps: no set ever gets full.
        slots in prop_oneof![Just(1 << 14), Just(1 << 15)],
        steps in prop::collection::vec(any_step(), 0..300),
    ) {
        let table = Table { limits: SMALL, ..Table::of(slots) };
        let mut run = Run { table, model: Model::default(), under_way: Vec::new(), now: NOW };
        steps.into_iter().for_each(|step| run.step(step));
    }

    #[test]
    fn no_order_of_steps_in_no_table_at_no_time_panics_or_bans_for_ever(
        slots in 0_usize..40,
        steps in prop::collection::vec((any_step(), any::<u64>()), 0..100),
    ) {
        let mut table = Table { limits: SMALL, ..Table::of(slots) };
        let mut under_way = Vec::new();
        for (step, now) in steps {
            match step {
                Step::Reserve(login) => match login.reserve(&mut table, now) {
                    Decision::Granted(reservation) => under_way.push(reservation),
                    Decision::Limited(limited) => prop_assert!(limited.seconds <= 2 * 8),
                    _ => {}
                },
                Step::Settle(which, how) if !under_way.is_empty() => {
                    let one = under_way.swap_remove(which.index(under_way.len()));
                    table.settle(one, how, now);
                }
                Step::Touch(which) if !under_way.is_empty() => {
                    table.limiter().touch(which.get(&under_way), now);
                }
                _ => {}
            }
            prop_assert!(table.limiter().bans(now).all(|ban| ban.seconds <= 2 * 8));
            prop_assert!(table.limiter().used() <= slots);
        }
    }
}
