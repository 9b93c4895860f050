//! std's locks between greenlets and threads. They block the worker, for a short time here, and are sound.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread;

use sward_tests::{Rng, Storm, Suspension, each_config, each_runtime, storm};

#[test]
fn locks() {
    each_config(|config| {
        config.run(|runtime| {
            let shared = Arc::new((Mutex::new(0u64), RwLock::new([0u64; 8]), AtomicU64::new(0)));
            let theirs = shared.clone();
            let change = move |rng: &mut Rng| {
                let (sum, list, all) = &*theirs;
                let number = rng.below(100);
                *sum.lock().unwrap() += number;
                let before = list.read().unwrap()[0];
                for place in &mut *list.write().unwrap() {
                    *place += number;
                }
                let list = list.read().unwrap();
                assert!(list[0] >= before && list.iter().all(|place| *place == list[0]));
                all.fetch_add(number, SeqCst);
            };
            let from_threads = [1, 2].map(|seed| {
                let change = change.clone();
                thread::spawn(move || {
                    let mut rng = Rng::new(seed);
                    (0..2000).for_each(|_| change(&mut rng));
                })
            });
            storm(
                config,
                runtime,
                Storm {
                    rounds: 50,
                    ..Storm::default()
                },
                move |rng, _| {
                    change(rng);
                    Suspension::any(rng).suspend();
                },
            );
            for thread in from_threads {
                thread.join().unwrap();
            }
            let all = shared.2.load(SeqCst);
            assert_eq!(*shared.0.lock().unwrap(), all);
            assert_eq!(*shared.1.read().unwrap(), [all; 8]);
        });
    });
}

/// Greenlets wait for what threads bring.
#[test]
fn condition_variables() {
    each_runtime(|runtime| {
        const NUMBERS: u64 = 400;
        let queue = Arc::new((Mutex::new(VecDeque::new()), Condvar::new()));
        let take = |queue: &(Mutex<VecDeque<u64>>, Condvar)| {
            let (numbers, more) = queue;
            let mut numbers = more
                .wait_while(numbers.lock().unwrap(), |numbers| numbers.is_empty())
                .unwrap();
            numbers.pop_front().unwrap()
        };
        let consumers: Vec<_> = (0..8)
            .map(|_| {
                let queue = queue.clone();
                runtime.spawn(move || {
                    let mut sum = 0;
                    for _ in 0..NUMBERS / 8 {
                        sum += take(&queue);
                        sward::yield_now();
                    }
                    sum
                })
            })
            .collect();
        let producers = [0, 1].map(|parity| {
            let queue = queue.clone();
            thread::spawn(move || {
                for number in (parity..NUMBERS).step_by(2) {
                    queue.0.lock().unwrap().push_back(number);
                    queue.1.notify_one();
                }
            })
        });
        let sum: u64 = consumers
            .into_iter()
            .map(|consumer| consumer.join().unwrap())
            .sum();
        assert_eq!(sum, NUMBERS * (NUMBERS - 1) / 2);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn one_time_initialization() {
    each_runtime(|runtime| {
        static LAZY: LazyLock<u64> = LazyLock::new(|| 5);
        let cells = Arc::new((Once::new(), OnceLock::new(), AtomicU64::new(0)));
        let handles: Vec<_> = (0..50)
            .map(|number| {
                let cells = cells.clone();
                runtime.spawn(move || {
                    sward::yield_now();
                    cells.0.call_once(|| {
                        cells.2.fetch_add(1, SeqCst);
                    });
                    *cells.1.get_or_init(|| number) + *LAZY
                })
            })
            .collect();
        let first = handles.into_iter().map(|handle| handle.join().unwrap());
        let first: Vec<u64> = first.collect();
        assert!(first.iter().all(|seen| *seen == first[0]));
        assert_eq!(cells.2.load(SeqCst), 1);
    });
}

/// A barrier between as many threads as there are and one greenlet.
#[test]
fn barriers() {
    each_runtime(|runtime| {
        let barrier = Arc::new(Barrier::new(3));
        let threads = [1, 2].map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || (0..50).filter(|_| barrier.wait().is_leader()).count())
        });
        let leads = runtime.block_on(move || {
            let wait = |_: &i32| {
                sward::yield_now();
                barrier.wait().is_leader()
            };
            (0..50).filter(wait).count()
        });
        let theirs: usize = threads
            .map(|thread| thread.join().unwrap())
            .into_iter()
            .sum();
        assert_eq!(leads + theirs, 50);
    });
}

/// Standard output has a lock that one thread may take several times: the owner is a home.
#[test]
fn standard_output() {
    use std::io::Write;
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 5,
                    ..Storm::default()
                },
                |rng, _| {
                    let mut outer = std::io::stdout().lock();
                    let mut inner = std::io::stdout().lock();
                    inner.write_all(b"").unwrap();
                    outer.flush().unwrap();
                    drop((inner, outer));
                    Suspension::any(rng).suspend();
                },
            );
        });
    });
}
