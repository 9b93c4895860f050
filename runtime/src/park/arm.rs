//! One of several things that a wait may be for.
//!
//! A select has one `Wait` and an arm for each thing. It asks every arm whether it can be done now (`try_now`); if none can, it
//! begins a wait, enlists every arm with a token whose tag is the arm's number, and parks. The token that fires first decides: it
//! ends the wait, so no other can.
//!
//! What is done is done either by `try_now`, while no wait is under way, or by somebody else who has ended the wait by the arm's
//! token, never by both. So an arm that finds on enlisting that it could be done now does not do it: the select leaves
//! its wait first, and if that had been ended meanwhile, that arm counts.
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::time::Instant;

use super::wait::Wait;

/// See the module. An arm is pinned, for its place in a line may lie in it; dropped, it has left the line.
pub trait Arm {
    /// Does it, if that needs no waiting. Whether it was done; what came of it is in the arm then. It is in no line now.
    fn try_now(self: Pin<&mut Self>) -> bool;

    /// Gets in line with a token of `wait` that has the tag `tag`. True if it could be done now, as far as one can see: then the
    /// wait must not be parked.
    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool;

    /// Leaves the line. To be called for each arm after the wait has ended, before anything else.
    fn leave(self: Pin<&mut Self>);

    /// This arm's token has ended the wait, and it has left the line. Whether it is done: if somebody else was faster, the select
    /// begins anew. It has to try: nobody else was told.
    fn fired(self: Pin<&mut Self>) -> bool {
        self.try_now()
    }

    /// When it can be done without anybody's doing, if that is known.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether it is a socket: somebody outside the process may end the wait.
    fn is_socket(&self) -> bool {
        false
    }
}

/// What comes of an arm.
pub trait Outcome: Arm {
    /// The value.
    type Value;

    /// The value of an arm that was done. To be called once.
    fn take(self: Pin<&mut Self>) -> Self::Value;
}
