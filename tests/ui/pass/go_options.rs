// The options of `go!`: any order, trailing comma, evaluated by the caller in the order written.
#![deny(warnings)]

use std::cell::RefCell;

use sward::go;

thread_local! {
    static EVALUATED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn evaluated<T>(what: &'static str, value: T) -> T {
    EVALUATED.with_borrow_mut(|all| all.push(what));
    value
}

fn double(x: u32) -> u32 {
    2 * x
}

fn main() {
    let x = 21;
    let handle = go!(name = "conn"; double(x));
    assert_eq!(handle.greenlet().name(), Some("conn"));
    assert_eq!(handle.join().unwrap(), 42);

    let owned = String::from("owned");
    let handle = go!(stack_size = 64 * 1024, name = owned,; || double(x));
    assert_eq!(handle.greenlet().name(), Some("owned"));
    assert_eq!(handle.join().unwrap(), 42);

    // What the options use is not moved into the greenlet.
    let text = String::from("both");
    let handle = go!(name = &*text, stack_size = 256 * 1024; { double(x) + 1 });
    assert_eq!(handle.greenlet().name(), Some(&*text));
    assert_eq!(handle.join().unwrap(), 43);

    let handle = go!(
        stack_size = evaluated("stack_size", 64 * 1024),
        name = evaluated("name", "order");
        double(x)
    );
    assert_eq!(EVALUATED.take(), ["stack_size", "name"]);
    assert_eq!(handle.join().unwrap(), 42);
}
