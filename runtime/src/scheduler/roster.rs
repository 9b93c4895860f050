//! The workers of a runtime as the others see them: those it was made with, and after them the spares there have been.
//!
//! A list that only grows, up to its room, and is read without a lock. A spare that has left keeps its place for the next.
#![forbid(unsafe_code)]

use std::ops::Index;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;

use super::shared::Remote;

/// See the module.
#[derive(Debug)]
pub(super) struct Roster {
    places: Box<[OnceLock<Arc<CachePadded<Remote>>>]>,
    len: AtomicUsize,
}

impl Roster {
    /// The workers `first`, with room for `room` in all.
    pub(super) fn new(first: impl Iterator<Item = Remote>, room: usize) -> Self {
        let roster = Self {
            places: (0..room).map(|_| OnceLock::new()).collect(),
            len: AtomicUsize::new(0),
        };
        for remote in first {
            roster.push(remote);
        }
        roster
    }

    /// Adds a worker. Its number. One caller at a time, who has asked whether there is room.
    pub(super) fn push(&self, remote: Remote) -> usize {
        let index = self.len.load(Relaxed);
        let taken = self.places[index].set(Arc::new(CachePadded::new(remote)));
        assert!(taken.is_ok(), "two have added a worker at once");
        // Release: pairs with the acquire in `len`: who sees the number sees the worker.
        self.len.store(index + 1, Release);
        index
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    /// Whether there is no room for another.
    pub(super) fn is_full(&self) -> bool {
        self.len() == self.places.len()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Remote> {
        (0..self.len()).map(|index| &self[index])
    }

    /// One of them, to keep.
    pub(super) fn share(&self, index: usize) -> Arc<CachePadded<Remote>> {
        self.place(index).clone()
    }

    fn place(&self, index: usize) -> &Arc<CachePadded<Remote>> {
        self.places[index].get().expect("a worker has this number")
    }
}

impl Index<usize> for Roster {
    type Output = Remote;

    fn index(&self, index: usize) -> &Remote {
        self.place(index)
    }
}
