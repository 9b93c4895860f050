//! Thread-locals with destructors: made once in each home that uses them, dropped once, in their home, when the runtime ends.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use sward_tests::{Config, Storm, Suspension, each_config, settle, storm};

/// What happened to the thread-locals of one case.
#[derive(Default)]
struct Record {
    made: Mutex<Vec<ThreadId>>,
    dropped: Mutex<HashMap<ThreadId, u64>>,
    uses: AtomicU64,
}

struct Local {
    record: Arc<Record>,
    made_by: ThreadId,
    uses: Cell<u64>,
}

impl Local {
    fn new(record: &Arc<Record>) -> Local {
        let made_by = thread::current().id();
        record.made.lock().unwrap().push(made_by);
        Local {
            record: record.clone(),
            made_by,
            uses: Cell::new(0),
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // A panic here would end the process: what is wrong shows in the record.
        let by = thread::current().id();
        let in_a_greenlet = sward::try_current().is_some();
        let uses = if by == self.made_by && !in_a_greenlet {
            self.uses.get()
        } else {
            u64::MAX / 2
        };
        *self.record.dropped.lock().unwrap().entry(by).or_default() += uses;
    }
}

thread_local! {
    static LOCAL: Cell<Option<Local>> = const { Cell::new(None) };
}

/// Uses the home's thread-local, without an atomic.
fn use_local(record: &Arc<Record>) {
    LOCAL.with(|local| {
        let taken = local.take().unwrap_or_else(|| Local::new(record));
        taken.uses.set(taken.uses.get() + 1);
        local.set(Some(taken));
    });
    record.uses.fetch_add(1, SeqCst);
}

/// A case by itself: the runtime has ended when this returns.
fn run(config: Config, end: impl FnOnce(sward::Runtime)) {
    let record = Arc::new(Record::default());
    let runtime = config.build();
    let theirs = record.clone();
    storm(config, &runtime, Storm::default(), move |rng, _| {
        use_local(&theirs);
        Suspension::any(rng).suspend();
        use_local(&theirs);
    });
    settle(&runtime.handle());
    assert!(
        record.dropped.lock().unwrap().is_empty(),
        "a home ended too early"
    );
    end(runtime);
    let mut made = record.made.lock().unwrap().clone();
    let dropped = record.dropped.lock().unwrap();
    let homes = made.len();
    made.sort_unstable_by_key(|id| format!("{id:?}"));
    made.dedup();
    assert_eq!(made.len(), homes, "a home made it twice");
    assert_eq!(dropped.len(), homes, "each home that made one dropped one");
    assert!(made.iter().all(|id| dropped.contains_key(id)));
    // Each use was counted in its home, by one at a time.
    assert_eq!(dropped.values().sum::<u64>(), record.uses.load(SeqCst));
}

#[test]
fn run_at_shutdown() {
    each_config(|config| {
        run(config, |runtime| {
            runtime.shutdown(Duration::from_secs(100)).unwrap()
        });
    });
}

#[test]
fn run_when_the_runtime_is_dropped() {
    each_config(|config| run(config, drop));
}
