//! How much of their stacks greenlets use: measured, by greenlet and by spawn site.

use sward::{Builder, JoinHandle};
use sward_tests::{child, each_config, until};

/// Room for what lies above the closure's frame and below it, debug code included, and for rounding up to pages.
const SLACK: usize = 24 << 10;

/// Touches at least `bytes` of the stack, page by page, and not much more; suspends there.
#[inline(never)]
fn touch(bytes: usize, at_the_end: &mut dyn FnMut()) -> u8 {
    let frame = std::hint::black_box([1_u8; 1024]);
    let here = std::ptr::from_ref(&frame).addr();
    go_down(here + 1024, bytes, at_the_end) + frame[here % 1024]
}

#[inline(never)]
fn go_down(from: usize, bytes: usize, at_the_end: &mut dyn FnMut()) -> u8 {
    let frame = std::hint::black_box([1_u8; 1024]);
    if from - std::ptr::from_ref(&frame).addr() >= bytes {
        at_the_end();
        return frame[0];
    }
    go_down(from, bytes, at_the_end).wrapping_add(frame[bytes % 1024])
}

fn within(used: Option<usize>, bytes: usize) {
    let used = used.expect("the system tells");
    assert!((bytes..bytes + SLACK).contains(&used), "{used} for {bytes}");
}

/// Each has its own mark, whoever had its stack before: while it waits, while it runs, and after its end.
#[test]
fn each_greenlet_has_its_own() {
    each_config(|config| {
        let runtime = config.builder().measure_stacks(true).build().unwrap();
        let handle = runtime.handle();
        // Deep ones first, whose stacks the others get.
        for bytes in [150_000, 1_000, 60_000, 0] {
            let parked: Vec<_> = (0..20)
                .map(|_| runtime.spawn(move || touch(bytes, &mut sward::park)))
                .collect();
            until(|| handle.metrics().suspended == 20);
            for one in &parked {
                within(one.greenlet().stack_used(), bytes);
                assert_eq!(one.greenlet().stack_size(), 256 << 10);
                one.greenlet().unpark();
            }
            for one in parked {
                let greenlet = one.greenlet().clone();
                one.join().unwrap();
                within(greenlet.stack_used(), bytes);
            }
            let own = runtime.spawn(move || {
                touch(bytes, &mut || ());
                sward::current().stack_used()
            });
            within(own.join().unwrap(), bytes);
        }
        runtime
            .shutdown(std::time::Duration::from_secs(100))
            .unwrap();
    });
}

#[test]
fn a_table_of_sites() {
    each_config(|config| {
        let runtime = config.builder().measure_stacks(true).build().unwrap();
        let handle = runtime.handle();
        let spawn = |bytes: usize, ends: bool| -> Vec<JoinHandle<()>> {
            let body = move || {
                let mut wait = || {
                    if ends {
                        sward::yield_now()
                    } else {
                        sward::park()
                    }
                };
                touch(bytes, &mut wait);
            };
            let one = |body| Builder::new().stack_size(512 << 10).spawn_on(&handle, body);
            // Two sites: the small ones' and the large ones'.
            match bytes {
                0..50_000 => (0..10).map(|_| runtime.spawn(body)).collect(),
                _ => (0..10).map(|_| one(body).unwrap()).collect(),
            }
        };
        let mut ended: Vec<_> = [(1_000, true), (40_000, true), (100_000, true)]
            .into_iter()
            .flat_map(|(bytes, ends)| spawn(bytes, ends))
            .collect();
        ended.drain(..).for_each(|one| one.join().unwrap());
        let waiting = spawn(300_000, false);
        until(|| handle.metrics().suspended == 10);
        let table = handle.stack_usage();
        let lines: Vec<_> = table
            .iter()
            .map(|line| (line.greenlets, line.stack_size, line.site.file()))
            .collect();
        assert_eq!(
            lines,
            [(20, 512 << 10, file!()), (20, 256 << 10, file!())],
            "{table:?}"
        );
        within(Some(table[0].most_used), 300_000);
        within(Some(table[1].most_used), 40_000);
        for one in waiting {
            one.greenlet().unpark();
            one.join().unwrap();
        }
        assert_eq!(handle.stack_usage().len(), 2);
    });
}

/// Not measured, the number is of the stack and at most too large, and there is none without a stack.
#[test]
fn without_measuring() {
    each_config(|config| {
        let runtime = config.build();
        let handle = runtime.handle();
        let parked = runtime.spawn(|| touch(30_000, &mut sward::park));
        until(|| handle.metrics().suspended == 1);
        let greenlet = parked.greenlet().clone();
        assert!(greenlet.stack_used().unwrap() >= 30_000);
        greenlet.unpark();
        parked.join().unwrap();
        assert_eq!(greenlet.stack_used(), None);
        assert!(handle.stack_usage().is_empty());
        drop(runtime);
        assert_eq!(greenlet.stack_used(), None);
    });
}

/// The default runtime measures if the environment says so; a wrong word is an error.
#[test]
fn by_the_environment() {
    let body = || {
        let joined = sward::spawn(|| touch(20_000, &mut || ()));
        let greenlet = joined.greenlet().clone();
        joined.join().unwrap();
        within(greenlet.stack_used(), 20_000);
    };
    let on = [("SWARD_MEASURE_STACKS", "1")];
    child::run("by_the_environment/on", &on, body, |ended| {
        ended.succeeded()
    });
    let wrong = [("SWARD_MEASURE_STACKS", "perhaps")];
    child::run("by_the_environment/wrong", &wrong, body, |ended| {
        assert!(!ended.status.success());
        assert_eq!(
            ended.errors_with("SWARD_MEASURE_STACKS must be"),
            1,
            "{ended}"
        );
    });
}
