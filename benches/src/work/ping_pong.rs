//! Two greenlets wake each other in turn, `n` wakes in all. Code that blocks uses park and unpark; tokio a `Notify`, smol
//! a channel of one place; Go two channels, Java park and unpark.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::{Family, Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct PingPong;

/// A player of the blocking game: whose turn it is, and how to wake it.
struct Player<U> {
    turn: AtomicBool,
    unparker: OnceLock<U>,
}

impl<U> Player<U> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            turn: AtomicBool::new(false),
            unparker: OnceLock::new(),
        })
    }

    /// `park` may return early, so the turn is a flag. Its release pairs with the acquire of the one who awaits it.
    fn pass<R: Threads<Unparker = U>>(&self) {
        self.turn.store(true, Ordering::Release);
        R::unpark(
            self.unparker
                .get()
                .expect("it was set before the game began"),
        );
    }

    fn await_turn<R: Threads<Unparker = U>>(&self) {
        while !self.turn.swap(false, Ordering::Acquire) {
            R::park();
        }
    }
}

impl Family for PingPong {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (ping, pong) = (Player::<R::Unparker>::new(), Player::<R::Unparker>::new());
        let _ = ping.unparker.set(R::current());
        let rounds = job.n / 2;
        let other = {
            let (ping, pong) = (ping.clone(), pong.clone());
            R::spawn(move || {
                let _ = pong.unparker.set(R::current());
                for _ in 0..=rounds {
                    ping.pass::<R>();
                    pong.await_turn::<R>();
                }
            })
        };
        // The first turn says that the other has started.
        ping.await_turn::<R>();
        let begun = Instant::now();
        for _ in 0..rounds {
            pong.pass::<R>();
            ping.await_turn::<R>();
        }
        let outcome = Outcome::of("ns", ns_each(begun, rounds * 2));
        pong.pass::<R>();
        R::join(other);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (ping, pong) = (
            Arc::new(R::Signal::default()),
            Arc::new(R::Signal::default()),
        );
        let rounds = job.n / 2;
        let other = {
            let (ping, pong) = (ping.clone(), pong.clone());
            R::spawn(async move {
                for _ in 0..=rounds {
                    R::raise(&ping);
                    R::wait(&pong).await;
                }
            })
        };
        R::wait(&ping).await;
        let begun = Instant::now();
        for _ in 0..rounds {
            R::raise(&pong);
            R::wait(&ping).await;
        }
        let outcome = Outcome::of("ns", ns_each(begun, rounds * 2));
        R::raise(&pong);
        R::join(other).await;
        outcome
    }
}
