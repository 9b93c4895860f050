//! `greenlet_local!` takes what `thread_local!` does.

use std::cell::{Cell, RefCell};

sward::greenlet_local! {
    /// Documented.
    pub static COUNT: Cell<u32> = const { Cell::new(3) };
    #[allow(dead_code)]
    pub(crate) static NAMES: RefCell<Vec<String>> = RefCell::new(vec![String::from("Ada")]);
    static __SWARD_LOCAL: Cell<u8> = Cell::new(7)
}

sward::greenlet_local!(static LONE: Cell<i8> = const { Cell::new(-1) });

fn main() {
    COUNT.set(COUNT.get() + 1);
    let seen = sward::spawn(|| {
        (
            COUNT.get(),
            NAMES.with_borrow(Vec::len),
            __SWARD_LOCAL.get(),
            LONE.get(),
        )
    });
    assert_eq!((COUNT.get(), seen.join().unwrap()), (4, (3, 1, 7, -1)));
}
