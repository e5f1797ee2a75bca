//! Which of those that want a password checked is next: so many run, so many wait, and some wait for
//! a decision of the limiter or for the check of an equal credential.
//!
//! It knows nothing of what runs. Whoever waits is known by a ticket, from whatever place it leaves.

use crate::limit::Digest;
use crate::network::Network;
use crate::queue::{FairQueue, Ticket};
use core::hash::Hash;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Who waits where, and how many run.
#[derive(Debug)]
pub struct Scheduler<T, N = Network, C = (Network, Digest)> {
    limits: Limits,
    next_ticket: Ticket,
    running: usize,
    entries: BTreeMap<Ticket, Entry<T, N, C>>,
    /// Those that run in their turn.
    waiting: FairQueue<N>,
    /// Those that the limiter has not granted a try yet.
    undecided: FairQueue<N>,
    /// Those that wait for the check of an equal credential. They cost a connection each and no check,
    /// so that no bound but nginx's own holds for them.
    followers: HashMap<C, BTreeSet<Ticket>>,
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// That run at once.
    pub running: usize,
    /// That wait for a turn or a decision.
    pub waiting: usize,
}

#[derive(Debug)]
struct Entry<T, N, C> {
    item: T,
    place: Place<N, C>,
}

#[derive(Debug, Clone, Copy)]
enum Place<N, C> {
    Waiting(N),
    Undecided(N),
    Follows(C),
}

impl<T, N: Copy + Eq + Hash, C: Copy + Eq + Hash> Scheduler<T, N, C> {
    /// A scheduler with nothing to do.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_ticket: Ticket::default(),
            running: 0,
            entries: BTreeMap::new(),
            waiting: FairQueue::default(),
            undecided: FairQueue::default(),
            followers: HashMap::new(),
        }
    }

    /// A ticket for one that comes.
    pub fn ticket(&mut self) -> Ticket {
        Ticket::take(&mut self.next_ticket)
    }

    /// Whether one more may run now.
    pub fn has_room(&self) -> bool {
        self.running < self.limits.running
    }

    /// One more runs.
    pub fn has_begun(&mut self) {
        self.running += 1;
    }

    /// One that ran has ended.
    pub fn has_ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Has one wait for its turn. Gives back what has to make room for it: the newest of the network
    /// with the most waiting, perhaps itself.
    pub fn wait(&mut self, ticket: Ticket, network: N, item: T) -> Option<(Ticket, T)> {
        self.entries.insert(ticket, Entry { item, place: Place::Waiting(network) });
        self.waiting.push(network, ticket);
        self.make_room()
    }

    /// Has one wait for a decision, in the same way.
    pub fn defer(&mut self, ticket: Ticket, network: N, item: T) -> Option<(Ticket, T)> {
        self.entries.insert(ticket, Entry { item, place: Place::Undecided(network) });
        self.undecided.push(network, ticket);
        self.make_room()
    }

    /// Where more wait than may, takes out the newest one of the largest crowd, in whichever queue.
    fn make_room(&mut self) -> Option<(Ticket, T)> {
        let largest =
            || [self.waiting.largest(), self.undecided.largest()].into_iter().flatten().max();
        let (_, out) = self.is_over().then(largest).flatten()?;
        Some((out, self.leave(out)?))
    }

    /// Has one wait for the check of an equal credential.
    pub fn follow(&mut self, ticket: Ticket, credential: C, item: T) {
        self.entries.insert(ticket, Entry { item, place: Place::Follows(credential) });
        self.followers.entry(credential).or_default().insert(ticket);
    }

    /// Takes the one whose turn it is, if it may run now.
    pub fn take_next(&mut self) -> Option<(Ticket, T)> {
        let ticket = self.has_room().then(|| self.waiting.pop()).flatten()?;
        Some((ticket, self.entries.remove(&ticket)?.item))
    }

    /// Takes out one that waits, wherever. `None` where it does not.
    pub fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let Entry { item, place } = self.entries.remove(&ticket)?;
        match place {
            Place::Waiting(network) => self.waiting.remove(network, ticket),
            Place::Undecided(network) => self.undecided.remove(network, ticket),
            Place::Follows(credential) => self.unfollow(credential, ticket),
        }
        Some(item)
    }

    fn unfollow(&mut self, credential: C, ticket: Ticket) {
        let Some(tickets) = self.followers.get_mut(&credential) else { return };
        tickets.remove(&ticket);
        if tickets.is_empty() {
            self.followers.remove(&credential);
        }
    }

    /// Takes all that wait, wherever.
    pub fn take_all(&mut self) -> Vec<T> {
        (self.waiting, self.undecided) = (FairQueue::default(), FairQueue::default());
        self.followers.clear();
        std::mem::take(&mut self.entries).into_values().map(|entry| entry.item).collect()
    }

    /// Those that wait for a decision, in the order in which they are to be asked about again.
    pub fn undecided(&self) -> Vec<Ticket> {
        self.undecided.in_turn()
    }

    /// The credentials whose check somebody waits for.
    pub fn followed(&self) -> Vec<C> {
        self.followers.keys().copied().collect()
    }

    /// The first of those that wait for the check of this credential.
    pub fn first_follower(&self, credential: C) -> Option<Ticket> {
        self.followers.get(&credential)?.first().copied()
    }

    /// Whether this one waits for the check of an equal credential.
    pub fn is_follower(&self, ticket: Ticket) -> bool {
        self.entries.get(&ticket).is_some_and(|entry| matches!(entry.place, Place::Follows(_)))
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many wait for a turn or a decision.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.undecided.len()
    }

    /// Whether nobody waits, for whatever.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    fn is_over(&self) -> bool {
        self.waiting() > self.limits.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::steps;

    const FLOOD: u8 = 1;
    const OTHER: u8 = 2;

    type Letters = Scheduler<char, u8, u8>;

    fn scheduler(running: usize, waiting: usize) -> Letters {
        Scheduler::new(Limits { running, waiting })
    }

    /// Has these wait for their turn; who had to make room.
    fn wait(scheduler: &mut Letters, network: u8, items: &str) -> String {
        let mut put = |item| {
            let ticket = scheduler.ticket();
            scheduler.wait(ticket, network, item).map(|(_, item)| item)
        };
        items.chars().filter_map(&mut put).collect()
    }

    /// Runs what may run.
    fn run(scheduler: &mut Letters) -> String {
        let next = || {
            let (_, item) = scheduler.take_next()?;
            scheduler.has_begun();
            Some(item)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn so_many_run_and_the_others_in_their_turn() {
        let mut scheduler = scheduler(2, 8);
        wait(&mut scheduler, FLOOD, "abcd");
        wait(&mut scheduler, OTHER, "x");
        assert_eq!(run(&mut scheduler), "ax");
        assert_eq!((scheduler.running(), scheduler.waiting(), scheduler.has_room()), (2, 3, false));
        scheduler.has_ended();
        assert_eq!(run(&mut scheduler), "b");
        scheduler.has_ended();
        scheduler.has_ended();
        assert_eq!(run(&mut scheduler), "cd");
        assert!(scheduler.is_idle());
    }

    #[test]
    fn e60_over_the_limit_somebody_makes_room() {
        let mut scheduler = scheduler(1, 3);
        assert_eq!(wait(&mut scheduler, FLOOD, "abcd"), "d", "the newest of the flood is itself");
        assert_eq!(wait(&mut scheduler, OTHER, "x"), "c", "the newest of the flood");
        assert_eq!(scheduler.waiting(), 3);
        let ticket = scheduler.ticket();
        let displaced = scheduler.defer(ticket, OTHER, 'u').map(|(_, item)| item);
        assert_eq!(displaced, Some('b'), "both count together, and the largest crowd makes room");
        assert!(!scheduler.is_follower(ticket));
        assert_eq!(run(&mut scheduler), "a");
        assert_eq!(scheduler.undecided(), [ticket]);
    }

    #[test]
    fn e62_a_crowd_that_waits_for_a_decision_makes_room_for_who_waits_for_a_turn() {
        let mut scheduler = scheduler(1, 4);
        for item in "abcd".chars() {
            let ticket = scheduler.ticket();
            assert_eq!(scheduler.defer(ticket, FLOOD, item), None);
        }
        assert_eq!(wait(&mut scheduler, OTHER, "x"), "d");
        assert_eq!(scheduler.waiting(), 4);
    }

    #[test]
    fn without_room_to_wait_nobody_waits() {
        let mut scheduler = scheduler(1, 0);
        assert_eq!(wait(&mut scheduler, FLOOD, "a"), "a");
        assert!(scheduler.is_idle());
    }

    #[test]
    fn who_leaves_is_nowhere_any_more() {
        let mut scheduler = scheduler(1, 8);
        let [waits, defers, follows] = [(); 3].map(|()| scheduler.ticket());
        scheduler.wait(waits, FLOOD, 'w');
        scheduler.defer(defers, FLOOD, 'd');
        scheduler.follow(follows, 7, 'f');
        assert!(scheduler.is_follower(follows) && !scheduler.is_follower(waits));
        assert_eq!((scheduler.followed(), scheduler.first_follower(7)), (vec![7], Some(follows)));
        assert_eq!(scheduler.leave(waits), Some('w'));
        assert_eq!(scheduler.leave(waits), None);
        assert_eq!(scheduler.leave(defers), Some('d'));
        assert_eq!(scheduler.leave(follows), Some('f'));
        assert!(scheduler.is_idle() && scheduler.take_next().is_none());
        assert!(scheduler.undecided().is_empty() && scheduler.followed().is_empty());
    }

    #[test]
    fn all_leave_at_once() {
        let mut scheduler = scheduler(1, 8);
        let [defers, follows] = [(); 2].map(|()| scheduler.ticket());
        scheduler.defer(defers, FLOOD, 'd');
        scheduler.follow(follows, 7, 'f');
        wait(&mut scheduler, OTHER, "w");
        assert_eq!(scheduler.take_all(), ['d', 'f', 'w']);
        assert!(scheduler.is_idle() && scheduler.take_next().is_none());
        assert_eq!(
            (scheduler.waiting(), scheduler.undecided(), scheduler.followed()),
            (0, vec![], vec![])
        );
    }

    #[test]
    fn followers_are_no_part_of_the_limit() {
        let mut scheduler = scheduler(1, 1);
        let them = [(); 5].map(|()| scheduler.ticket());
        them.iter().for_each(|ticket| scheduler.follow(*ticket, 7, 'f'));
        assert_eq!(scheduler.first_follower(7), them.first().copied());
        assert_eq!((scheduler.waiting(), scheduler.is_idle()), (0, false));
        assert_eq!(wait(&mut scheduler, FLOOD, "ab"), "b");
    }

    #[test]
    fn j130_many_that_wait_for_one_credential_leave_and_are_woken_in_few_steps() {
        const MANY: usize = 100_000;
        let mut scheduler: Letters = scheduler(1, 1);
        let mut follow = || {
            let ticket = scheduler.ticket();
            (steps::of(|| scheduler.follow(ticket, 7, 'f')).0, ticket)
        };
        let (costs, them): (Vec<_>, Vec<_>) = (0..MANY).map(|_| follow()).unzip();
        assert!(costs.into_iter().max() < Some(200));
        let mut leave = |ticket: &Ticket| steps::of(|| scheduler.leave(*ticket)).0;
        let middle = them.get(MANY / 4..MANY / 2).unwrap_or_default();
        assert!(middle.iter().map(&mut leave).max() < Some(200), "from the front");
        let rest = them.get(MANY / 2..).unwrap_or_default();
        assert!(rest.iter().rev().map(&mut leave).max() < Some(200), "from the back");
        let mut wake = || {
            let ticket = scheduler.first_follower(7)?;
            scheduler.leave(ticket)
        };
        let costs: Vec<_> = (0..MANY / 4).map(|_| steps::of(&mut wake).0).collect();
        assert!(costs.into_iter().max() < Some(200), "woken");
        assert!(scheduler.is_idle());
    }
}
