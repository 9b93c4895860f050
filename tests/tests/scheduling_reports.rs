//! Greenlets that hold up their workers are reported: who, where, for how long.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sward::{Builder, HeldUp};
use sward_tests::{child, each_config, until};

#[inline(never)]
fn computes_for_long(over: &AtomicBool) -> u64 {
    let mut sum = 0;
    while !over.load(SeqCst) {
        sum = black_box(sum + 1);
    }
    sum
}

#[inline(never)]
fn sleeps_for_long(over: &AtomicBool) -> u64 {
    let mut times = 0;
    while !over.load(SeqCst) {
        thread::sleep(Duration::from_millis(5));
        times = black_box(times + 1);
    }
    times
}

type Holds = fn(&AtomicBool) -> u64;

const ALL: [(&str, Holds); 2] = [
    ("computes_for_long", computes_for_long),
    ("sleeps_for_long", sleeps_for_long),
];

#[test]
fn who_where_and_how_long() {
    each_config(|config| {
        for (name, holds) in ALL {
            let (tell, told) = mpsc::channel::<HeldUp>();
            let builder = config.builder().on_held_up(move |report| {
                _ = tell.send(report.clone());
            });
            let runtime = builder.build().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let flag = over.clone();
            let began = Instant::now();
            let greenlet = Builder::new().name(name);
            let greenlet = greenlet.spawn_on(&runtime.handle(), move || holds(&flag));
            let greenlet = greenlet.unwrap();
            let report = told.recv().unwrap();
            assert_eq!(report.greenlet().id(), greenlet.greenlet().id());
            assert!(!report.is_over() && report.elapsed() <= began.elapsed());
            let text = report.to_string();
            let site = greenlet.greenlet().spawned_at();
            assert_eq!(site.file(), file!());
            let first = format!(
                "greenlet '{name}' (id {}, spawned at {site}) holds up its worker for {} ms",
                report.greenlet().id(),
                report.elapsed().as_millis()
            );
            assert_eq!(text.lines().next(), Some(&*first));
            assert!(
                text.contains(&format!("at {name}")) || text.contains(&format!("::{name}")),
                "{text}"
            );
            // The inquiry is not part of what the greenlet did.
            assert!(!text.contains("inquiry"), "{text}");
            over.store(true, SeqCst);
            greenlet.join().unwrap();
            let end = told.recv().unwrap();
            assert!(end.is_over() && end.elapsed() >= report.elapsed());
            assert!(
                end.to_string().contains(") held up its worker for "),
                "{end}"
            );
            runtime.shutdown(Duration::from_secs(100)).unwrap();
        }
    });
}

/// Those that leave often are not reported, however busy they are.
#[test]
fn the_busy_are_not_reported() {
    each_config(|config| {
        let (tell, told) = mpsc::channel::<HeldUp>();
        let builder = config.builder().on_held_up(move |report| {
            _ = tell.send(report.clone());
        });
        let runtime = builder.build().unwrap();
        let all: Vec<_> = (0..20)
            .map(|_| {
                runtime.spawn(|| {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_millis(60) {
                        sward::yield_now();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        // One that the kernel kept from its processor in the middle of a turn does not count.
        let reports: Vec<_> = told.try_iter().map(|report| report.to_string()).collect();
        assert!(reports.is_empty(), "{reports:?}");
    });
}

/// A hook that panics ends nothing.
#[test]
fn a_hook_that_panics() {
    let body = || {
        let told = Arc::new(AtomicBool::new(false));
        let flag = told.clone();
        let builder = sward::Runtime::builder().workers(1).on_held_up(move |_| {
            flag.store(true, SeqCst);
            panic!("out of paper");
        });
        let runtime = builder.build().unwrap();
        for _ in 0..2 {
            told.store(false, SeqCst);
            let seen = told.clone();
            runtime
                .spawn(move || {
                    until(|| {
                        thread::sleep(Duration::from_millis(30));
                        seen.load(SeqCst)
                    })
                })
                .join()
                .unwrap();
        }
        println!("went on");
    };
    child::run("a_hook_that_panics", &[], body, |ended| {
        ended.succeeded();
        assert!(ended.errors_with("out of paper") >= 2, "{ended}");
    });
}

#[test]
fn by_the_environment() {
    // Reads its own standard error until the report is there, which is a report on this reading.
    let reads = || {
        let (reader, writer) = std::io::pipe().unwrap();
        // SAFETY: no memory is involved.
        unsafe { libc::dup2(writer.as_raw_fd(), 2) };
        let blocks = Builder::new().name("blocks").spawn(move || {
            let mut lines = BufReader::new(reader).lines();
            lines.find(|line| {
                line.as_ref()
                    .unwrap()
                    .starts_with("sward: greenlet 'blocks' (id ")
            })
        });
        println!("{}", blocks.unwrap().join().unwrap().unwrap().unwrap());
    };
    let on = [("SWARD_HELD_UP", "report")];
    child::run("by_the_environment/on", &on, reads, |ended| {
        ended.succeeded();
        assert!(ended.stdout.contains("holds up its worker"), "{ended}");
    });
    let body = || drop(sward::spawn(|| ()));
    let wrong = [("SWARD_HELD_UP", "perhaps")];
    child::run("by_the_environment/wrong", &wrong, body, |ended| {
        assert_eq!(
            ended.errors_with("SWARD_HELD_UP must be report"),
            1,
            "{ended}"
        );
    });
}
