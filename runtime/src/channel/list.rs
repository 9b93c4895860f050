//! A buffer without a bound: crossbeam-queue's `SegQueue`, a linked list of blocks.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::SeqCst;

use crossbeam_queue::SegQueue;

use super::buffered::Buffer;
use crate::base::sync::fence;

/// See the module.
#[derive(Debug)]
pub(super) struct List<T>(SegQueue<T>);

impl<T> List<T> {
    pub(super) fn new() -> Self {
        Self(SegQueue::new())
    }
}

impl<T> Buffer for List<T> {
    type Message = T;

    #[inline]
    fn try_push(&self, value: T) -> Result<(), T> {
        self.0.push(value);
        // SeqCst: between S1 and S2 of `Presence`, whatever the queue does. Nobody waits for room, so `try_pop` needs none.
        fence(SeqCst);
        Ok(())
    }

    #[inline]
    fn try_pop(&self) -> Option<T> {
        self.0.pop()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn is_full(&self) -> bool {
        false
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn close(&self) {}
}
