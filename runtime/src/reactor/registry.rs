//! All sources of a reactor: those that are live, and those that are dead but may still be named by an event.
//!
//! One short lock for each registration and each deregistration. Nothing is fired and nothing dropped under it.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use super::source::Shared;
use crate::base::lock::lock;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry {
    lists: Mutex<Lists>,
    /// Whether there may be dead sources, so that a turn without any takes no lock.
    any_dead: AtomicBool,
    /// How many are live; changed under the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Lists {
    live: Vec<Option<Arc<Shared>>>,
    /// The vacant places of `live`.
    vacant: Vec<usize>,
    dead: Vec<Arc<Shared>>,
    closed: bool,
}

impl Registry {
    /// Takes `shared` in, and tells its place; `None` if the registry is closed.
    pub(super) fn enter(&self, shared: &Arc<Shared>) -> Option<usize> {
        let mut lists = lock(&self.lists);
        if lists.closed {
            return None;
        }
        let shared = Some(shared.clone());
        self.count.fetch_add(1, Relaxed);
        Some(match lists.vacant.pop() {
            Some(place) => {
                lists.live[place] = shared;
                place
            }
            None => {
                lists.live.push(shared);
                lists.live.len() - 1
            }
        })
    }

    /// The source at `place` was taken out of the poller: it is dead.
    pub(super) fn bury(&self, place: usize) {
        let mut lists = lock(&self.lists);
        let shared = lists.live[place].take();
        self.count.fetch_sub(1, Relaxed);
        lists.vacant.push(place);
        lists.dead.extend(shared);
        // Under the lock, so that it is never false while one lies there. Relaxed: who reads it too early finds the
        // dead source in its next turn.
        self.any_dead.store(true, Relaxed);
    }

    /// Whether there is none, live or dead.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && !self.any_dead.load(Relaxed)
    }

    /// Moves the dead sources to `grave`, which is empty.
    pub(super) fn collect(&self, grave: &mut Vec<Arc<Shared>>) {
        if self.any_dead.load(Relaxed) {
            let mut lists = lock(&self.lists);
            self.any_dead.store(false, Relaxed);
            mem::swap(&mut lists.dead, grave);
        }
    }

    /// Takes in no more, from now on. All that are live, for the caller to tell them.
    pub(super) fn close(&self) -> Vec<Arc<Shared>> {
        let mut lists = lock(&self.lists);
        lists.closed = true;
        lists.live.iter().flatten().cloned().collect()
    }

    /// How many are live.
    pub(super) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }
}
