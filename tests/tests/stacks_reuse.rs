//! Stacks come with the first run and go with the end: their number follows what runs, not what is spawned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use sward_tests::{Suspension, each_config, each_runtime, settle, until};

/// A million, or what a build without optimisation does in the same time.
const SPAWNS: usize = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};
const BATCH: usize = 1000;

/// What a worker takes at a time from the stacks that have been used before, to have them at hand.
const AT_HAND: usize = 16;

/// Stacks that there may be at most where none is needed for long, but greenlets do wait: a stack comes back where its
/// greenlet ends, so a worker may have those of others at hand too.
fn few(workers: usize) -> usize {
    64 + 32 * workers
}

/// A worker uses one stack for all that end without having waited. Another one is made only when each of the other workers
/// has all that it takes at a time.
#[test]
fn empty_closures_need_few_stacks() {
    each_config(|config| {
        let most = config.workers + AT_HAND * (config.workers - 1);
        // All of them where they are done in the time of one; a part in the other cases.
        let spawns = if config.workers == 2 {
            SPAWNS
        } else {
            SPAWNS / 20
        };
        config.run_without_spares(|runtime| {
            let handle = runtime.handle();
            for _ in 0..spawns / BATCH {
                let batch: Vec<_> = (0..BATCH).map(|_| runtime.spawn(|| ())).collect();
                let during = handle.metrics();
                for handle in batch {
                    handle.join().unwrap();
                }
                for metrics in [during, handle.metrics()] {
                    assert!(metrics.stacks <= config.workers, "{metrics:?}");
                    assert!(metrics.stacks_reserved <= most, "{metrics:?}");
                }
            }
        });
    });
}

#[test]
fn what_is_spawned_and_has_not_run_has_no_stack() {
    each_config(|config| {
        config.run(|runtime| {
            let handle = runtime.handle();
            let stacks = runtime.block_on(move || {
                // Those that end, one after the other, on the workers' stacks.
                let batch: Vec<_> = (0..BATCH).map(|_| sward::spawn(|| ())).collect();
                let stacks = handle.metrics().stacks_reserved;
                for handle in batch {
                    handle.join().unwrap();
                }
                stacks.max(handle.metrics().stacks_reserved)
            });
            assert!(stacks <= few(config.workers), "{stacks}");
        });
    });
}

#[test]
fn stacks_in_use_are_counted_and_used_again() {
    each_config(|config| {
        config.run(|runtime| {
            let handle = runtime.handle();
            let mut reserved = Vec::new();
            for _ in 0..5 {
                let parked: Vec<_> = (0..300).map(|_| runtime.spawn(sward::park)).collect();
                until(|| handle.metrics().suspended == 300);
                let metrics = handle.metrics();
                assert!(
                    (300..=300 + config.workers).contains(&metrics.stacks),
                    "{metrics:?}"
                );
                assert!(
                    metrics.greenlets == 300 && metrics.stacks_reserved >= 300,
                    "{metrics:?}"
                );
                for parked in &parked {
                    parked.greenlet().unpark();
                }
                for parked in parked {
                    parked.join().unwrap();
                }
                settle(&handle);
                reserved.push(handle.metrics().stacks_reserved);
            }
            assert!(
                reserved
                    .iter()
                    .all(|reserved| *reserved <= 300 + few(config.workers)),
                "{reserved:?}"
            );
        });
    });
}

/// What is on a stack that is used again is not mixed up with what is on others.
#[test]
fn stacks_are_not_shared() {
    fn fill(depth: u64, seed: u64) -> u64 {
        let frame = std::hint::black_box([seed ^ depth; 64]);
        if depth == 0 {
            Suspension::Yield.suspend();
            return 0;
        }
        let below = fill(depth - 1, seed);
        assert!(
            frame.iter().all(|word| *word == seed ^ depth),
            "a stack was overwritten"
        );
        below + 1
    }
    each_runtime(|runtime| {
        let handles: Vec<_> = (0..400u64)
            .map(|seed| runtime.spawn(move || fill(seed % 60, seed)))
            .collect();
        for (seed, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), seed as u64 % 60);
        }
    });
}

/// Greenlets that suspend have their stacks to themselves while others run and end on the workers' hot ones.
#[test]
fn suspended_greenlets_among_short_ones() {
    each_config(|config| {
        config.run(|runtime| {
            let over = Arc::new(AtomicBool::new(false));
            let long: Vec<_> = (0..20u64)
                .map(|seed| {
                    let over = over.clone();
                    runtime.spawn(move || {
                        let mine = std::hint::black_box([seed; 256]);
                        while !over.load(SeqCst) {
                            sward::yield_now();
                            assert!(mine.iter().all(|word| *word == seed));
                        }
                    })
                })
                .collect();
            for _ in 0..10 {
                let short: Vec<_> = (0..100)
                    .map(|_| runtime.spawn(|| std::hint::black_box([9u64; 512])[7]))
                    .collect();
                for handle in short {
                    assert_eq!(handle.join().unwrap(), 9);
                }
            }
            over.store(true, SeqCst);
            for handle in long {
                handle.join().unwrap();
            }
            let metrics = runtime.handle().metrics();
            assert!(
                metrics.stacks_reserved <= 20 + few(config.workers),
                "{metrics:?}"
            );
        });
    });
}
