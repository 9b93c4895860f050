//! The tokens that wait for one source to become ready.
//!
//! First come, first served; a short lock around a small list. Tokens leave by being taken to be fired, which happens
//! outside the lock, or by their own wait when it ended in another way.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Mutex;

use super::wait::Wait;
use crate::base::lock::lock;
use crate::greenlet::Token;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue(Mutex<VecDeque<Token>>);

impl WaitQueue {
    /// Adds a token at the end.
    pub(crate) fn enlist(&self, token: Token) {
        lock(&self.0).push_back(token);
    }

    /// Takes back the token of `wait`. False if somebody has taken it to fire it.
    pub(crate) fn delist(&self, wait: &Wait) -> bool {
        let mut queue = lock(&self.0);
        let at = queue.iter().position(|token| wait.owns(token));
        let token = at.and_then(|at| queue.remove(at));
        drop(queue);
        token.is_some()
    }

    /// Fires every token that is in the queue now.
    pub(crate) fn fire_all(&self) -> usize {
        let waiting = lock(&self.0).len();
        let mut fired = 0;
        // One at a time and outside the lock, for a firing may run scheduler code; no more than there were, for those
        // who were woken may have come back already.
        for _ in 0..waiting {
            let Some(token) = self.pop() else { break };
            fired += usize::from(token.fire());
        }
        fired
    }

    fn pop(&self) -> Option<Token> {
        lock(&self.0).pop_front()
    }
}
