//! Shows what a parked greenlet costs: starts a million of them, measures, wakes and joins them all.
//!
//! `million [N]`, 1,000,000 by default. Memory is read from `/proc`, on Linux only.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const MOMENT: Duration = Duration::from_millis(1);

static GO_ON: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

fn wait_to_go_on() {
    STARTED.fetch_add(1, SeqCst);
    // `park` may return early, as `std::thread::park` may.
    while !GO_ON.load(SeqCst) {
        sward::park();
    }
    ENDED.fetch_add(1, SeqCst);
}

#[sward::main]
fn main() -> ExitCode {
    let count: usize = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => 1_000_000,
        Some(Ok(count)) => count,
        Some(Err(e)) => {
            eprintln!("million: how many greenlets? {e}");
            return ExitCode::from(2);
        }
    };
    // From its first suspension on, this greenlet is among those that the runtime counts.
    sward::sleep(MOMENT);
    let suspended = || sward::Handle::current().metrics().suspended;
    let others = suspended();
    let before = Memory::now();

    let start = Instant::now();
    let handles: Vec<_> = (0..count).map(|_| sward::spawn(wait_to_go_on)).collect();
    // To have started is not enough: each must have given its worker back.
    while STARTED.load(SeqCst) < count || suspended() < others + count {
        sward::sleep(MOMENT);
    }
    println!(
        "{count} greenlets spawned and parked in {:.3} s",
        start.elapsed().as_secs_f64()
    );
    match (before, Memory::now()) {
        (Some(before), Some(now)) => now.report(&before, count),
        _ => println!("memory: unknown on this system"),
    }

    let start = Instant::now();
    GO_ON.store(true, SeqCst);
    for handle in &handles {
        handle.greenlet().unpark();
    }
    for handle in handles {
        handle.join().expect("none of them panics");
    }
    println!(
        "{count} greenlets woken and joined in {:.3} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(ENDED.load(SeqCst), count, "every greenlet ran to its end");
    ExitCode::SUCCESS
}

/// What this process holds, in bytes.
struct Memory {
    resident: usize,
    page_tables: usize,
}

impl Memory {
    fn now() -> Option<Memory> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let bytes = |name| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(value.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
        };
        Some(Memory {
            resident: bytes("VmRSS:")?,
            page_tables: bytes("VmPTE:")?,
        })
    }

    fn report(&self, before: &Memory, count: usize) {
        let per_greenlet = |now: usize, then| now.saturating_sub(then) / count.max(1);
        let resident = per_greenlet(self.resident, before.resident);
        let page_tables = per_greenlet(self.page_tables, before.page_tables);
        println!(
            "resident: {resident} bytes per greenlet, {} MB in all",
            self.resident >> 20
        );
        println!("page tables: {page_tables} bytes per greenlet");
        println!("together: {} bytes per greenlet", resident + page_tables);
    }
}
