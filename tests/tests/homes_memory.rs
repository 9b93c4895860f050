//! Memory taken in one home and given back in another: allocators keep caches in thread-locals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sward_tests::{Rng, Storm, Suspension, each_config, storm};

/// Bytes that tell whether they are what they were.
struct Parcel {
    bytes: Vec<u8>,
    seed: u8,
}

/// What parcels are full of, from the seed on.
const PATTERN: [u8; 512] = {
    let mut bytes = [0; 512];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = (i % 256) as u8;
        i += 1;
    }
    bytes
};

impl Parcel {
    fn new(rng: &mut Rng) -> Parcel {
        // Small ones mostly, from the caches; some from the shared arenas, some by a mapping of their own.
        let len = match rng.below(32) {
            0 => 200_000,
            1..8 => 2000 + rng.below(10_000),
            _ => 1 + rng.below(500),
        };
        let seed = rng.below(256) as u8;
        let mut parcel = Parcel {
            bytes: Vec::new(),
            seed,
        };
        parcel.grow(len as usize);
        parcel
    }

    /// The pattern, as it would go on after `len` bytes.
    fn pattern(&self, len: usize) -> &'static [u8] {
        &PATTERN[usize::from(self.seed.wrapping_add(len as u8))..][..256]
    }

    fn check(&self) {
        let mut pattern = self.pattern(0).iter().cycle();
        let good = match self.bytes.len() {
            // Byte by byte is slow where nothing is optimised.
            1000.. => self
                .bytes
                .chunks(256)
                .all(|chunk| *chunk == self.pattern(0)[..chunk.len()]),
            _ => self.bytes.iter().all(|byte| Some(byte) == pattern.next()),
        };
        assert!(good, "memory was overwritten");
    }

    /// Has the allocator move it.
    fn grow(&mut self, more: usize) {
        let len = self.bytes.len() + more;
        while self.bytes.len() < len {
            let pattern = self.pattern(self.bytes.len());
            let some = pattern.len().min(len - self.bytes.len());
            self.bytes.extend_from_slice(&pattern[..some]);
        }
        self.bytes.shrink_to_fit();
    }
}

#[test]
fn parcels_that_change_hands() {
    each_config(|config| {
        config.run(|runtime| {
            let post = Arc::new(Mutex::new(Vec::<Parcel>::new()));
            let office = post.clone();
            storm(
                config,
                runtime,
                Storm {
                    rounds: 10,
                    ..Storm::default()
                },
                move |rng, _| {
                    let sent: Vec<_> = (0..4).map(|_| Parcel::new(rng)).collect();
                    Suspension::any(rng).suspend();
                    // Nobody suspends with the lock, which is std's.
                    post.lock().unwrap().extend(sent);
                    sward::yield_now();
                    for _ in 0..4 {
                        let taken = {
                            let mut post = post.lock().unwrap();
                            let any = rng.below(post.len() as u64 + 1) as usize;
                            (any < post.len()).then(|| post.swap_remove(any))
                        };
                        if let Some(mut parcel) = taken {
                            parcel.check();
                            sward::yield_now();
                            parcel.grow(1 + rng.below(1000) as usize);
                            sward::yield_now();
                            parcel.check();
                        }
                    }
                },
            );
            office.lock().unwrap().iter().for_each(Parcel::check);
        });
    });
}

/// Results and closures on the heap, given from greenlet to greenlet, and from plain threads.
#[test]
fn boxes_that_change_hands() {
    each_config(|config| {
        config.run(|runtime| {
            storm(config, runtime, Storm::default(), |rng, _| {
                let number = rng.number();
                let text = number.to_string();
                let child = sward::spawn(move || {
                    let boxed = Box::new([number; 30]);
                    let map: BTreeMap<_, _> = (0..20).map(|i| (i, format!("{text}-{i}"))).collect();
                    sward::yield_now();
                    (boxed, map)
                });
                let thread = std::thread::spawn(move || vec![number; 100]);
                let (boxed, map) = child.join().unwrap();
                assert_eq!(*boxed, [number; 30]);
                assert!(map.iter().all(|(i, text)| *text == format!("{number}-{i}")));
                assert_eq!(thread.join().unwrap(), [number; 100]);
            });
        });
    });
}
