//! Who is next: a fair queue that serves networks in turn, so that one that floods waits for itself
//! alone. Whatever happens in it costs a number of steps that grows with the logarithm of its length.

use crate::network::Network;
use core::hash::Hash;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// By what one that comes is known, for as long as it waits. None is given twice, and later ones are
/// greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket(u64);

impl Ticket {
    /// The next one.
    pub(crate) fn take(next: &mut Self) -> Self {
        let ticket = *next;
        next.0 += 1;
        ticket
    }
}

impl Ord for Ticket {
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(test)]
        steps::count();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ticket {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A fair queue.
#[derive(Debug)]
pub struct FairQueue<N = Network> {
    crowds: HashMap<N, Crowd>,
    /// Who is served when, one turn for each network.
    turns: BTreeMap<Ticket, N>,
    /// The networks by how many wait, and by the newest of them.
    sizes: BTreeMap<(usize, Ticket), N>,
    next_turn: Ticket,
    len: usize,
}

/// Those of one network. It is never empty.
#[derive(Debug)]
struct Crowd {
    turn: Ticket,
    tickets: BTreeSet<Ticket>,
}

impl<N> Default for FairQueue<N> {
    fn default() -> Self {
        Self {
            crowds: HashMap::new(),
            turns: BTreeMap::new(),
            sizes: BTreeMap::new(),
            next_turn: Ticket::default(),
            len: 0,
        }
    }
}

impl<N: Copy + Eq + Hash> FairQueue<N> {
    /// Adds one of `network`: behind those of its network that came before it.
    pub fn push(&mut self, network: N, ticket: Ticket) {
        let crowd = self.crowds.entry(network).or_insert_with(|| {
            let turn = Ticket::take(&mut self.next_turn);
            self.turns.insert(turn, network);
            Crowd { turn, tickets: BTreeSet::new() }
        });
        if let Some(size) = crowd.size() {
            self.sizes.remove(&size);
        }
        self.len += usize::from(crowd.tickets.insert(ticket));
        if let Some(size) = crowd.size() {
            self.sizes.insert(size, network);
        }
    }

    /// Takes the next one: networks in turn, each in the order of arrival.
    pub fn pop(&mut self) -> Option<Ticket> {
        let (_, network) = self.turns.pop_first()?;
        let crowd = self.crowds.get_mut(&network)?;
        crowd.turn = Ticket::take(&mut self.next_turn);
        self.turns.insert(crowd.turn, network);
        let ticket = crowd.tickets.first().copied()?;
        self.remove(network, ticket);
        Some(ticket)
    }

    /// Takes out one that is in the queue. It costs the others of its network no turn.
    pub fn remove(&mut self, network: N, ticket: Ticket) {
        let Some(crowd) = self.crowds.get_mut(&network) else { return };
        if let Some(size) = crowd.size() {
            self.sizes.remove(&size);
        }
        self.len -= usize::from(crowd.tickets.remove(&ticket));
        match crowd.size() {
            Some(size) => {
                self.sizes.insert(size, network);
            }
            None => {
                self.turns.remove(&crowd.turn);
                self.crowds.remove(&network);
            }
        }
    }

    /// How many wait of the network with the most, and its newest one: who makes room for others.
    pub fn largest(&self) -> Option<(usize, Ticket)> {
        self.sizes.last_key_value().map(|(largest, _)| *largest)
    }

    /// All of them, in the order in which they would be taken.
    pub fn in_turn(&self) -> Vec<Ticket> {
        let crowds = self.turns.values().filter_map(|network| self.crowds.get(network));
        let mut crowds: Vec<_> = crowds.map(|crowd| crowd.tickets.iter()).collect();
        let mut order = Vec::with_capacity(self.len);
        while !crowds.is_empty() {
            crowds.retain_mut(|tickets| tickets.next().map(|ticket| order.push(*ticket)).is_some());
        }
        order
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Crowd {
    fn size(&self) -> Option<(usize, Ticket)> {
        Some((self.tickets.len(), *self.tickets.last()?))
    }
}

/// What tests count: comparisons of tickets, of which everything here is made.
#[cfg(test)]
pub(crate) mod steps {
    use std::cell::Cell;

    thread_local!(static STEPS: Cell<usize> = const { Cell::new(0) });

    pub(crate) fn count() {
        STEPS.set(STEPS.get() + 1);
    }

    /// The steps that `act` takes.
    pub(crate) fn of<R>(act: impl FnOnce() -> R) -> (usize, R) {
        let before = STEPS.get();
        let result = act();
        (STEPS.get() - before, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Network = Network::V4([192, 0, 2, 1]);
    const OTHER: Network = Network::V4([192, 0, 2, 2]);

    fn queue_of(tickets: impl IntoIterator<Item = (Network, u64)>) -> FairQueue {
        let mut queue = FairQueue::default();
        tickets.into_iter().for_each(|(network, ticket)| queue.push(network, Ticket(ticket)));
        queue
    }

    fn served(mut queue: FairQueue) -> Vec<u64> {
        let foreseen = queue.in_turn();
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(foreseen, served);
        assert!(queue.crowds.is_empty() && queue.turns.is_empty() && queue.sizes.is_empty());
        served.into_iter().map(|ticket| ticket.0).collect()
    }

    #[test]
    fn later_tickets_are_greater() {
        let mut next = Ticket::default();
        let (first, second) = (Ticket::take(&mut next), Ticket::take(&mut next));
        assert!(first < second);
    }

    #[test]
    fn one_network_is_served_in_order() {
        assert_eq!(served(queue_of((0..5).map(|ticket| (FLOOD, ticket)))), [0, 1, 2, 3, 4]);
        let comes_back = [4, 2, 3].map(|ticket| (FLOOD, ticket));
        assert_eq!(served(queue_of(comes_back)), [2, 3, 4], "who came before keeps its place");
    }

    #[test]
    fn e62_a_flood_does_not_starve_another_network() {
        let mut queue = queue_of((0..64).map(|ticket| (FLOOD, ticket)));
        assert_eq!(queue.largest().map(|(_, newest)| newest), Some(Ticket(63)));
        queue.push(OTHER, Ticket(1000));
        assert_eq!(
            queue.largest().map(|(_, newest)| newest),
            Some(Ticket(63)),
            "the flood makes room"
        );
        assert_eq!(served(queue).iter().position(|ticket| *ticket == 1000), Some(1));
    }

    #[test]
    fn e62_who_comes_again_and_again_does_not_starve_another_network() {
        let mut queue = queue_of([(FLOOD, 0), (OTHER, 1), (OTHER, 2)]);
        let mut taken = Vec::new();
        for ticket in 3..7 {
            taken.extend(queue.pop().map(|ticket| ticket.0));
            queue.push(FLOOD, Ticket(ticket));
        }
        assert_eq!(taken, [0, 1, 3, 2]);
    }

    #[test]
    fn of_equal_crowds_the_newest_makes_room() {
        let mut queue = queue_of([(FLOOD, 0), (OTHER, 1)]);
        assert_eq!(queue.largest().map(|(_, newest)| newest), Some(Ticket(1)));
        queue.remove(OTHER, Ticket(1));
        assert_eq!(queue.largest().map(|(_, newest)| newest), Some(Ticket(0)));
        queue.remove(FLOOD, Ticket(0));
        assert_eq!(queue.largest().map(|(_, newest)| newest), None);
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn e62_who_leaves_costs_the_network_no_turn() {
        let first = (0..4).map(|ticket| (OTHER, ticket));
        let mut queue = queue_of(first.chain((100..102).map(|ticket| (FLOOD, ticket))));
        queue.remove(OTHER, Ticket(0));
        queue.remove(OTHER, Ticket(1));
        assert_eq!(served(queue), [2, 100, 3, 101]);
    }

    #[test]
    fn what_has_gone_is_not_served() {
        let mut queue = queue_of((0..3).map(|ticket| (FLOOD, ticket)));
        assert_eq!((queue.len(), queue.is_empty()), (3, false));
        queue.remove(FLOOD, Ticket(1));
        assert_eq!(queue.len(), 2);
        queue.remove(FLOOD, Ticket(1));
        queue.remove(OTHER, Ticket(0));
        assert_eq!((queue.len(), queue.in_turn().len()), (2, 2));
        assert_eq!(served(queue), [0, 2]);
    }

    /// The steps of the dearest of many acts.
    fn dearest(acts: impl Iterator<Item = usize>) -> usize {
        acts.max().unwrap_or(0)
    }

    #[test]
    fn j130_a_long_queue_costs_each_few_steps() {
        const MANY: u64 = 100_000;
        // One network with all of them, and as many networks.
        for networks in [1, MANY] {
            let member = |ticket| (ticket % networks, Ticket(ticket));
            let mut queue = FairQueue::<u64>::default();
            let push = |ticket| steps::of(|| queue.push(member(ticket).0, Ticket(ticket))).0;
            assert!(dearest((0..MANY).map(push)) < 200);
            // From the middle to both ends.
            let leave = |place: u64| {
                let ticket = if place.is_multiple_of(2) {
                    MANY / 2 + place / 2
                } else {
                    MANY / 2 - 1 - place / 2
                };
                let (network, ticket) = member(ticket);
                steps::of(|| queue.remove(network, ticket)).0
            };
            assert!(dearest((0..MANY / 2).map(leave)) < 200);
            assert_eq!(queue.len() as u64, MANY / 2);
            let pop = |_| steps::of(|| queue.pop()).0;
            assert!(dearest((0..MANY / 2).map(pop)) < 200);
            assert!(queue.is_empty());
        }
    }
}
