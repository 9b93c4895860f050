//! The tokens that wait for one thing: a direction of a source, the end of a runtime.
//!
//! First come, first served; a short lock around a small list. A token leaves by being taken to be fired, or with the
//! value that enlisted it: however its wait ends, nothing of it stays behind.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::base::lock::lock;
use crate::greenlet::Token;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// Oldest first, so the numbers ascend.
    tokens: VecDeque<(u64, Token)>,
    next: u64,
}

impl WaitQueue {
    /// Puts `token` at the end, for as long as the value that is returned lives.
    pub(crate) fn enlist(&self, token: Token) -> Enlisted<'_> {
        let mut queue = lock(&self.0);
        let number = queue.next;
        queue.next += 1;
        queue.tokens.push_back((number, token));
        Enlisted {
            queue: self,
            number,
        }
    }

    /// Fires every token that is in the queue now. How many waits that has ended.
    pub(crate) fn fire_all(&self) -> usize {
        let mut fired = 0;
        // One at a time and outside the lock, for a firing may run scheduler code; those who come back meanwhile have
        // looked at the source again, and stay.
        let (mut token, end) = {
            let mut queue = lock(&self.0);
            let first = queue.tokens.pop_front();
            // With one waiter, as most often, this was all.
            let end = (!queue.tokens.is_empty()).then_some(queue.next);
            (first.map(|(_, token)| token), end)
        };
        while let Some(due) = token {
            fired += usize::from(due.fire());
            token = end.and_then(|end| self.pop_before(end));
        }
        fired
    }

    fn pop_before(&self, end: u64) -> Option<Token> {
        let mut queue = lock(&self.0);
        let due = queue
            .tokens
            .front()
            .is_some_and(|&(number, _)| number < end);
        if due {
            queue.tokens.pop_front().map(|(_, token)| token)
        } else {
            None
        }
    }
}

/// A token's place in the queue, given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Enlisted<'a> {
    queue: &'a WaitQueue,
    number: u64,
}

impl Enlisted<'_> {
    /// The token has fired, so it is in the queue no more.
    pub(crate) fn fired(self) {
        debug_assert!(self.find(&lock(&self.queue.0)).is_err());
        std::mem::forget(self);
    }

    fn find(&self, queue: &Queue) -> Result<usize, usize> {
        queue
            .tokens
            .binary_search_by_key(&self.number, |&(number, _)| number)
    }
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue.0);
        let found = self.find(&queue);
        let token = found.ok().and_then(|at| queue.tokens.remove(at));
        drop(queue);
        drop(token);
    }
}
