//! Greenlets that go on until enough of them have migrated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use sward::Runtime;

use crate::config::{Config, Kind};
use crate::rng::Rng;
use crate::until::until;

/// How much of a storm is enough.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// How many greenlets there are.
    pub greenlets: u64,
    /// How many rounds each goes through at least.
    pub rounds: u64,
    /// How many migrations there are at least, where greenlets migrate.
    pub migrations: u64,
}

impl Default for Storm {
    fn default() -> Storm {
        Storm {
            greenlets: 24,
            rounds: 12,
            migrations: 100,
        }
    }
}

/// Has greenlets call `round` again and again, with random numbers of their own and the number of the round, until there
/// were enough rounds and migrations. Checks that none migrates where none may.
///
/// # Panics
///
/// If a round does, and if greenlets migrate that must not.
pub fn storm(
    config: Config,
    runtime: &Runtime,
    storm: Storm,
    round: impl Fn(&mut Rng, u64) + Send + Sync + 'static,
) {
    let (stop, failed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let slowest: Arc<[AtomicU64]> = (0..storm.greenlets).map(|_| AtomicU64::new(0)).collect();
    let round = Arc::new(round);
    let handles: Vec<_> = (0..storm.greenlets)
        .map(|number| {
            let (stop, failed) = (stop.clone(), failed.clone());
            let (rounds, round) = (slowest.clone(), round.clone());
            runtime.spawn(move || {
                let _failing = Failing(&failed);
                let mut rng = Rng::new(number);
                while !stop.load(SeqCst) {
                    let done = &rounds[number as usize];
                    let so_far = done.load(SeqCst);
                    // Workers that have all enough to do take nothing from each other, those that share homes the least. So
                    // if it is the migrations that are missing, there is less to do.
                    let enough = so_far >= storm.rounds;
                    if !enough || rng.below(64) == 0 {
                        round(&mut rng, so_far);
                        done.fetch_add(1, SeqCst);
                    }
                    if enough || rng.below(4) == 0 {
                        sward::sleep(Duration::from_micros(rng.below(300)));
                    }
                }
            })
        })
        .collect();
    let handle = runtime.handle();
    until(|| {
        let rounds = slowest.iter().map(|rounds| rounds.load(SeqCst)).min();
        let migrations = handle.metrics().migrations;
        let enough =
            rounds >= Some(storm.rounds) && (!config.migrates() || migrations >= storm.migrations);
        match enough || failed.load(SeqCst) {
            true => Ok(()),
            false => Err(format!(
                "{storm:?}: {rounds:?} rounds, {migrations} migrations"
            )),
        }
    });
    stop.store(true, SeqCst);
    for handle in handles {
        if let Err(error) = handle.join() {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    // With one worker those in homes of their own may still go to a spare and come back.
    if config.kind == Kind::Fixed {
        assert_eq!(handle.metrics().migrations, 0, "greenlets migrated");
    }
}

/// Tells the others that one has failed, since it would never get through its rounds.
struct Failing<'a>(&'a AtomicBool);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}
