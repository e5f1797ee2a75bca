//! What tells an account from what it was before: a keyed hash of each, by which two sets of users
//! are compared, those of two files or those of now and of before a restart.

use super::{User, Users};
use crate::ended::NAMED_AT_ONCE;
use crate::journal::UserTag;
use core::fmt;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;
use zeroize::Zeroizing;

/// The generations of all users, in the order of their tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generations(pub(super) Vec<(UserTag, u64)>);

/// The key of the hashes. Two sets that are compared have the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GenerationKey(pub(crate) Zeroizing<[u8; 16]>);

impl fmt::Debug for GenerationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GenerationKey")
    }
}

impl Generations {
    /// Those of these users.
    pub fn of(users: &Users, key: &GenerationKey) -> Self {
        let of = |(name, user)| (UserTag::of(name), key.generation(name, user));
        Self::sorted(users.iter().map(of).collect())
    }

    pub(super) fn sorted(mut all: Vec<(UserTag, u64)>) -> Self {
        all.sort_unstable_by_key(|&(UserTag(tag), generation)| (tag, generation));
        Self(all)
    }

    /// Whose sessions of before end when `new` come: those who are other ones now, gone, or new, in
    /// the order of their tags. A new one should have none; but whoever was there before, and went
    /// unseen, is new as well. So many new ones that they could not be named one by one are left out:
    /// others would have to sign in again for them.
    pub fn changed(&self, new: &Self) -> Vec<UserTag> {
        let mut changed = self.others_in(new);
        let known =
            |tag: &UserTag| self.0.binary_search_by_key(&tag.0, |(known, _)| known.0).is_ok();
        let mut added: Vec<UserTag> = new.0.iter().map(|(tag, _)| *tag).collect();
        added.retain(|tag| !known(tag));
        added.dedup();
        if changed.len() + added.len() <= NAMED_AT_ONCE {
            changed.append(&mut added);
            changed.sort_unstable_by_key(|tag| tag.0);
        }
        changed
    }

    /// Those who are other ones among the new, or gone. Each once.
    fn others_in(&self, new: &Self) -> Vec<UserTag> {
        let mut rest = new.0.as_slice();
        let mut changed = Vec::new();
        // Two names of one tag are as one user: when either changes, so do both.
        for old in self.0.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((tag, _)) = old.first() else { continue };
            let from = rest.partition_point(|(other, _)| other.0 < tag.0);
            rest = rest.get(from..).unwrap_or_default();
            let same = rest.partition_point(|(other, _)| other == tag);
            if rest.get(..same) != Some(old) {
                changed.push(*tag);
            }
        }
        changed
    }
}

impl GenerationKey {
    /// What an account is, groups left out. Fields carry their length, so that no two accounts run
    /// into the same bytes.
    fn generation(&self, name: &str, user: &User) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for field in [name, user.hash.as_str()] {
            hasher.write(&(field.len() as u64).to_le_bytes());
            hasher.write(field.as_bytes());
        }
        hasher.write(&[u8::from(user.disabled)]);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "{PLAIN}a";
    const B: &str = "{PLAIN}b";

    fn key() -> GenerationKey {
        GenerationKey(Zeroizing::new(*b"0123456789abcdef"))
    }

    fn generations(text: &str) -> Generations {
        Generations::of(&Users::parse(text.as_bytes(), true).unwrap(), &key())
    }

    fn changed(old: &str, new: &str) -> Vec<UserTag> {
        generations(old).changed(&generations(new))
    }

    fn tags(names: &[&str]) -> Vec<UserTag> {
        let mut tags: Vec<_> = names.iter().map(|name| UserTag::of(name)).collect();
        tags.sort_unstable_by_key(|tag| tag.0);
        tags
    }

    #[test]
    fn j123_whoever_is_gone_or_another_one_has_changed() {
        let all = format!("alice:{A}\nbob:{A}\ncarol:{A}\n");
        for (new, expected) in [
            (format!("alice:{A}\nbob:{A}\ncarol:{A}\n"), &[][..]),
            (format!("alice:{A}\ncarol:{A}\n"), &["bob"]),
            (format!("alice:{A}\nbob:{B}\ncarol:{A}\n"), &["bob"]),
            (format!("bob:{A}\n"), &["alice", "carol"]),
            (format!("dave:{A}\n"), &["alice", "bob", "carol", "dave"]),
            (format!("alice:{B}\nbob:{B}\ncarol:{B}\n"), &["alice", "bob", "carol"]),
        ] {
            assert_eq!(changed(&all, &new), tags(expected), "{new}");
            // And whoever comes back is another one.
            assert_eq!(changed(&new, &all), tags(expected), "back from {new}");
        }
    }

    #[test]
    fn j123_disabled_and_enabled_are_two() {
        let one = |disabled| format!(r#"{{"bob": {{"password": "{A}", "disabled": {disabled}}}}}"#);
        for (old, new) in [(false, true), (true, false)] {
            assert_eq!(changed(&one(old), &one(new)), tags(&["bob"]));
            assert_eq!(changed(&one(old), &one(old)), []);
        }
    }

    #[test]
    fn j123_order_comments_and_groups_change_nobody_and_a_new_user_nobody_else() {
        let old = format!("alice:{A}\nbob:{B}\n");
        let new = format!("# who\nbob:{B}:groups=ops\n\ndave:{A}\nalice:{A}\n");
        assert_eq!(changed(&old, &new), tags(&["dave"]));
    }

    #[test]
    fn j123_so_many_new_users_that_they_cannot_be_named_change_nobody() {
        let many = |count| (0..count).map(|n| format!("user{n}:{A}\n")).collect::<String>();
        let one = many(1);
        assert_eq!(changed(&one, &many(NAMED_AT_ONCE + 1)).len(), NAMED_AT_ONCE);
        assert_eq!(changed(&one, &many(NAMED_AT_ONCE + 2)), []);
        assert_eq!(changed(&many(NAMED_AT_ONCE + 2), &one).len(), NAMED_AT_ONCE + 1);
    }

    #[test]
    fn j123_names_and_hashes_do_not_run_into_each_other() {
        let user = |hash: &str| {
            let users = Users::parse(format!("x:{hash}\n").as_bytes(), true).unwrap();
            users.get("x").unwrap().clone()
        };
        let (one, other) = (user("{PLAIN}ab"), user("{PLAIN}b"));
        assert_ne!(key().generation("x", &one), key().generation("x{PLAIN}a", &other));
        let another = GenerationKey(Zeroizing::new([0; 16]));
        assert_ne!(key().generation("x", &one), another.generation("x", &one));
    }

    #[test]
    fn j123_names_of_one_tag_change_together() {
        let of = |pairs: &[(u64, u64)]| {
            Generations::sorted(pairs.iter().map(|&(tag, it)| (UserTag(tag), it)).collect())
        };
        let old = of(&[(1, 7), (1, 5), (2, 1)]);
        assert_eq!(old.changed(&of(&[(1, 5), (1, 7), (2, 1)])), []);
        for new in
            [&[(1, 5), (2, 1)][..], &[(1, 5), (1, 6), (2, 1)], &[(1, 5), (1, 7), (1, 8), (2, 1)]]
        {
            assert_eq!(old.changed(&of(new)), [UserTag(1)]);
        }
    }
}
