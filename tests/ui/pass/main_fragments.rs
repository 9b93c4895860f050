// `#[sward::main]` written by another macro.
#![deny(warnings)]

macro_rules! start {
    ($workers:expr, $homes:literal, $name:ident, $body:block) => {
        #[sward::main(workers = $workers, homes = $homes)]
        fn $name() $body
    };
}

start!(1 + 1, "fixed", main, {
    assert_eq!(sward::go!(1 + 1).join().unwrap(), 2);
});
