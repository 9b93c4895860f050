//! That every value is dropped exactly once: each closure and each result in a storm holds a [`Token`].

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// What a token says while it lives, and once it is dropped: a second drop of the same memory is seen.
const ALIVE: u64 = 0x5eed_a11e_5eed_a11e;
const DEAD: u64 = 0xdead_dead_dead_dead;

/// A value that is counted.
#[derive(Debug)]
pub(crate) struct Token(Box<u64>);

impl Token {
    pub(crate) fn new() -> Token {
        MADE.fetch_add(1, SeqCst);
        Token(Box::new(ALIVE))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        assert_eq!(*self.0, ALIVE, "a token that is not alive was dropped");
        *self.0 = DEAD;
        DROPPED.fetch_add(1, SeqCst);
    }
}

/// How many tokens there are.
pub(crate) fn living() -> u64 {
    // Dropped first: what is dropped in between is not taken for one that never was.
    let dropped = DROPPED.load(SeqCst);
    MADE.load(SeqCst).wrapping_sub(dropped)
}
