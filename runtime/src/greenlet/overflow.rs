//! The report of an overflow: whose stack it was, how large, and how to get a larger one.
//!
//! Called by the fault handler (`sys_fault`), on the thread and under the identity of whoever has faulted: the slot names the
//! greenlet. Everything here is async-signal-safe: no lock, no allocation, no buffer but one on the handler's stack.

use std::fmt::{self, Write};

use super::header::from_slot;
use super::switch::Carrier;
use super::sys_fault;
use crate::home::slot;

/// What a worker's thread needs so that an overflow on it is reported; for as long as this lives, on that thread.
#[derive(Debug)]
pub(crate) struct OverflowWatch {
    _stack: Option<sys_fault::AlternateStack>,
}

impl OverflowWatch {
    /// Watches the calling thread.
    pub(crate) fn begin() -> Self {
        sys_fault::install();
        Self {
            _stack: sys_fault::AlternateStack::install(),
        }
    }
}

/// Whether the fault at `address` is an overflow of the stack it happened on; says so then.
pub(super) fn report(address: usize) -> bool {
    // SAFETY: the slot of the identity that has faulted, which is ours.
    let slot = unsafe { &*slot() };
    let carrier = slot.carrier().cast::<Carrier>();
    // SAFETY: whoever is in a slot stays while its code runs, of which this is a part.
    let Some(carrier) = (unsafe { carrier.as_ref() }) else {
        return false;
    };
    let Some(place) = carrier.stacks().find(address) else {
        return false;
    };
    if !place.in_guard {
        return false;
    }
    let mut text = Text::new();
    let size = place.top - place.bottom;
    let result = match from_slot(slot.greenlet()) {
        Some(header) => {
            // SAFETY: a running greenlet is alive, and its life is its own: nobody changes it while we look.
            let (header, life) = unsafe { (header.as_ref(), header.as_ref().life()) };
            let own = life.stack.as_ref();
            if own.is_none_or(|own| own.bottom().addr() != place.bottom) {
                // A stray access to another's guard.
                return false;
            }
            let name = header.name.as_deref().unwrap_or("<unnamed>");
            let (id, site) = (header.id, header.site);
            write!(
                text,
                "sward: greenlet '{name}' (id {id}, spawned at {site}) has overflowed its stack of "
            )
        }
        // It has just ended, and the runtime is still on its stack.
        None => write!(text, "sward: a greenlet has overflowed its stack of "),
    };
    let rest = writeln!(
        text,
        "{} KiB\nsward: `Builder::stack_size` gives one greenlet a larger stack, `RuntimeBuilder::stack_size` or SWARD_STACK_SIZE \
         (bytes) all of them",
        size >> 10
    );
    debug_assert!(result.and(rest).is_ok());
    text.flush();
    true
}

/// Text on its way to standard error, in one piece if it is short.
struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Text {
    fn new() -> Self {
        Self {
            bytes: [0; 512],
            len: 0,
        }
    }

    fn flush(&mut self) {
        sys_fault::write_error(&self.bytes[..self.len]);
        self.len = 0;
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.len == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}
