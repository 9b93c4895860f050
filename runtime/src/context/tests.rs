//! What every backend must do, on the same code: `Context` is not used here, for it knows one backend a process.
//! The switches are in line in the test functions, as they are in the runtime's.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::panic::catch_unwind;
use std::thread;

use super::{Context, Entry, Transfer};

/// One backend, as a type, so that `switch` is in line in each instance of a test.
trait Backend: 'static {
    /// # Safety
    /// As `Context::new`.
    unsafe fn fresh(top: *mut u8, bottom: *mut u8, entry: Entry) -> Context;
    /// # Safety
    /// As `Context::resume`, and `to` is this backend's.
    unsafe fn switch(to: Context, data: usize) -> Transfer;
}

/// Runs each test on the backend of that name.
macro_rules! on {
    ($backend:ident: $($test:ident),* $(,)?) => {
        mod $backend {
            use super::super::{$backend as backend, Context, Entry, Transfer};

            struct This;
            impl super::Backend for This {
                #[inline(always)]
                unsafe fn fresh(top: *mut u8, bottom: *mut u8, entry: Entry) -> Context {
                    // SAFETY: passed on to the caller.
                    unsafe { backend::fresh(top, bottom, entry) }
                }
                #[inline(always)]
                unsafe fn switch(to: Context, data: usize) -> Transfer {
                    // SAFETY: passed on to the caller.
                    unsafe { backend::switch(to, data) }
                }
            }

            $(#[test]
            fn $test() {
                super::$test::<This>();
            })*
        }
    };
}

/// Runs the tests on all backends.
macro_rules! on_all {
    ($($test:ident),* $(,)?) => {
        on!(boost: $($test),*);
        #[cfg(all(
            any(target_arch = "x86_64", target_arch = "aarch64"),
            target_pointer_width = "64",
            unix,
            not(feature = "boost-context")
        ))]
        on!(asm: $($test),*);
    };
}

on_all!(
    words_go_both_ways,
    what_is_live_stays,
    a_realigned_frame_stays,
    the_first_frame_is_aligned,
    deep_frames_stay,
    a_context_moves_to_another_thread,
    many_take_turns,
    a_panic_is_caught_on_its_stack,
    a_backtrace_ends,
);

/// Bytes of stack: enough for `deep_frames_stay` in a debug build.
const STACK_SIZE: usize = 1024 * 1024;

type StackMemory = Box<[MaybeUninit<u128>]>;

fn start<B: Backend>(entry: Entry) -> (StackMemory, Context) {
    let mut stack: StackMemory = Box::new_uninit_slice(STACK_SIZE / size_of::<u128>());
    let range = stack.as_mut_ptr_range();
    // SAFETY: the memory is aligned, and all tests keep it until they have resumed the context for the last time.
    let context = unsafe { B::fresh(range.end.cast(), range.start.cast(), entry) };
    (stack, context)
}

/// Resumes a context whose stack lives. The tests resume no other.
#[inline(always)]
fn switch<B: Backend>(to: Context, data: usize) -> Transfer {
    // SAFETY: the stack lives; no frame of these tests holds on to a thread-local across a switch.
    unsafe { B::switch(to, data) }
}

fn words_go_both_ways<B: Backend>() {
    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        loop {
            transfer = switch::<B>(transfer.from, !transfer.data);
        }
    }
    let (_stack, mut other) = start::<B>(entry::<B>);
    for i in 0..1000 {
        let word = black_box(i) * 0x0123_4567_89ab;
        let transfer = switch::<B>(other, word);
        assert_eq!(transfer.data, !word);
        other = transfer.from;
    }
}

/// More integers and floats than there are registers, all different for each seed.
struct Values {
    integers: [usize; 20],
    floats: [f64; 36],
}

impl Values {
    #[inline(always)]
    fn new(seed: usize) -> Self {
        Self {
            integers: std::array::from_fn(|i| black_box(seed * 100 + i)),
            floats: std::array::from_fn(|i| black_box((seed * 100 + i) as f64 + 0.5)),
        }
    }

    #[inline(always)]
    fn check(self, seed: usize) {
        for (i, integer) in self.integers.into_iter().enumerate() {
            assert_eq!(integer, black_box(seed * 100 + i));
        }
        for (i, float) in self.floats.into_iter().enumerate() {
            assert_eq!(
                float.to_bits(),
                black_box((seed * 100 + i) as f64 + 0.5).to_bits()
            );
        }
    }
}

/// What is in registers before a switch, on either side, is there after it. Also few values, which fit into the
/// callee-saved registers: the caller of a function that switches has its own there.
fn what_is_live_stays<B: Backend>() {
    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        loop {
            let seed = transfer.data + 7;
            let values = Values::new(seed);
            transfer = switch::<B>(transfer.from, 0);
            values.check(seed);
        }
    }
    #[inline(never)]
    fn turn<B: Backend>(other: Context, seed: usize) -> Context {
        switch::<B>(other, seed).from
    }
    let (_stack, mut other) = start::<B>(entry::<B>);
    for seed in 0..50 {
        let values = Values::new(seed);
        other = switch::<B>(other, seed).from;
        values.check(seed);

        let [a, b, c, d, e] = std::array::from_fn(|i| black_box(seed + i));
        let [p, q, r, s] = std::array::from_fn(|i| black_box((seed + i) as f32));
        other = turn::<B>(other, seed);
        assert_eq!([a, b, c, d, e], std::array::from_fn(|i| seed + i));
        assert_eq!([p, q, r, s], std::array::from_fn(|i| (seed + i) as f32));
    }
}

/// A frame with a stricter alignment than the stack's has a base pointer besides its frame pointer.
fn a_realigned_frame_stays<B: Backend>() {
    #[repr(align(128))]
    struct Aligned([usize; 16]);

    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        loop {
            transfer = turn::<B>(transfer.from, transfer.data + 1);
        }
    }
    #[inline(never)]
    fn turn<B: Backend>(other: Context, seed: usize) -> Transfer {
        let mut local = Aligned(std::array::from_fn(|i| black_box(seed + i)));
        let address = black_box(&raw mut local);
        let transfer = switch::<B>(other, seed);
        assert_eq!(address, black_box(&raw mut local));
        assert!(address.addr().is_multiple_of(128));
        assert_eq!(local.0, std::array::from_fn(|i| seed + i));
        transfer
    }
    let (_stack, mut other) = start::<B>(entry::<B>);
    for seed in 0..50 {
        let transfer = turn::<B>(other, seed);
        assert_eq!(transfer.data, seed + 1);
        other = transfer.from;
    }
}

/// The compiler takes the ABI's alignment for granted: it aligns by it what it moves with aligned instructions.
fn the_first_frame_is_aligned<B: Backend>() {
    extern "C" fn entry<B: Backend>(transfer: Transfer) -> ! {
        let local = black_box(1u128);
        // Through the black box: of the address itself the compiler knows that it is aligned.
        let misaligned = black_box(&raw const local).addr() % 16;
        let mut floats = black_box([1.0f32, 2.0, 3.0, 4.0]);
        for float in &mut floats {
            *float *= 2.0;
        }
        assert_eq!(format!("{:?}", black_box(floats)), "[2.0, 4.0, 6.0, 8.0]");
        switch::<B>(transfer.from, misaligned);
        unreachable!();
    }
    let (_stack, other) = start::<B>(entry::<B>);
    assert_eq!(switch::<B>(other, 0).data, 0);
}

/// Switches from the bottom of a deep recursion, and again from each frame on the way back.
fn deep_frames_stay<B: Backend>() {
    const DEPTH: usize = 500;

    extern "C" fn entry<B: Backend>(transfer: Transfer) -> ! {
        let from = Cell::new(Some(transfer.from));
        let sum = descend::<B>(&from, DEPTH);
        switch::<B>(from.take().unwrap(), sum);
        unreachable!();
    }
    #[inline(never)]
    fn descend<B: Backend>(from: &Cell<Option<Context>>, depth: usize) -> usize {
        let local = black_box([depth; 8]);
        let below = if depth == 0 {
            0
        } else {
            descend::<B>(from, depth - 1)
        };
        let transfer = switch::<B>(from.take().unwrap(), depth);
        from.set(Some(transfer.from));
        assert_eq!(black_box(local), [depth; 8]);
        below + depth
    }
    let (_stack, mut other) = start::<B>(entry::<B>);
    for depth in 0..=DEPTH {
        let transfer = switch::<B>(other, 0);
        assert_eq!(transfer.data, depth);
        other = transfer.from;
    }
    assert_eq!(switch::<B>(other, 0).data, DEPTH * (DEPTH + 1) / 2);
}

fn a_context_moves_to_another_thread<B: Backend>() {
    struct Moved(StackMemory, Context);
    // SAFETY: the frames of `entry` use no thread-local across a switch, and hold nothing that is not `Send`.
    unsafe impl Send for Moved {}

    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        let mut sum = 0;
        loop {
            sum += transfer.data;
            transfer = switch::<B>(transfer.from, sum);
        }
    }
    let (stack, other) = start::<B>(entry::<B>);
    let transfer = switch::<B>(other, 1);
    let mut moved = Moved(stack, transfer.from);
    for i in 2..=10 {
        let there = thread::spawn(move || {
            let Moved(stack, other) = { moved };
            let transfer = switch::<B>(other, i);
            assert_eq!(transfer.data, i * (i + 1) / 2);
            Moved(stack, transfer.from)
        });
        moved = there.join().unwrap();
    }
    assert_eq!(switch::<B>(moved.1, 0).data, 55);
}

/// Several stacks, resumed in turn, one from the other.
fn many_take_turns<B: Backend>() {
    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        let (_stack, mut inner) = start::<B>(double::<B>);
        loop {
            let doubled = switch::<B>(inner, transfer.data);
            inner = doubled.from;
            transfer = switch::<B>(transfer.from, doubled.data + 1);
        }
    }
    extern "C" fn double<B: Backend>(mut transfer: Transfer) -> ! {
        loop {
            transfer = switch::<B>(transfer.from, transfer.data * 2);
        }
    }
    let (_stacks, mut contexts): (Vec<_>, Vec<_>) = (0..10).map(|_| start::<B>(entry::<B>)).unzip();
    for turn in 0..20 {
        contexts = contexts
            .into_iter()
            .enumerate()
            .map(|(i, other)| {
                let transfer = switch::<B>(other, i * turn);
                assert_eq!(transfer.data, 2 * i * turn + 1);
                transfer.from
            })
            .collect();
    }
    // `entry` never ends, so nobody frees the stacks it has made for `double`.
}

/// An unwinding ends where it is caught, also when it had to come through a frame that had switched meanwhile.
fn a_panic_is_caught_on_its_stack<B: Backend>() {
    struct CountDrop<'a>(&'a Cell<usize>);
    impl Drop for CountDrop<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    extern "C" fn entry<B: Backend>(transfer: Transfer) -> ! {
        let from = Cell::new(Some(transfer.from));
        let drops = Cell::new(0);
        let caught = catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _outer = CountDrop(&drops);
            let transfer = switch::<B>(from.take().unwrap(), 1);
            from.set(Some(transfer.from));
            let _inner = CountDrop(&drops);
            fail(transfer.data);
        }));
        let right = *caught.unwrap_err().downcast::<String>().unwrap() == "failed with 5";
        switch::<B>(from.take().unwrap(), usize::from(right) * 10 + drops.get());
        unreachable!();
    }
    #[inline(never)]
    fn fail(word: usize) {
        panic!("failed with {}", black_box(word));
    }
    let (_stack, other) = start::<B>(entry::<B>);
    let transfer = switch::<B>(other, 0);
    assert_eq!(transfer.data, 1);
    assert_eq!(switch::<B>(transfer.from, 5).data, 12);
}

/// A walk of the frames comes to the first one and no further, whatever lies above the stack.
fn a_backtrace_ends<B: Backend>() {
    extern "C" fn entry<B: Backend>(mut transfer: Transfer) -> ! {
        loop {
            let trace = marked_capture();
            let text = Box::into_raw(Box::new(trace.to_string()));
            transfer = switch::<B>(transfer.from, text.expose_provenance());
        }
    }
    #[inline(never)]
    fn marked_capture() -> Backtrace {
        black_box(Backtrace::force_capture())
    }
    let (_stack, mut other) = start::<B>(entry::<B>);
    for _ in 0..3 {
        let transfer = switch::<B>(other, 0);
        // SAFETY: `entry` has made it by `into_raw` and keeps nothing of it.
        let text = unsafe {
            Box::from_raw(std::ptr::with_exposed_provenance_mut::<String>(
                transfer.data,
            ))
        };
        assert!(text.contains("marked_capture"), "{text}");
        // Of the frames that called this test there are none.
        assert!(!text.contains("run_test"), "it left its stack: {text}");
        assert!(text.lines().count() < 20, "it did not end: {text}");
        other = transfer.from;
    }
}
