//! `spawn`: what goes in, what comes out, who runs it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sward::{Builder, Handle};
use sward_tests::{Kind, each_config, each_runtime, until};

#[test]
fn values_come_back() {
    each_runtime(|runtime| {
        assert_eq!(runtime.spawn(|| 7).join().unwrap(), 7);
        let text = String::from("text");
        assert_eq!(runtime.spawn(move || text + "!").join().unwrap(), "text!");
        let list = runtime.spawn(|| vec![vec![1], vec![], vec![2, 3]]);
        assert_eq!(list.join().unwrap(), [vec![1], vec![], vec![2, 3]]);
        let result = runtime.spawn(|| "x".parse::<i32>().map_err(|error| error.to_string()));
        assert_eq!(
            result.join().unwrap(),
            Err("invalid digit found in string".to_owned())
        );
        let closure = runtime.spawn(|| Box::new(|x: i32| x + 1) as Box<dyn Fn(i32) -> i32 + Send>);
        assert_eq!(closure.join().unwrap()(1), 2);
        let handle = runtime.spawn(|| sward::spawn(|| 'c'));
        assert_eq!(handle.join().unwrap().join().unwrap(), 'c');
    });
}

#[test]
fn values_of_no_size() {
    #[derive(Debug, PartialEq)]
    struct Nothing;
    each_runtime(|runtime| {
        runtime.spawn(|| ()).join().unwrap();
        assert_eq!(runtime.spawn(|| Nothing).join().unwrap(), Nothing);
        let nothing = Nothing;
        assert_eq!(runtime.spawn(move || nothing).join().unwrap(), Nothing);
        assert_eq!(runtime.spawn(|| [0u64; 0]).join().unwrap(), []);
    });
}

#[test]
fn values_of_great_size_and_alignment() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(4096))]
    struct Aligned(u8);

    fn address_is_good(aligned: &Aligned) -> bool {
        std::ptr::from_ref(aligned).addr().is_multiple_of(4096)
    }

    each_runtime(|runtime| {
        let large = [7u8; 8 * 1024];
        let twice = runtime.spawn(move || (large, large));
        assert!(twice.join().unwrap() == (large, large));
        let handle = runtime.handle();
        let large = [7u8; 64 * 1024];
        let builder = Builder::new().stack_size(2 << 20);
        let back = builder.spawn_on(&handle, move || large).unwrap();
        assert!(back.join().unwrap() == large);
        let aligned = Aligned(3);
        let back = runtime.spawn(move || {
            let kept = aligned;
            assert!(address_is_good(&kept));
            sward::yield_now();
            assert!(address_is_good(&kept));
            kept
        });
        assert_eq!(back.join().unwrap(), Aligned(3));
    });
}

#[test]
fn ten_thousand_from_a_thread() {
    each_runtime(|runtime| {
        let handles: Vec<_> = (0..10_000u64).map(|i| runtime.spawn(move || i)).collect();
        let sum: u64 = handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .sum();
        assert_eq!(sum, 9_999 * 10_000 / 2);
    });
}

#[test]
fn ten_thousand_from_a_greenlet() {
    each_runtime(|runtime| {
        let sum: u64 = runtime.block_on(|| {
            let handles: Vec<_> = (0..10_000u64).map(|i| sward::spawn(move || i)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .sum()
        });
        assert_eq!(sum, 9_999 * 10_000 / 2);
    });
}

#[test]
fn a_tree_of_greenlets_that_join_their_children() {
    fn leaves(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let children = [(); 2].map(|()| sward::spawn(move || leaves(depth - 1)));
        children
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum()
    }
    each_runtime(|runtime| assert_eq!(runtime.block_on(|| leaves(9)), 512));
}

#[test]
fn a_chain_of_greenlets_that_leave_before_their_children() {
    fn link(left: usize, ended: Arc<AtomicUsize>) {
        if left > 0 {
            let next = ended.clone();
            drop(sward::spawn(move || link(left - 1, next)));
        }
        ended.fetch_add(1, SeqCst);
    }
    each_runtime(|runtime| {
        let ended = Arc::new(AtomicUsize::new(0));
        let first = ended.clone();
        drop(runtime.spawn(move || link(1000, first)));
        until(|| ended.load(SeqCst) == 1001);
    });
}

/// Nothing promises an order, but a queue that turns one round starves the greenlets at its far end.
#[test]
fn one_worker_runs_what_a_thread_spawns_about_in_order() {
    each_config(|config| {
        if config.workers > 1 {
            return;
        }
        config.run_without_spares(|runtime| {
            let order = Arc::new(Mutex::new(Vec::new()));
            let run = |number| {
                let order = order.clone();
                runtime.spawn(move || order.lock().unwrap().push(number))
            };
            let handles: Vec<_> = (0..2000usize).map(run).collect();
            for handle in handles {
                handle.join().unwrap();
            }
            for (place, number) in order.lock().unwrap().iter().enumerate() {
                assert!(
                    place.abs_diff(*number) <= 200,
                    "{number} ran as number {place}"
                );
            }
        });
    });
}

#[test]
fn greenlets_know_their_runtime_and_who_they_are() {
    each_config(|config| {
        config.run(|runtime| {
            let who = || (Handle::current().metrics().workers, sward::current().id());
            let outer = runtime.spawn(move || (who(), sward::spawn(who).join().unwrap()));
            let id = outer.greenlet().id();
            let (outer, inner) = outer.join().unwrap();
            assert_eq!(outer, (config.workers, id));
            assert_eq!(inner.0, config.workers);
            assert_ne!(inner.1, id);
            let by_handle = runtime.handle().spawn(who);
            assert_eq!(by_handle.join().unwrap().0, config.workers);
        });
    });
}

#[test]
fn names_and_numbers() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        let named = Builder::new().name("Ada");
        let name = || sward::current().name().map(str::to_owned);
        let named = named.spawn_on(&handle, name).unwrap();
        assert_eq!(named.greenlet().name(), Some("Ada"));
        let (id, greenlet) = (named.greenlet().id(), named.greenlet().clone());
        assert_eq!(named.join().unwrap().as_deref(), Some("Ada"));
        // The greenlet has ended, the handle to it goes on.
        assert_eq!((greenlet.id(), greenlet.name()), (id, Some("Ada")));

        let nameless = runtime.spawn(name);
        assert_eq!(nameless.greenlet().name(), None);
        assert_eq!(nameless.join().unwrap(), None);

        let inside = runtime.spawn(move || Builder::new().name("Bob").spawn(name).unwrap().join());
        assert_eq!(inside.join().unwrap().unwrap().as_deref(), Some("Bob"));

        let ids = (0..1000).map(|_| runtime.spawn(|| sward::current().id()));
        let ids: HashSet<_> = ids.map(|handle| handle.join().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(!ids.contains(&id));
    });
}

#[test]
fn local_children_need_not_be_send() {
    each_runtime(|runtime| {
        let sum = runtime.block_on(|| {
            let shared = std::rc::Rc::new(5);
            let theirs = shared.clone();
            let child = sward::spawn_local(move || std::rc::Rc::new(*theirs + 1));
            let named = Builder::new().name("local");
            let named = named
                .spawn_local(|| sward::current().name() == Some("local"))
                .unwrap();
            assert!(named.join().unwrap());
            *child.join().unwrap() + *shared
        });
        assert_eq!(sum, 11);
    });
}

/// Idle workers help: with every worker but one stuck, what is spawned there is run elsewhere, and by all who are free.
#[test]
fn fresh_greenlets_are_taken_over_by_idle_workers() {
    each_config(|config| {
        // Workers can be told apart by their threads only where they are the homes.
        if config.workers < 2 || config.kind != Kind::Fixed {
            return;
        }
        config.run(|runtime| {
            let released = Arc::new(AtomicUsize::new(0));
            let others = config.workers - 1;
            let met = released.clone();
            let parent = runtime.spawn(move || {
                let children: Vec<_> = (0..others)
                    .map(|_| {
                        let met = met.clone();
                        sward::spawn(move || {
                            met.fetch_add(1, SeqCst);
                            // Keeps its worker, so that each of them needs another one.
                            while met.load(SeqCst) < others {
                                std::thread::yield_now();
                            }
                            std::thread::current().id()
                        })
                    })
                    .collect();
                // Keeps its own, too.
                while met.load(SeqCst) < others {
                    std::thread::yield_now();
                }
                let mut workers = HashSet::from([std::thread::current().id()]);
                workers.extend(children.into_iter().map(|child| child.join().unwrap()));
                workers.len()
            });
            assert_eq!(parent.join().unwrap(), config.workers);
        });
    });
}

/// As std's `Thread` is.
#[test]
fn a_greenlet_can_be_kept_anywhere() {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    fn check<T: Clone + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
    check::<sward::Greenlet>();
}
