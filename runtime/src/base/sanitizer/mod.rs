//! What a sanitizer is told when one execution is left for another; nothing, unless the crate is built for one.
//!
//! AddressSanitizer (the feature `asan`) and ThreadSanitizer (`tsan`) keep books on each thread: where its stack is, its
//! calls, what it knows of the others. They find them through the thread pointer, so the books they open are those of an
//! *identity*, and must be put right whenever another execution goes on under it. Terms:
//!
//! - an `Execution` is what the sanitizer has on one stack: for ASan its bounds and its fake stack, for TSan its fiber;
//! - `leave`: the running execution closes its books. The identity is *vacant* then;
//! - `enter`: an execution opens its books under a vacant identity.
//!
//! A change of executions is `leave`, the load of the next one's thread pointer, `enter` on the next one's behalf, the
//! switch. So each identity is told by itself, whether the other one is the same or not: what is said before the load
//! reaches the books of who leaves, what is said after it those of who comes. A home at rest is vacant.
//!
//! Between `leave` and `enter` no function may be called that is not in line: TSan counts calls and returns in the books
//! that are open, and would count the call in one and the return in another.

#[cfg_attr(feature = "asan", path = "sys_asan.rs")]
#[cfg_attr(all(feature = "tsan", not(feature = "asan")), path = "sys_tsan.rs")]
#[cfg_attr(not(any(feature = "asan", feature = "tsan")), path = "sys_none.rs")]
mod sys;

#[cfg(not(loom))]
pub(crate) use sys::fence;
pub(crate) use sys::{Execution, acquire_count, received, sent};
