//! Who is next: a bounded queue that serves networks in turn, so that one that floods waits for
//! itself alone.

use crate::network::Network;

/// A bounded, fair queue.
#[derive(Debug)]
pub struct FairQueue<T> {
    waiting: Vec<Entry<T>>,
    turn: u64,
    arrivals: u64,
}

#[derive(Debug)]
struct Entry<T> {
    network: Network,
    turn: u64,
    arrival: u64,
    item: T,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), turn: 0, arrivals: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Adds an item of `network`. Over `limit` the last item of the network with the most waiting
    /// is given back instead: the new one itself, unless its network has fewer.
    pub fn push(&mut self, network: Network, item: T, limit: usize) -> Option<T> {
        let turn = self.turn + 1 + self.waiting_of(network) as u64;
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.waiting.push(Entry { network, turn, arrival, item });
        if self.waiting.len() <= limit {
            return None;
        }
        // The highest turn belongs to the network with the most waiting; the newest of those goes.
        let last = |(_, entry): &(usize, &Entry<T>)| (entry.turn, entry.arrival);
        let index = self.waiting.iter().enumerate().max_by_key(last)?.0;
        Some(self.waiting.swap_remove(index).item)
    }

    /// The next item: networks in turn, each in the order of arrival.
    pub fn pop(&mut self) -> Option<T> {
        let first = |(_, entry): &(usize, &Entry<T>)| (entry.turn, entry.arrival);
        let index = self.waiting.iter().enumerate().min_by_key(first)?.0;
        let entry = self.waiting.swap_remove(index);
        self.turn = entry.turn;
        Some(entry.item)
    }

    /// Takes out what `is` names.
    pub fn remove(&mut self, is: impl Fn(&T) -> bool) -> Option<T> {
        let index = self.waiting.iter().position(|entry| is(&entry.item))?;
        let gone = self.waiting.swap_remove(index);
        // Those of its network move up: a client that leaves costs the others no turn.
        let behind =
            |entry: &&mut Entry<T>| entry.network == gone.network && entry.turn > gone.turn;
        self.waiting.iter_mut().filter(behind).for_each(|entry| entry.turn -= 1);
        Some(gone.item)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn waiting_of(&self, network: Network) -> usize {
        self.waiting.iter().filter(|entry| entry.network == network).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Network = Network::V4([192, 0, 2, 1]);
    const OTHER: Network = Network::V4([192, 0, 2, 2]);

    #[test]
    fn one_network_is_served_in_order() {
        let mut queue = FairQueue::default();
        for item in 0..5 {
            assert_eq!(queue.push(FLOOD, item, 8), None);
        }
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn e62_a_flood_does_not_starve_another_network() {
        let mut queue = FairQueue::default();
        for item in 0..64 {
            assert_eq!(queue.push(FLOOD, item, 64), None);
        }
        assert_eq!(queue.push(FLOOD, 64, 64), Some(64), "the flood's own newest is turned away");
        assert_eq!(queue.push(OTHER, 1000, 64), Some(63), "the flood makes room");
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).take(2).collect();
        assert!(served.contains(&1000), "{served:?}");
    }

    #[test]
    fn a_queue_without_room_gives_back_what_comes() {
        let mut queue = FairQueue::default();
        assert_eq!(queue.push(FLOOD, 1, 0), Some(1));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn e62_who_leaves_costs_the_network_no_turn() {
        let mut queue = FairQueue::default();
        for item in 0..4 {
            queue.push(OTHER, item, 8);
        }
        for item in 100..102 {
            queue.push(FLOOD, item, 8);
        }
        queue.remove(|item| *item < 1);
        queue.remove(|item| *item == 1);
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, [2, 100, 3, 101]);
    }

    #[test]
    fn what_has_gone_is_not_served() {
        let mut queue = FairQueue::default();
        for item in 0..3 {
            queue.push(FLOOD, item, 8);
        }
        assert_eq!((queue.len(), queue.is_empty()), (3, false));
        assert_eq!(queue.remove(|item| *item == 1), Some(1));
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.remove(|item| *item == 1), None);
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [0, 2]);
        assert_eq!((queue.len(), queue.is_empty()), (0, true));
    }
}
