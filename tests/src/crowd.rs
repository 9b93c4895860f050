//! Several that do the same at the same time: greenlets, plain threads, or both.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use sward::Runtime;

use crate::config::{Config, each_config};

/// Of whom there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Greenlets of the case's runtime.
    Greenlets,
    /// Plain threads.
    Threads,
    /// Every second one a thread.
    Mixed,
}

impl Crowd {
    /// All of them.
    pub const ALL: [Crowd; 3] = [Crowd::Greenlets, Crowd::Threads, Crowd::Mixed];

    /// Has `count` of them call `act`, each with its number, and returns when all have returned.
    ///
    /// # Panics
    ///
    /// If one of them does. The others are left alone then.
    pub fn run(self, runtime: &Runtime, count: usize, act: impl Fn(usize) + Send + Sync + 'static) {
        let act = Arc::new(act);
        let all: Vec<_> = (0..count)
            .map(|number| {
                let act = act.clone();
                self.start(runtime, number, move || act(number))
            })
            .collect();
        all.into_iter().for_each(Member::join);
    }

    /// Starts one that calls `act`. `number` decides what it is, where that differs.
    pub fn start<T: Send + 'static>(
        self,
        runtime: &Runtime,
        number: usize,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Member<T> {
        let thread = match self {
            Crowd::Greenlets => false,
            Crowd::Threads => true,
            Crowd::Mixed => number % 2 == 1,
        };
        match thread {
            true => Member::Thread(thread::spawn(act)),
            false => Member::Greenlet(runtime.spawn(act)),
        }
    }
}

/// One of a crowd.
#[derive(Debug)]
#[must_use]
pub enum Member<T> {
    /// A greenlet.
    Greenlet(sward::JoinHandle<T>),
    /// A thread.
    Thread(thread::JoinHandle<T>),
}

impl<T> Member<T> {
    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// As it has.
    pub fn join(self) -> T {
        match self {
            Member::Greenlet(handle) => match handle.join() {
                Ok(value) => value,
                Err(error) => resume_unwind(error.into_panic()),
            },
            Member::Thread(handle) => handle
                .join()
                .unwrap_or_else(|payload| resume_unwind(payload)),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self {
            Member::Greenlet(handle) => handle.is_finished(),
            Member::Thread(handle) => handle.is_finished(),
        }
    }
}

/// Runs `body` on a runtime of each case with each kind of crowd, with a watchdog, and checks after each case that nothing was
/// left behind.
pub fn each_crowd(body: impl Fn(Config, &Runtime, Crowd)) {
    each_config(|config| {
        config.run(|runtime| {
            for crowd in Crowd::ALL {
                body(config, runtime, crowd);
            }
        });
    });
}
