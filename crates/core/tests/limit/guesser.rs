//! J120 as a whole: whoever has networks and unlimited requests learns about a password through what
//! the budgets grant and through nothing else.
//!
//! A guess tells something where a right one would have been answered otherwise at that moment, or
//! where it was checked. Such guesses are counted, each password of a network once within a window.

use super::*;
use crate::cases::cases;
use proptest::prelude::*;
use std::collections::HashSet;

const SMALL: Limits = Limits { retries: 3, find: 10_000, ban: 10_000, user_retries: 6 };
/// Where the scraper is; a guesser may be behind the same address.
const HOME: u32 = 0;
const NETWORKS: u32 = 5;

/// What a client sees at once.
#[derive(Debug, PartialEq)]
enum Seen {
    In,
    Refused,
    Limited(u32),
    /// No answer yet, or 503 where too many wait: that has nothing to do with the password.
    Later,
}

impl From<&Decision> for Seen {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Holds => Self::In,
            Decision::Fails => Self::Refused,
            Decision::Limited(limited) => Self::Limited(limited.seconds),
            Decision::Granted(_) | Decision::Undecided | Decision::Follow => Self::Later,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The scraper comes by.
    Scrape,
    Guess {
        network: u32,
        password: u16,
        by_form: bool,
    },
    /// A check of a guess ends, or could not be made.
    Settle(prop::sample::Index, Settled),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let guess = (0..NETWORKS, any::<u16>(), prop::bool::weighted(0.3));
    let guess =
        guess.prop_map(|(network, password, by_form)| Step::Guess { network, password, by_form });
    let how = prop_oneof![4 => Just(Settled::Failed), 1 => Just(Settled::Unchecked)];
    prop_oneof![
        1 => Just(Step::Scrape),
        20 => guess,
        6 => (any::<prop::sample::Index>(), how).prop_map(|(which, how)| Step::Settle(which, how)),
        1 => (0_u64..1500).prop_map(Step::Wait),
    ]
}

/// What a guesser has learned: when, from which network, that this password is wrong.
type Lesson = (u64, u32, u16);

struct World {
    table: Table,
    under_way: Vec<(Reservation, u32, u16)>,
    learned: Vec<Lesson>,
    /// Whether somebody has guessed by Basic from the scraper's own address.
    is_disturbed: bool,
    now: u64,
}

fn by(network: u32, password: &str, by_form: bool) -> Attempt<'_> {
    let by = if by_form { By::Form { device: None } } else { By::Basic };
    let digest = digest("alice", password);
    Attempt { network: super::network(network), user: "alice", digest, by }
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(time) => self.wait(time),
            Step::Scrape => self.scrape(),
            Step::Guess { network, password, by_form } => self.guess(network, password, by_form),
            Step::Settle(which, how) if !self.under_way.is_empty() => {
                let which = which.index(self.under_way.len());
                let (tried, network, password) = self.under_way.swap_remove(which);
                self.table.settle(tried, how, self.now);
                if how == Settled::Failed {
                    self.learn(network, password);
                }
            }
            Step::Settle(..) => {}
        }
    }

    /// Workers that live say so of their checks.
    fn wait(&mut self, time: u64) {
        self.now += time;
        for (tried, ..) in self.under_way.clone() {
            self.table.limiter_at(self.now).touch(&tried, self.now);
        }
    }

    fn scrape(&mut self) {
        match self.table.reserve(&by(HOME, "right", false), self.now) {
            Decision::Holds => {}
            Decision::Granted(tried) => self.table.settle(tried, Settled::Succeeded, self.now),
            other => assert!(self.is_disturbed, "{other:?}: nobody else can stop the scraper"),
        }
    }

    fn guess(&mut self, network: u32, password: u16, by_form: bool) {
        let right = self.seen_of_the_right_one(network, by_form);
        let text = format!("guess {password}");
        let decision = self.table.reserve(&by(network, &text, by_form), self.now);
        if Seen::from(&decision) != right {
            assert!(decision != Decision::Holds, "a wrong password lets nobody in");
            self.learn(network, password);
        }
        if let Decision::Granted(tried) = decision {
            self.under_way.push((tried, network, password));
        }
        self.is_disturbed |= network == HOME && !by_form;
    }

    /// What a right guess would be answered now. It leaves no trace at a place.
    fn seen_of_the_right_one(&mut self, network: u32, by_form: bool) -> Seen {
        let mut slots = self.table.slots.clone();
        let limiter = self.table.limiter_at(self.now);
        let mut copy = Limiter { slots: &mut slots, ..limiter };
        Seen::from(&copy.reserve(&by(network, "right", by_form), self.now))
    }

    fn learn(&mut self, network: u32, password: u16) {
        let (now, span) = (self.now, SMALL.find.min(SMALL.ban));
        self.learned.retain(|(at, ..)| at + span > now);
        self.learned.push((now, network, password));
        let of = |network| -> HashSet<u16> {
            let here = self.learned.iter().filter(|(_, at, _)| *at == network);
            here.map(|(.., password)| *password).collect()
        };
        // A window of this length may lie over two of the counter's own.
        let budget = 2 * SMALL.retries as usize;
        let place = if network == HOME { budget } else { 0 };
        assert!(of(network).len() <= budget + place, "{} from {network}", of(network).len());
        let abroad: usize = (1..NETWORKS).map(|network| of(network).len()).sum();
        assert!(abroad <= 2 * SMALL.user_retries as usize, "{abroad} from abroad");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn j120_a_guesser_learns_what_the_budgets_grant(
        steps in prop::collection::vec(step(), 0..400),
    ) {
        // Room for everyone: what is pushed out is another matter (F74).
        let table = Table { limits: SMALL, ..Table::of(1 << 14) };
        let (under_way, learned) = (Vec::new(), Vec::new());
        let mut world = World { table, under_way, learned, is_disturbed: false, now: NOW };
        world.scrape();
        steps.into_iter().for_each(|step| world.step(step));
    }
}
