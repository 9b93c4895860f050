// `#[sward::main]` without arguments: the body runs in a greenlet, and the other attributes hold.
#![deny(warnings)]

/// Documented, and visible.
#[sward::main]
#[expect(unused_variables)]
pub fn main() {
    let unused = 1;
    let current = sward::current();
    let child = sward::go!(sward::current().id());
    assert_ne!(child.join().unwrap(), current.id());
}
