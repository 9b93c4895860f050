// Nothing that a user may name disturbs what `go!` expands to, and it names nothing that the user could see.
#![no_implicit_prelude]
#![deny(warnings)]
#![allow(dead_code)]

mod sward {
    pub fn spawn() {}
    pub struct Builder;
}

mod std {}

mod core {}

struct Result;
struct Option;
struct Ok;
struct Err;
struct Some;
struct None;
struct String;
struct JoinHandle;

fn spawn() -> u8 {
    1
}

fn spawned() -> u8 {
    2
}

// Methods of the same names, on everything.
trait Same: ::core::marker::Sized {
    fn name(self, _: &str) {}
    fn stack_size(self, _: usize) {}
    fn spawn<F>(self, _: F) {}
}

impl<T> Same for T {}

macro_rules! quietly {
    (block $b:block) => {
        ::sward::go!($b)
    };
    ($f:path) => {
        ::sward::go!($f)
    };
    ($e:expr) => {
        ::sward::go!($e)
    };
    ($name:literal, $stack:expr, $e:expr) => {
        ::sward::go!(name = $name, stack_size = $stack; $e)
    };
}

fn main() {
    let builder = 1;
    let callable = 2;
    let handle = ::sward::go!(spawn() + spawned() + builder + callable);
    ::std::assert_eq!(handle.join().unwrap(), 6);

    let handle = ::sward::go!(name = "x", stack_size = 65536; spawn() + builder);
    ::std::assert_eq!(handle.join().unwrap(), 2);

    // Fragments of other macros are seen as what they are.
    ::std::assert_eq!(quietly!(spawn).join().unwrap(), 1);
    ::std::assert_eq!(quietly!(|| spawn() + 1).join().unwrap(), 2);
    ::std::assert_eq!(quietly!(builder + 2).join().unwrap(), 3);
    ::std::assert_eq!(quietly!(block { spawn() }).join().unwrap(), 1);
    ::std::assert_eq!(quietly!("x", 32768 * 2, spawned()).join().unwrap(), 2);
}
