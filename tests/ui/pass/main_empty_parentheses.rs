// `#[sward::main()]` is `#[sward::main]`; `-> ()` may be written; a body that calls itself calls what it sees.
#![deny(warnings)]

use std::sync::atomic::{AtomicUsize, Ordering};

static CALLS: AtomicUsize = AtomicUsize::new(0);

#[sward::main()]
#[allow(clippy::unused_unit)]
fn main() -> () {
    if CALLS.fetch_add(1, Ordering::SeqCst) < 2 {
        main();
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 3);
}
