//! The ways in which a greenlet suspends.

use std::time::Duration;

use crate::rng::Rng;

/// Long enough to really suspend, short enough to do often.
const MOMENT: Duration = Duration::from_micros(100);
/// Longer than any test.
const AGES: Duration = Duration::from_secs(3600);

/// A way to suspend (those of `sward::net` are in the tests of `net`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// `yield_now`.
    Yield,
    /// `park`, ended by another greenlet's `unpark`.
    Park,
    /// `park_timeout`, ended by `unpark`.
    ParkTimeoutUnparked,
    /// `park_timeout`, ended by the time.
    ParkTimeout,
    /// `sleep`.
    Sleep,
    /// `spawn` and `join`.
    Join,
    /// `spawn` and `join_timeout`, ended by the greenlet's end.
    JoinTimeout,
    /// `spawn` and `join_timeout`, ended by the time, then `join`.
    JoinElapsed,
    /// `spawn_local` and `join`.
    JoinLocal,
    /// Spawns a few and joins them all: not a suspension of its own, but many fresh greenlets around it.
    SpawnMany,
}

impl Suspension {
    /// All of them.
    pub const ALL: [Suspension; 10] = [
        Suspension::Yield,
        Suspension::Park,
        Suspension::ParkTimeoutUnparked,
        Suspension::ParkTimeout,
        Suspension::Sleep,
        Suspension::Join,
        Suspension::JoinTimeout,
        Suspension::JoinElapsed,
        Suspension::JoinLocal,
        Suspension::SpawnMany,
    ];

    /// One of them. Half of the time `yield_now`, which is the one that most often makes greenlets migrate.
    pub fn any(rng: &mut Rng) -> Suspension {
        match rng.below(2) {
            0 => Suspension::Yield,
            _ => *rng.pick(&Suspension::ALL),
        }
    }

    /// Suspends the calling greenlet once or more in this way.
    ///
    /// # Panics
    ///
    /// If a greenlet that it spawns and joins cannot be.
    #[inline(never)]
    pub fn suspend(self) {
        match self {
            Suspension::Yield => sward::yield_now(),
            Suspension::Park => {
                unpark_soon();
                sward::park();
            }
            Suspension::ParkTimeoutUnparked => {
                unpark_soon();
                sward::park_timeout(AGES);
            }
            Suspension::ParkTimeout => sward::park_timeout(MOMENT),
            Suspension::Sleep => sward::sleep(MOMENT),
            Suspension::Join => sward::spawn(sward::yield_now).join().expect("it yields"),
            Suspension::JoinTimeout => match sward::spawn(sward::yield_now).join_timeout(AGES) {
                Ok(result) => result.expect("it yields"),
                Err(_) => panic!("a yield took an hour"),
            },
            Suspension::JoinElapsed => {
                let sleeper = sward::spawn(|| sward::sleep(4 * MOMENT));
                match sleeper.join_timeout(MOMENT) {
                    Ok(result) => result.expect("it sleeps"),
                    Err(sleeper) => sleeper.join().expect("it sleeps"),
                }
            }
            Suspension::JoinLocal => sward::spawn_local(sward::yield_now)
                .join()
                .expect("it yields"),
            Suspension::SpawnMany => {
                let many: Vec<_> = (0..4).map(|_| sward::spawn(sward::yield_now)).collect();
                for one in many {
                    one.join().expect("it yields");
                }
            }
        }
    }
}

fn unpark_soon() {
    let parked = sward::current();
    sward::spawn(move || parked.unpark());
}
