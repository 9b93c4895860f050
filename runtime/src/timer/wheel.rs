//! A hierarchical timing wheel: a priority queue of deadlines with O(1) insertion and removal.
//!
//! After G. Varghese and A. Lauck, *Hashed and Hierarchical Timing Wheels* (SOSP 1987), scheme 7. The wheel
//! knows no clock and no unit: its owner turns instants into ticks and says when a tick has come. It is
//! used under a lock of its owner's, and it never calls back while an entry is half linked.
//!
//! # Where an entry lies
//!
//! A tick is a number of eight digits of six bits each. An entry lies at the level of the highest digit in
//! which its tick differs from the wheel's own tick `now`, in the slot that this digit of its tick names; an
//! entry that is due (its tick is `now`) lies at level 0. So, at every moment between two calls:
//!
//! 1. all entries of a lower level come before all entries of a higher one;
//! 2. within a level, slots come in the order of their numbers, and all that are occupied lie after the slot
//!    that `now` names (at level 0: at it or after it): nothing ever wraps around;
//! 3. entries of the same tick lie in the same list, in the order in which they were inserted.
//!
//! [`Wheel::advance`] keeps this by going from occupied slot to occupied slot in that order. A slot of level
//! 0 is one tick, and fires. A slot of a higher level is dissolved when `now` reaches its first tick: each of
//! its entries then lies at a lower level, so an entry is moved seven times at most in its life.
#![forbid(unsafe_code)]

use std::num::NonZeroU32;

/// Digits in a tick.
const LEVELS: usize = 8;
/// Bits in a digit: as many as make the bitmap of a level one word.
const BITS: usize = 6;
/// Slots in a level.
const SLOTS: usize = 1 << BITS;
/// "No entry", as an index.
const NIL: u32 = u32::MAX;
/// Capacity, in entries, that an empty wheel keeps. Arbitrary: about 50 KB.
const KEEP: usize = 1024;

/// The right to remove one entry. Eight bytes, also as an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    /// Tells the entries that lie at the same index one after the other apart. It is the number of the
    /// insertion, modulo 2^32 - 1: a key would have to be kept over exactly a multiple of so many insertions
    /// to be mistaken for another.
    generation: NonZeroU32,
}

impl Key {
    /// The key as a number.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation.get())
    }

    /// The key whose `to_bits` this is.
    pub(crate) fn from_bits(bits: u64) -> Self {
        let generation = NonZeroU32::new(bits as u32).expect("a key's bits");
        Self {
            index: (bits >> 32) as u32,
            generation,
        }
    }
}

/// Values that wait for their ticks. See the module's text.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// The tick up to which everything has fired.
    now: u64,
    /// Bit `s` of word `l`: slot `s` of level `l` has entries.
    occupied: [u64; LEVELS],
    slots: [[List; SLOTS]; LEVELS],
    entries: Vec<Entry<T>>,
    /// The first vacant entry; the others follow by `next`.
    vacant: u32,
    len: usize,
    /// The generation of the last key made.
    generation: u32,
}

/// The two ends of the list of a slot.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Entry<T> {
    /// The tick at which it fires; never before `Wheel::now`.
    at: u64,
    prev: u32,
    next: u32,
    generation: u32,
    /// `None` while the entry is vacant.
    value: Option<T>,
}

impl<T> Wheel<T> {
    /// The last tick, 2^48 - 1. A tick above it is taken for it.
    pub(crate) const LAST: u64 = (1 << (LEVELS * BITS)) - 1;

    /// An empty wheel at the tick `now`.
    pub(crate) fn new(now: u64) -> Self {
        const EMPTY: List = List {
            head: NIL,
            tail: NIL,
        };
        Wheel {
            now: now.min(Self::LAST),
            occupied: [0; LEVELS],
            slots: [[EMPTY; SLOTS]; LEVELS],
            entries: Vec::new(),
            vacant: NIL,
            len: 0,
            generation: 0,
        }
    }

    /// Has `value` fire at the tick `at`; if that is past, at the next [`advance`](Self::advance).
    ///
    /// # Panics
    ///
    /// With 2^32 - 1 entries in the wheel already.
    pub(crate) fn insert(&mut self, at: u64, value: T) -> Key {
        let at = at.clamp(self.now, Self::LAST);
        let generation =
            NonZeroU32::new(self.generation.wrapping_add(1)).unwrap_or(NonZeroU32::MIN);
        self.generation = generation.get();
        let entry = Entry {
            at,
            prev: NIL,
            next: NIL,
            generation: generation.get(),
            value: Some(value),
        };
        let index = if self.vacant != NIL {
            let index = self.vacant;
            self.vacant = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        } else {
            let index = self.entries.len();
            assert!(
                index < NIL as usize,
                "a timer wheel holds at most {NIL} timers"
            );
            self.entries.push(entry);
            index as u32
        };
        self.len += 1;
        self.link(index);
        Key { index, generation }
    }

    /// Takes an entry out; `None` if it has fired or was removed already.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.generation != key.generation.get() || entry.value.is_none() {
            return None;
        }
        self.unlink(key.index);
        Some(self.vacate(key.index))
    }

    /// Moves the wheel to the tick `now` and hands everything due then to `expired`: in the order of the ticks,
    /// and in the order of insertion within a tick. If `now` is before the wheel's own tick, the wheel stays.
    ///
    /// If `expired` panics, the value it had is lost and the rest fires at the next call.
    pub(crate) fn advance(&mut self, now: u64, expired: &mut impl FnMut(T)) {
        let now = now.clamp(self.now, Self::LAST);
        while self.step(now, expired).is_some() {}
        self.now = now;
    }

    /// A tick at which to call [`advance`](Self::advance) next: at or before the earliest entry's, and after
    /// the wheel's own, unless something is due already. `None` if the wheel is empty.
    ///
    /// It may be earlier than the earliest entry (the start of a slot of a higher level); then nothing fires
    /// there and there is a later one to ask for. This happens seven times at most before the entry fires.
    pub(crate) fn next(&self) -> Option<u64> {
        self.earliest().map(|(level, slot)| self.start(level, slot))
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fires or dissolves the first occupied slot, if it starts at `now` or before, and gives the number of
    /// entries touched.
    fn step(&mut self, now: u64, expired: &mut impl FnMut(T)) -> Option<usize> {
        let (level, slot) = self.earliest()?;
        let start = self.start(level, slot);
        if start > now {
            return None;
        }
        let mut touched = 0;
        // Moving `now` to the start of the first occupied slot changes the place of this slot's entries only: it
        // shares all digits above `level` with the old `now`, and every other entry is beyond it.
        self.now = start;
        if level == 0 {
            // One at a time, so that the wheel is whole whenever `expired` runs.
            while let Some(index) = self.head(0, slot) {
                self.detach(0, slot, index);
                let value = self.vacate(index);
                touched += 1;
                expired(value);
            }
        } else {
            while let Some(index) = self.head(level, slot) {
                self.detach(level, slot, index);
                self.link(index);
                touched += 1;
            }
        }
        Some(touched)
    }

    /// The occupied slot that comes first, with its level.
    fn earliest(&self) -> Option<(usize, usize)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// The first tick of a slot that lies after `now` (or at it, at level 0).
    fn start(&self, level: usize, slot: usize) -> u64 {
        let shift = level * BITS;
        let above = self.now >> (shift + BITS) << (shift + BITS);
        above | (slot as u64) << shift
    }

    /// The level and slot in which an entry for the tick `at` lies now.
    fn place(&self, at: u64) -> (usize, usize) {
        // The lowest bit stands in for "no difference", which is level 0 as well.
        let level = ((at ^ self.now) | 1).ilog2() as usize / BITS;
        let slot = (at >> (level * BITS)) as usize % SLOTS;
        (level, slot)
    }

    fn head(&self, level: usize, slot: usize) -> Option<u32> {
        let head = self.slots[level][slot].head;
        (head != NIL).then_some(head)
    }

    /// Appends a detached entry to the list it belongs to.
    fn link(&mut self, index: u32) {
        let (level, slot) = self.place(self.entries[index as usize].at);
        let list = &mut self.slots[level][slot];
        let last = std::mem::replace(&mut list.tail, index);
        if last == NIL {
            list.head = index;
            self.occupied[level] |= 1 << slot;
        } else {
            self.entries[last as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.prev = last;
        entry.next = NIL;
    }

    /// Takes an entry out of the list it lies in.
    fn unlink(&mut self, index: u32) {
        let (level, slot) = self.place(self.entries[index as usize].at);
        self.detach(level, slot, index);
    }

    /// Takes an entry out of the list of the slot named.
    fn detach(&mut self, level: usize, slot: usize, index: u32) {
        let Entry { prev, next, .. } = self.entries[index as usize];
        let list = &mut self.slots[level][slot];
        match prev {
            NIL => list.head = next,
            prev => self.entries[prev as usize].next = next,
        }
        match next {
            NIL => list.tail = prev,
            next => self.entries[next as usize].prev = prev,
        }
        if self.slots[level][slot].head == NIL {
            self.occupied[level] &= !(1 << slot);
        }
    }

    /// Makes a detached entry vacant and gives its value. The last one to go takes a large table with it.
    fn vacate(&mut self, index: u32) -> T {
        let entry = &mut self.entries[index as usize];
        let value = entry.value.take().expect("an entry in a list has a value");
        entry.next = self.vacant;
        self.vacant = index;
        self.len -= 1;
        if self.len == 0 && self.entries.capacity() > KEEP {
            // Generations count on through the wheel's life, so no key of an entry that was here can match a
            // later one.
            self.entries = Vec::new();
            self.vacant = NIL;
        }
        value
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Splitmix64 (Steele, Lea, Flood 2014): the same numbers at every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }

        fn below(&mut self, n: u64) -> u64 {
            self.next() % n
        }

        /// A number of up to `bits` bits, every length being as likely as any other.
        fn of_any_length(&mut self, bits: u32) -> u64 {
            self.next() >> 1 >> (63 - self.below(u64::from(bits) + 1))
        }
    }

    fn fired<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
        let mut values = Vec::new();
        wheel.advance(now, &mut |value| values.push(value));
        values
    }

    /// What `advance` would do entry by entry, counted: slots visited plus entries touched.
    fn steps_to<T>(wheel: &mut Wheel<T>, now: u64) -> usize {
        let mut steps = 1;
        while let Some(touched) = wheel.step(now, &mut drop) {
            steps += 1 + touched;
        }
        wheel.advance(now, &mut |_| unreachable!());
        steps
    }

    /// The wheel's promises, kept by a sorted map.
    struct Model {
        wheel: Wheel<u64>,
        now: u64,
        /// By tick, then by number of insertion, which is the value as well.
        entries: BTreeMap<(u64, u64), Key>,
        count: u64,
        stale: Vec<Key>,
    }

    impl Model {
        fn new(now: u64) -> Self {
            Model {
                wheel: Wheel::new(now),
                now,
                entries: BTreeMap::new(),
                count: 0,
                stale: Vec::new(),
            }
        }

        fn insert(&mut self, at: u64) {
            let key = self.wheel.insert(at, self.count);
            self.entries
                .insert((at.clamp(self.now, Wheel::<u64>::LAST), self.count), key);
            self.count += 1;
        }

        fn remove(&mut self, random: &mut Random) {
            let from = (self.now + random.of_any_length(48), 0);
            let found = self
                .entries
                .range(from..)
                .next()
                .or(self.entries.iter().next());
            if let Some((&(at, count), &key)) = found {
                self.entries.remove(&(at, count));
                assert_eq!(self.wheel.remove(key), Some(count));
                self.stale.push(key);
            }
        }

        fn advance(&mut self, now: u64) {
            self.now = now.clamp(self.now, Wheel::<u64>::LAST);
            let later = self.entries.split_off(&(self.now + 1, 0));
            let due = std::mem::replace(&mut self.entries, later);
            let values: Vec<u64> = due.keys().map(|&(_, count)| count).collect();
            assert_eq!(fired(&mut self.wheel, now), values);
            self.stale.extend(due.values());
        }

        fn check(&mut self) {
            assert_eq!(self.wheel.len(), self.entries.len());
            match (self.wheel.next(), self.entries.keys().next()) {
                (None, None) => {}
                (Some(next), Some(&(earliest, _))) => {
                    assert!(next <= earliest, "{next} is later than {earliest}");
                    assert!(
                        next > self.now || earliest == self.now,
                        "{next} is not after {}",
                        self.now
                    );
                    if earliest - self.now < SLOTS as u64 && earliest / 64 == self.now / 64 {
                        assert_eq!(next, earliest, "level 0 is exact");
                    }
                }
                other => panic!("{other:?}"),
            }
            for key in self.stale.drain(..) {
                assert_eq!(self.wheel.remove(key), None, "a key works once");
            }
        }
    }

    #[test]
    fn agrees_with_a_sorted_map() {
        for seed in 0..40 {
            let mut random = Random(seed);
            let start = random.of_any_length(47);
            let mut model = Model::new(start);
            // The first seeds stay in the lowest levels, where the slots are crowded.
            let bits = if seed < 20 { 4 + seed as u32 } else { 46 };
            for _ in 0..10_000 {
                match random.below(16) {
                    0..7 => {
                        let at = model.now + random.of_any_length(bits);
                        model.insert(at);
                    }
                    7 => model.insert(random.below(model.now + 1)),
                    8..13 => model.remove(&mut random),
                    13 => model.advance(model.now + random.of_any_length(6)),
                    14 => model.advance(model.now + random.of_any_length(bits)),
                    _ => {
                        if let Some(next) = model.wheel.next() {
                            model.advance(next);
                        }
                    }
                }
                model.check();
            }
            model.advance(u64::MAX);
            model.check();
            assert_eq!(model.wheel.len(), 0);
        }
    }

    #[test]
    fn far_deadlines_fire_at_their_tick() {
        for start in [0, 1, 63, 64, 0xFFFF_FFFF, (1 << 46) - 1] {
            let mut wheel = Wheel::new(start);
            for at in [
                1u64 << 47,
                (1 << 47) + 1,
                Wheel::<u64>::LAST - 1,
                Wheel::<u64>::LAST,
            ] {
                wheel.insert(at, at);
                assert!(fired(&mut wheel, at - 1).is_empty());
                assert_eq!(fired(&mut wheel, at), [at]);
            }
        }
    }

    #[test]
    fn ticks_beyond_the_last_count_as_the_last() {
        let mut wheel = Wheel::new(0);
        wheel.insert(u64::MAX, "never");
        wheel.insert(1 << 48, "never either");
        assert!(fired(&mut wheel, Wheel::<()>::LAST - 1).is_empty());
        assert_eq!(fired(&mut wheel, u64::MAX), ["never", "never either"]);
        wheel.insert(5, "past");
        assert_eq!(fired(&mut wheel, 0), ["past"]);
        let mut wheel = Wheel::new(u64::MAX);
        wheel.insert(u64::MAX, "due");
        assert_eq!(fired(&mut wheel, u64::MAX), ["due"]);
    }

    #[test]
    fn the_past_fires_at_the_next_advance() {
        let mut wheel = Wheel::new(1_000);
        wheel.insert(1_001, 3);
        wheel.insert(1_000, 0);
        wheel.insert(0, 1);
        wheel.insert(999, 2);
        assert_eq!(wheel.next(), Some(1_000));
        assert_eq!(fired(&mut wheel, 1_000), [0, 1, 2]);
        assert_eq!(wheel.next(), Some(1_001));
        wheel.insert(1_000, 4);
        // A clock that goes back moves nothing back, but what is due fires.
        assert_eq!(fired(&mut wheel, 17), [4]);
        assert_eq!(fired(&mut wheel, 1_001), [3]);
    }

    #[test]
    fn order_within_a_tick_outlives_the_levels() {
        let at = 5 << 18 | 7 << 12 | 9 << 6 | 11;
        let mut wheel = Wheel::new(0);
        let mut inserted = 0;
        for now in [
            0,
            5 << 18,
            5 << 18 | 7 << 12,
            5 << 18 | 7 << 12 | 9 << 6,
            at,
        ] {
            assert!(fired(&mut wheel, now.min(at - 1)).is_empty());
            for _ in 0..3 {
                wheel.insert(at, inserted);
                inserted += 1;
            }
        }
        assert_eq!(fired(&mut wheel, at), (0..inserted).collect::<Vec<_>>());
    }

    #[test]
    fn one_jump_fires_everything_in_order() {
        let mut random = Random(7);
        let mut wheel = Wheel::new(0);
        let mut ticks: Vec<u64> = (0..10_000).map(|_| random.of_any_length(47)).collect();
        for &at in &ticks {
            wheel.insert(at, at);
        }
        ticks.sort_unstable();
        assert_eq!(fired(&mut wheel, 1 << 47), ticks);
    }

    #[test]
    fn removal_in_one_slot_leaves_the_others() {
        let mut random = Random(3);
        let mut wheel = Wheel::new(0);
        let mut keys: Vec<(Key, u32)> = (0..1_000).map(|n| (wheel.insert(77, n), n)).collect();
        let mut left: Vec<u32> = (0..1_000).collect();
        while keys.len() > 10 {
            let (key, n) = keys.swap_remove(random.below(keys.len() as u64) as usize);
            assert_eq!(wheel.remove(key), Some(n));
            assert_eq!(wheel.remove(key), None);
            left.retain(|&other| other != n);
        }
        assert_eq!(wheel.len(), 10);
        assert_eq!(fired(&mut wheel, 77), left);
        assert_eq!(wheel.next(), None);
        for (key, _) in keys {
            assert_eq!(wheel.remove(key), None);
        }
    }

    #[test]
    fn going_to_next_reaches_the_entry_in_few_turns() {
        let mut random = Random(11);
        for _ in 0..10_000 {
            let start = random.of_any_length(47);
            let at = start + 1 + random.of_any_length(46);
            let mut wheel = Wheel::new(start);
            wheel.insert(at, at);
            for turn in 0.. {
                assert!(turn < LEVELS);
                let next = wheel.next().unwrap();
                let values = fired(&mut wheel, next);
                if next == at {
                    assert_eq!(values, [at]);
                    break;
                }
                assert!(next < at && values.is_empty());
            }
        }
    }

    #[test]
    fn a_million_timers_cost_a_few_steps_each() {
        const MILLION: usize = 1_000_000;
        let mut random = Random(5);
        let mut wheel = Wheel::new(12_345);
        let keys: Vec<Key> = (0..MILLION)
            .map(|n| wheel.insert(12_345 + random.of_any_length(40), n))
            .collect();
        // Half of them are cancelled, and cost nothing later.
        for key in keys.iter().step_by(2) {
            assert!(wheel.remove(*key).is_some());
        }
        assert_eq!(wheel.len(), MILLION / 2);
        let mut steps = 0;
        let mut turns = 0;
        while let Some(next) = wheel.next() {
            steps += steps_to(&mut wheel, next + random.of_any_length(20));
            turns += 1;
        }
        // Each is moved seven times at most, and so is each slot visited at most once per entry moved.
        assert!(steps <= turns + (MILLION / 2) * 2 * LEVELS, "{steps} steps");
        // An idle wheel, and one whose only entry is far away, cost one step however far they are moved.
        let mut wheel = Wheel::new(0);
        assert_eq!(steps_to(&mut wheel, 1 << 40), 1);
        wheel.insert(Wheel::<()>::LAST, ());
        assert_eq!(steps_to(&mut wheel, 1 << 46), 1);
    }

    #[test]
    fn an_empty_wheel_gives_its_memory_back_and_keys_stay_stale() {
        let mut wheel = Wheel::new(0);
        let keys: Vec<Key> = (0..100_000).map(|n| wheel.insert(n, n)).collect();
        assert!(wheel.entries.capacity() >= 100_000);
        assert_eq!(fired(&mut wheel, 100_000).len(), 100_000);
        assert!(wheel.entries.capacity() <= KEEP);
        for n in 0..1_000 {
            wheel.insert(200_000, n);
        }
        for key in keys {
            assert_eq!(wheel.remove(key), None);
        }
        assert_eq!(wheel.len(), 1_000);
        assert_eq!(fired(&mut wheel, 200_000).len(), 1_000);
        assert!(wheel.entries.capacity() >= 1_000, "a small table stays");
        assert_eq!(size_of::<Option<Key>>(), 8);
    }

    #[test]
    fn generations_wrap_without_zero() {
        let mut wheel = Wheel::new(0);
        wheel.generation = u32::MAX - 1;
        let before = wheel.insert(1, 'a');
        let after = wheel.insert(1, 'b');
        assert_eq!(after.generation.get(), 1);
        assert_eq!(wheel.remove(after), Some('b'));
        assert_eq!(wheel.remove(before), Some('a'));
    }

    #[test]
    fn a_panic_while_firing_leaves_the_wheel_whole() {
        let mut wheel = Wheel::new(0);
        for n in 0..10 {
            wheel.insert(5 + n / 5, n);
        }
        let mut seen = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            wheel.advance(100, &mut |n| {
                seen.push(n);
                assert!(n != 3, "expected here");
            });
        }));
        assert!(result.is_err());
        assert_eq!(wheel.len(), 6);
        wheel.advance(100, &mut |n| seen.push(n));
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}
