//! Ended sessions against a model that remembers all: whatever happens, what has ended stays so.
#![allow(clippy::indexing_slicing, reason = "a test stops where it is wrong")]

mod cases;
mod support;

use authgate_core::ended::{KEPT_BEYOND_END, MADE_AHEAD};
use authgate_core::journal::{Record, UserTag, decode_all};
use authgate_core::token::{MAX_SKEW, SessionId};
use cases::cases;
use proptest::prelude::*;
use support::table::{Table, crowded, part_of, spread};
use support::{MAX, NOW, ended};

const DAY: u64 = 24 * 3600;

#[derive(Debug, Clone)]
enum Step {
    /// A session begins; it ends at once if so.
    Begin {
        user: u64,
        life: u64,
        ends: bool,
    },
    /// Another node, whose clock is ahead, makes a token.
    BeginElsewhere {
        user: u64,
        ahead: u64,
        is_api: bool,
    },
    /// What has begun ends: by sign-out, or named by an operator.
    End {
        which: usize,
        named: bool,
    },
    /// An operator names something.
    Name,
    EndUser {
        user: u64,
        ahead: u64,
    },
    EndPart {
        part: u32,
        of: u32,
        life: u64,
    },
    /// The users' sessions end because of an edit, those of `users` or of so many names besides.
    EndChanged {
        users: u64,
        others: u64,
    },
    EndUsers {
        part: u32,
        of: u32,
        ago: u64,
    },
    EndEveryone {
        ago: u64,
    },
    Wait {
        seconds: u64,
    },
    /// The clock steps back.
    GoBack {
        seconds: u64,
    },
    Restart {
        slots: usize,
        buckets: usize,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let user = 0..12_u64;
    prop_oneof![
        60 => (user.clone(), 1..MAX, prop::bool::weighted(0.8))
            .prop_map(|(user, life, ends)| Step::Begin { user, life, ends }),
        10 => (user.clone(), 0..=MADE_AHEAD, any::<bool>())
            .prop_map(|(user, ahead, is_api)| Step::BeginElsewhere { user, ahead, is_api }),
        20 => (any::<usize>(), any::<bool>()).prop_map(|(which, named)| Step::End { which, named }),
        15 => Just(Step::Name),
        5 => (user, 0..200_u64).prop_map(|(user, ahead)| Step::EndUser { user, ahead }),
        1 => (1..40_u32, any::<u32>(), 1..MAX)
            .prop_map(|(of, part, life)| Step::EndPart { part: part % of, of, life }),
        3 => (1..4_u64, prop_oneof![9 => 0..40_u64, 1 => 4090..4100_u64])
            .prop_map(|(users, others)| Step::EndChanged { users, others }),
        1 => (1..40_u32, any::<u32>(), 0..9000_u64)
            .prop_map(|(of, part, ago)| Step::EndUsers { part: part % of, of, ago }),
        1 => (0..9000_u64).prop_map(|ago| Step::EndEveryone { ago }),
        10 => prop_oneof![3 => 0..1000_u64, 1 => 0..2 * MAX, 1 => 0..DAY * 500]
            .prop_map(|seconds| Step::Wait { seconds }),
        3 => (0..KEPT_BEYOND_END).prop_map(|seconds| Step::GoBack { seconds }),
        3 => (any_slots(), any_buckets())
            .prop_map(|(slots, buckets)| Step::Restart { slots, buckets }),
    ]
}

fn any_slots() -> impl Strategy<Value = usize> {
    prop_oneof![0_usize..10, Just(16), Just(33), Just(100), Just(300)]
}

fn any_buckets() -> impl Strategy<Value = usize> {
    prop_oneof![0_usize..4, Just(16), Just(1000)]
}

/// A token that was made.
#[derive(Debug, Clone)]
struct Token {
    id: SessionId,
    user: String,
    issued_at: u64,
    ends_at: u64,
    is_api: bool,
    has_ended: bool,
}

struct World {
    table: Table,
    id: fn(u64) -> SessionId,
    tokens: Vec<Token>,
    /// How many tokens there were ever.
    made: u64,
    now: u64,
    latest: u64,
    /// No token that this node has made or heard of says that it was made later.
    made_until: u64,
}

impl World {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Begin { user, life, ends } => {
                self.begin(user, life);
                if ends {
                    self.end(self.tokens.len() - 1, false);
                }
            }
            Step::BeginElsewhere { user, ahead, is_api } => {
                let issued_at = self.now + ahead;
                self.make(Token { is_api, ..self.token(user, issued_at, issued_at + MAX) });
            }
            Step::End { which, named } if !self.tokens.is_empty() => {
                self.end(which % self.tokens.len(), named);
            }
            Step::End { .. } => {}
            Step::Name => {
                self.make(Token { is_api: true, ..self.token(0, self.now, self.now + MAX) });
                self.end(self.tokens.len() - 1, true);
            }
            Step::EndUser { user, ahead } => self.end_user(&format!("user{user}"), ahead),
            Step::EndPart { part, of, life } => self.end_part(part, of, self.now + life),
            Step::EndChanged { users, others } => self.end_changed(users, others),
            Step::EndUsers { part, of, ago } => {
                let issued_until = self.now - ago;
                self.table.apply(Record::Users { part, of, issued_until }, self.now);
                let is_in = |token: &Token| part_of(&token.user, of.into()) == u64::from(part);
                self.mark(|it| !it.is_api && is_in(it) && it.issued_at <= issued_until);
            }
            Step::EndEveryone { ago } => {
                let issued_until = self.now - ago;
                self.table.apply(Record::Everyone { issued_until }, self.now);
                self.mark(|token| token.issued_at <= issued_until);
            }
            Step::Wait { seconds } => self.set_clock(self.now + seconds),
            // Not further than the hour that is promised, and the table has seen the time.
            Step::GoBack { seconds } => {
                self.table.apply(Record::Everyone { issued_until: 0 }, self.now);
                let least = self.latest - KEPT_BEYOND_END + 1;
                self.set_clock((self.now - seconds).max(least));
            }
            Step::Restart { slots, buckets } => self.restart(slots, buckets),
        }
    }

    fn token(&self, user: u64, issued_at: u64, ends_at: u64) -> Token {
        let (id, user) = ((self.id)(self.made), format!("user{user}"));
        Token { id, user, issued_at, ends_at, is_api: false, has_ended: false }
    }

    /// A sign-in here. Never makes what counts as ended, nor what holds only later: unless clocks or
    /// operators were ahead, or sessions between two ends of everyone.
    fn begin(&mut self, user: u64, life: u64) {
        let earliest = self.table.ended().earliest(&format!("user{user}"));
        let ends_at = (self.now + life).max(earliest.ends_at);
        let token = self.token(user, self.now.max(earliest.issued_at), ends_at);
        self.table.ended().may_be_made_until(token.issued_at);
        assert!(!self.holds(&token), "{token:?} {earliest:?}");
        let latest = self.made_until.max(self.latest + MADE_AHEAD) + 1;
        assert!(token.issued_at <= latest, "{token:?} {earliest:?} {latest}");
        self.made_until = self.made_until.max(token.issued_at);
        self.make(token);
    }

    fn make(&mut self, token: Token) {
        self.made += 1;
        self.tokens.push(token);
    }

    fn end(&mut self, which: usize, named: bool) {
        let token = &mut self.tokens[which];
        token.has_ended = true;
        let record = if named || token.is_api {
            Record::Token { id: token.id, keep_until: token.ends_at }
        } else {
            ended(token.id, &token.user, token.ends_at)
        };
        self.table.apply(record, self.now);
    }

    fn end_user(&mut self, user: &str, ahead: u64) {
        let issued_until = self.now + ahead;
        self.made_until = self.made_until.max(issued_until + 1);
        self.table.apply(Record::User { user: UserTag::of(user), issued_until }, self.now);
        self.mark(|token| !token.is_api && token.user == user && token.issued_at <= issued_until);
    }

    /// All that was made here up to now ends, and what this table has put off.
    fn end_changed(&mut self, users: u64, others: u64) {
        let names = (0..users).map(|user| format!("user{user}"));
        let names: Vec<_> = names.chain((0..others).map(|n| format!("other{n}"))).collect();
        let tags: Vec<_> = names.iter().map(|name| UserTag::of(name)).collect();
        let made: Vec<_> =
            names.iter().map(|name| self.table.ended().earliest(name).issued_at).collect();
        let records = self.table.ended().ends_of(&tags, self.now);
        records.iter().for_each(|record| self.table.apply(*record, self.now));
        let latest = self.now + MAX_SKEW - 1;
        for (name, made) in names.iter().zip(made) {
            let until = made.max(self.now).min(latest);
            self.made_until = self.made_until.max(until + 1);
            self.mark(|it| !it.is_api && it.user == *name && it.issued_at <= until);
        }
    }

    fn end_part(&mut self, part: u32, of: u32, ends_until: u64) {
        self.table.apply(Record::Part { part, of, ends_until }, self.now);
        let is_in = |token: &Token| part_of(&token.user, of.into()) == u64::from(part);
        self.mark(|token| !token.is_api && is_in(token) && token.ends_at <= ends_until);
    }

    fn mark(&mut self, has_ended: impl Fn(&Token) -> bool) {
        self.tokens.iter_mut().for_each(|token| token.has_ended |= has_ended(token));
    }

    fn set_clock(&mut self, now: u64) {
        self.now = now;
        self.latest = self.latest.max(now);
        // What is past its end is refused without any list.
        self.tokens.retain(|token| token.ends_at + KEPT_BEYOND_END > now);
    }

    /// All that is known goes through a file into another table. By then the clock is right.
    fn restart(&mut self, slots: usize, buckets: usize) {
        self.set_clock(self.latest);
        let records = self.table.ended().records(self.now);
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        assert_eq!(decode_all(&bytes), (records, 0));
        // Where all have ended, sessions may have been made since: it is not known which.
        let after_everyone = self.table.ended().earliest("nobody").issued_at;
        self.made_until = self.made_until.max(after_everyone);
        self.table = self.table.restored(slots, buckets, self.now);
    }

    fn holds(&self, token: &Token) -> bool {
        let (ended, Token { id, user, issued_at, ends_at, .. }) = (self.table.ended(), token);
        match token.is_api {
            true => ended.api_token_has_ended(*id, *issued_at),
            false => ended.session_has_ended(*id, user, *issued_at, *ends_at),
        }
    }

    /// No matter what the table has to say of its user, or of everyone.
    fn is_beyond_suspicion(&self, token: &Token) -> bool {
        let user = if token.is_api { "nobody" } else { &token.user };
        let earliest = self.table.ended().earliest(user);
        let by_end = token.is_api || token.ends_at >= earliest.ends_at;
        token.issued_at >= earliest.issued_at && by_end
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for token in &self.tokens {
            if token.has_ended && self.now < token.ends_at {
                prop_assert!(self.holds(token), "forgotten: {token:?} at {}", self.now);
            }
            if !token.has_ended && self.is_beyond_suspicion(token) {
                prop_assert!(!self.holds(token), "innocent: {token:?} at {}", self.now);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a23_a26_i112_nothing_that_has_ended_comes_back(
        (slots, buckets) in (any_slots(), any_buckets()),
        steps in proptest::collection::vec(any_step(), 0..250),
        is_spread in any::<bool>(),
    ) {
        let id = if is_spread { spread } else { crowded };
        let (table, tokens) = (Table::of(slots, buckets), Vec::new());
        let mut world = World { table, id, tokens, made: 1, now: NOW, latest: NOW, made_until: NOW };
        for step in steps {
            world.step(&step);
            world.check()?;
        }
    }
}
