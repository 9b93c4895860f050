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

/// The tokens, oldest first, so the numbers ascend.
#[derive(Debug, Default)]
struct Queue {
    /// The oldest, which most often is the only one: here, it takes no memory elsewhere that would have to be brought near.
    first: Option<(u64, Token)>,
    /// The others; empty if there is no first.
    rest: VecDeque<(u64, Token)>,
    next: u64,
}

impl Queue {
    fn push(&mut self, token: Token) -> u64 {
        let number = self.next;
        self.next += 1;
        match self.first {
            None => self.first = Some((number, token)),
            Some(_) => self.rest.push_back((number, token)),
        }
        number
    }

    fn pop(&mut self) -> Option<Token> {
        let rest = &mut self.rest;
        let first = self.first.take();
        if !rest.is_empty() {
            self.first = rest.pop_front();
        }
        first.map(|(_, token)| token)
    }

    fn pop_before(&mut self, end: u64) -> Option<Token> {
        match self.first {
            Some((number, _)) if number < end => self.pop(),
            _ => None,
        }
    }

    fn remove(&mut self, number: u64) -> Option<Token> {
        if self.first.as_ref().is_some_and(|first| first.0 == number) {
            return self.pop();
        }
        let found = self
            .rest
            .binary_search_by_key(&number, |&(number, _)| number);
        let (_, token) = self.rest.remove(found.ok()?)?;
        Some(token)
    }
}

impl WaitQueue {
    /// Puts `token` at the end, for as long as the value that is returned lives.
    pub(crate) fn enlist(&self, token: Token) -> Enlisted<'_> {
        let number = lock(&self.0).push(token);
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
            let first = queue.pop();
            // With one waiter, as most often, this was all.
            let end = queue.first.is_some().then_some(queue.next);
            (first, end)
        };
        while let Some(due) = token {
            fired += usize::from(due.fire());
            token = end.and_then(|end| lock(&self.0).pop_before(end));
        }
        fired
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
        debug_assert!(lock(&self.queue.0).remove(self.number).is_none());
        std::mem::forget(self);
    }
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        // Dropped outside the lock.
        let token = lock(&self.queue.0).remove(self.number);
        drop(token);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::greenlet::Reason;
    use crate::park::{Ended, Wait};

    /// Whoever leaves, first, last or in the middle, the others stay in order, and none is fired twice.
    #[test]
    fn tokens_leave_in_any_order() {
        for leaver in 0..4 {
            let queue = WaitQueue::default();
            let wait = Wait::begin(Reason::Unpark);
            let mut places: Vec<_> = (0..4).map(|tag| queue.enlist(wait.token(tag))).collect();
            drop(places.remove(leaver));
            assert_eq!(lock(&queue.0).rest.len(), 2);
            // All are of one wait, which the first ends.
            assert_eq!(queue.fire_all(), 1);
            let first = u16::from(leaver == 0);
            assert_eq!(wait.park_until(None), Ended::Fired(first));
            assert!(lock(&queue.0).first.is_none());
            drop(places);
            assert_eq!(queue.fire_all(), 0);
        }
    }
}
