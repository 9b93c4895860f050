//! The macros of [`sward`](https://docs.rs/sward): `go!`, `#[sward::main]` and `#[sward::test]`.
//!
//! Use them through `sward`, which exports them under these names: what they expand to refers to `::sward`.
//!
//! This file has the entry points and their documentation. They parse their input and call `sward`; which runtime
//! there is and how it behaves is decided there and not here.

#![forbid(unsafe_code)]

mod config;
mod entry;
mod function;
mod go;
mod options;
mod select;

use proc_macro::TokenStream;

/// Runs an expression, a block or a closure in a new greenlet and gives its `JoinHandle`.
///
/// This is [`std::thread::spawn`] for greenlets, with less to write around what runs. The value of the macro is the
/// `sward::JoinHandle<T>` of the new greenlet, where `T` is the type of what runs. The handle may be dropped: that
/// detaches the greenlet, which goes on running.
///
/// | written | runs in the new greenlet |
/// |---|---|
/// | `go!(f(x, y))`, any expression | the expression, with `f`'s arguments |
/// | `go!({ ... })` | the block |
/// | <code>go!(move \|\| ...)</code>, <code>go!(\|\| ...)</code> | the body of the closure, which has no parameters |
/// | `go!(f)`, a name or a path | a call of `f`, a function or a variable that holds a closure |
///
/// Every variable of the caller that appears in it is moved into the greenlet, with or without the word `move`; to
/// use it on both sides, clone it first. All that is moved in, and the result, must be `Send` and `'static`. As
/// the whole expression runs in the greenlet, so do the arguments of a call: in `go!(f(g(x)))`, `g` is called there
/// too.
///
/// `return` and `?` leave the greenlet with a value for `join`, as they leave a closure, and `break` cannot reach a
/// loop outside. Several statements need a block. As a statement the macro needs a semicolon, also when it is
/// written with braces, `go! { f(x) };`. `async` closures and blocks are refused: a greenlet would end
/// without having polled them.
///
/// # Options
///
/// They stand first, separated by commas, in any order, each at most once, and a `;` ends them:
/// `go!(name = "conn", stack_size = 64 * 1024; f(x))`. They are evaluated by the caller, in the order written,
/// before the greenlet is made.
///
/// | option | value | default |
/// |---|---|---|
/// | `name` | `impl Into<String>`: the name of the greenlet, for messages and dumps | none |
/// | `stack_size` | `usize`, in bytes: the least size of its stack, rounded up to the next size that the runtime has | that of the runtime |
///
/// # Errors
///
/// There is none to handle. To have an `std::io::Result` where this macro panics, use `sward::Builder`.
///
/// # Panics
///
/// If the greenlet cannot be made, as [`std::thread::spawn`] does: when there is no default runtime yet and it cannot
/// be started, when `stack_size` is above the largest that the runtime has, or when spawning in a runtime that is being
/// shut down.
///
/// A panic in the greenlet does not come here: `join` gives it as an error.
///
/// # Examples
///
/// ```
/// use sward::go;
///
/// fn sum(numbers: &[u32]) -> u32 {
///     numbers.iter().sum()
/// }
///
/// let numbers = vec![1, 2, 3];
/// let of_a_call = go!(sum(&numbers));
/// let of_a_block = go!({
///     let more = [4, 5];
///     sum(&more)
/// });
/// assert_eq!(of_a_call.join().unwrap() + of_a_block.join().unwrap(), 15);
/// ```
///
/// Closures, functions and options:
///
/// ```
/// use sward::go;
///
/// fn answer() -> u32 {
///     42
/// }
///
/// assert_eq!(go!(answer).join().unwrap(), 42);
/// assert_eq!(go!(|| answer() + 1).join().unwrap(), 43);
///
/// for id in 0..3 {
///     let handle = go!(name = format!("conn {id}"), stack_size = 64 * 1024; answer() + id);
///     assert_eq!(handle.greenlet().name(), Some(&*format!("conn {id}")));
///     assert_eq!(handle.join().unwrap(), 42 + id);
/// }
/// ```
///
/// What is moved is gone from the caller; what is not `Send` cannot be moved:
///
/// ```compile_fail,E0277
/// let counter = std::rc::Rc::new(1);
/// sward::go!(println!("{counter}"));
/// ```
#[proc_macro]
pub fn go(input: TokenStream) -> TokenStream {
    go::expand(input.into()).into()
}

/// Runs the body of `main` in a greenlet.
///
/// The attribute starts a runtime, runs the body of the function as its first greenlet and ends the process with what
/// the body returned. The thread that the process began with waits meanwhile.
///
/// The function must be called `main`. It may return whatever `main` may return without the attribute: nothing,
/// [`ExitCode`](std::process::ExitCode), `!`, `Result<(), E>` with any `E: Debug`, which need not be `Send`; in
/// short, any [`Termination`](std::process::Termination). It keeps its visibility and its other attributes. It cannot be
/// `async`, `const`, `unsafe`, `extern` or generic and cannot have parameters.
///
/// As with threads, the process ends when `main` does: greenlets that still run then are not waited for. `join` those
/// that must finish.
///
/// # Arguments
///
/// Each may be given once, in any order. One that is not given is read from the environment variable, and without
/// that has the default:
///
/// | argument | value | variable | default |
/// |---|---|---|---|
/// | `workers` | `usize`, 1 to 4,096: the OS threads that run greenlets | `SWARD_WORKERS` | one for each CPU |
/// | `homes` | `"moving"`: an idle worker may take over a greenlet that has started; `"fixed"`: only fresh ones | `SWARD_HOMES` | `"moving"` where the system allows it |
/// | `stack_size` | `usize`, in bytes, up to 1 GiB: the least stack of a greenlet that does not ask for its own, the body of `main` included | `SWARD_STACK_SIZE` | 256 KiB |
///
/// `workers` and `stack_size` may be any expression; `homes` is one of the two literals.
///
/// The runtime is the default one, which `sward::spawn` uses on plain threads too. Where it runs already when `main` is
/// called, because something spawned before or because `main` calls itself, the body runs in it as it is: the arguments
/// then have no effect, and neither do values out of range.
///
/// # Errors
///
/// If the body returns `Err`, it is printed to the standard error as without the attribute, and the exit code is 1.
///
/// The same if the runtime cannot be started: a value out of range, here or in the environment, or no memory or threads
/// to be had. `Error: ` and which of them it was is printed to the standard error, the body does not run, and the exit
/// code is 1.
///
/// # Panics
///
/// A panic of the body ends the process as without the attribute, with exit code 101.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// #[sward::main]
/// fn main() -> Result<(), Box<dyn Error>> {
///     let handle = sward::go!("7".parse::<u32>());
///     assert_eq!(handle.join()??, 7);
///     Ok(())
/// }
/// ```
///
/// With arguments:
///
/// ```
/// #[sward::main(workers = 2, homes = "fixed", stack_size = 128 * 1024)]
/// fn main() {
///     let handles: Vec<_> = (0..100).map(|n| sward::go!(n * 2)).collect();
///     let sum: u32 = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
///     assert_eq!(sum, 9900);
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(function::Kind::Main, arguments.into(), item.into()).into()
}

/// Makes a function a unit test whose body runs in a greenlet.
///
/// It takes the place of `#[test]`, which it adds by itself. The function may have any name and returns what a test may
/// return: nothing, or any [`Termination`](std::process::Termination), for instance a `Result`. It keeps its other
/// attributes: `#[ignore]`, `#[should_panic]` (on functions that return nothing, as without greenlets) and the rest. It
/// cannot be `async`, `const`, `unsafe`, `extern` or generic and cannot have parameters.
///
/// Each test has a runtime of its own, so tests do not disturb each other, and one may ask for what another must not
/// have.
///
/// # Arguments
///
/// The same as those of `#[sward::main]`, with the same defaults: `workers` (`usize`, 1 to 4,096), `homes`
/// (`"moving"` or `"fixed"`), `stack_size` (`usize`, in bytes, up to 1 GiB).
///
/// # Errors
///
/// If the body returns `Err`, the test fails and the error is printed.
///
/// # Panics
///
/// If the body panics, or the runtime cannot be started; in both cases the test fails, or passes if it is
/// `#[should_panic]`.
///
/// # Examples
///
/// ```
/// #[sward::test]
/// fn handles_give_results() {
///     assert_eq!(sward::go!(1 + 1).join().unwrap(), 2);
/// }
///
/// #[sward::test(workers = 1)]
/// fn one_worker_is_enough() -> Result<(), std::num::ParseIntError> {
///     let handle = sward::go!("7".parse::<u32>());
///     assert_eq!(handle.join().unwrap()?, 7);
///     Ok(())
/// }
///
/// #[sward::test(homes = "fixed")]
/// #[should_panic(expected = "out of luck")]
/// fn panics_arrive() {
///     panic!("out of luck");
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(function::Kind::Test, arguments.into(), item.into()).into()
}

/// Asserts that both are the same code, however it is spaced.
#[cfg(test)]
#[track_caller]
fn same(left: impl ToString, right: impl ToString) {
    let packed = |code: &str| code.split_whitespace().collect::<String>();
    let [left, right] = [left.to_string(), right.to_string()];
    assert_eq!(packed(&left), packed(&right), "{left}\n!=\n{right}");
}

/// Waits for one of several things, and does what belongs to the one that came.
///
/// ```
/// # let mut one = sward::spawn(|| 1);
/// # let mut other = sward::spawn(|| 2);
/// let first = sward::select! {
///     result = one.join() => result.unwrap(),
///     result = other.join() => result.unwrap(),
/// };
/// assert!(first == 1 || first == 2);
/// ```
///
/// An arm is `pattern = what.method(...) => body`. If several can be done at once, one is chosen at random, all alike; if none can,
/// the macro waits, in a greenlet by parking, until one can. The one that was chosen has been done; all others are as if nobody had
/// waited for them: no message was taken or dropped, nothing was sent, no permit used.
///
/// | waited for | is done when | value for the pattern |
/// |---|---|---|
/// | `receiver.recv()` | there is a message, or the channel is closed | as that of the method. A receiver of `oneshot` or `broadcast` must be mutable, and stays |
/// | `receiver.changed()` | the value of a `watch` has changed, or its senders are gone | as that of the method |
/// | `sender.send(value)` | there is room or a receiver, or the channel is closed | as that of the method |
/// | `sender.send_from(&mut option)` | the same; the value is taken out of the `Option`, and left there if another arm is chosen | the same |
/// | `handle.join()` | the greenlet has ended | as that of the method. The handle must be mutable and stays; its value is gone |
/// | `event.wait()`, `notify.wait()` | the event is set, or there is a notification | `()` |
/// | `listener.accept()` | there is a connection | as that of the method |
/// | `stream.read(&mut buffer)` | there are bytes, or the end, or an error | as that of the method |
///
/// What is waited for, and the value of a `send`, is evaluated first, in the order written, whether the arm is chosen or not; the value
/// of a `send` that is not chosen is dropped, as in Go (use `send_from` to keep it).
///
/// - `pattern = what.method(...), if condition => body`: if the condition is false, the arm is left out.
/// - `default => body`: if none of the arms can be done at once.
/// - `timeout(duration) => body`, `deadline(instant) => body`: if none can be done in time.
/// - `biased;` before the arms: the first of those that can be done is chosen, in the order written.
///
/// Bodies are ordinary blocks: `break`, `continue`, `return` and `?` mean what they say, and what the arms borrowed is free
/// again. Patterns must fit whatever comes, as those of `let`.
///
/// Up to eight arms need no allocation.
///
/// # Panics
///
/// If all arms are left out by their conditions and there is no `default` or limit.
///
/// # Cancellation
///
/// A wait that is cancelled has done none of the things. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut slow = sward::spawn(sward::park);
/// sward::select! {
///     _ = slow.join() => panic!("it is parked"),
///     timeout(Duration::from_millis(5)) => println!("too slow"),
/// }
/// slow.greenlet().unpark();
/// slow.join().unwrap();
/// ```
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    select::expand(input.into()).into()
}
