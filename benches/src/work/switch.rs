//! The raw switch: `n` resumptions and as many suspensions of one stack, without any scheduler.

use std::time::Instant;

use context::stack::ProtectedFixedSizeStack;
use context::{Context, Transfer};
use corosensei::{Coroutine, CoroutineResult};

use super::{Job, ns_each};
use crate::outcome::Outcome;
use crate::runtimes::Runtime;

pub(crate) fn run(runtime: Runtime, job: Job) -> Result<Outcome, String> {
    let begun = Instant::now();
    match runtime {
        Runtime::Sward => sward::__bench::switch_round_trips(job.n),
        Runtime::Corosensei => corosensei(job.n),
        Runtime::Context => boost(job.n),
        other => return Err(format!("{} shows no raw switch", other.name())),
    }
    // Each turn is two switches.
    Ok(Outcome::of("ns", ns_each(begun, job.n * 2)))
}

fn corosensei(turns: u64) {
    let mut coroutine = Coroutine::new(move |yielder, ()| {
        for i in 0..turns {
            yielder.suspend(i);
        }
    });
    for i in 0..turns {
        match coroutine.resume(()) {
            CoroutineResult::Yield(at) => assert_eq!(at, i),
            CoroutineResult::Return(()) => unreachable!("it suspends as often as it is resumed"),
        }
    }
    let CoroutineResult::Return(()) = coroutine.resume(()) else {
        unreachable!("it ends after the last turn")
    };
}

fn boost(turns: u64) {
    let stack = ProtectedFixedSizeStack::new(64 * 1024).expect("there is memory for a stack");
    // SAFETY: the stack outlives the last resumption, and `echo` never returns.
    let mut transfer = Transfer::new(unsafe { Context::new(&stack, echo) }, 0);
    for i in 0..turns {
        // SAFETY: the context is the one that was suspended last; its stack is alive.
        transfer = unsafe { transfer.context.resume(i as usize) };
        assert_eq!(transfer.data, i as usize);
    }
}

/// Hands back what it is given, for ever. It owns nothing, so its stack may be freed under it.
extern "C" fn echo(mut transfer: Transfer) -> ! {
    loop {
        // SAFETY: the context is the one that resumed this; it waits in `boost`.
        transfer = unsafe { transfer.context.resume(transfer.data) };
    }
}
