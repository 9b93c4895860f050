//! Greenlets that do not leave their worker, because they compute or block its thread, do not stop the others.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sward::net::{TcpListener, TcpStream};
use sward::{Handle, JoinHandle, Runtime};
use sward_tests::{Config, Kind, Watchdog, each_config, settle, until, within_attempts};

/// What holds up a worker until it is told to stop.
#[derive(Clone, Copy, Debug)]
enum Hold {
    Computes,
    /// First it computes, and is noticed for that.
    ComputesAndReads,
    Sleeps,
    Reads,
    Locks,
}

impl Hold {
    const ALL: [Hold; 5] = [
        Hold::Computes,
        Hold::ComputesAndReads,
        Hold::Sleeps,
        Hold::Reads,
        Hold::Locks,
    ];
}

/// Keeps its processor for so long.
fn compute(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Greenlets that hold up as many workers, until this is dropped.
struct Holders {
    stop: Arc<AtomicBool>,
    pipes: Vec<std::io::PipeWriter>,
    lock: Option<std::sync::mpsc::Sender<()>>,
    greenlets: Vec<JoinHandle<()>>,
}

impl Holders {
    /// Returns when all hold.
    fn start(handle: &Handle, count: usize, how: Hold) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let holding = Arc::new(AtomicUsize::new(0));
        let mutex = Arc::new(Mutex::new(()));
        let (lock, locked) = std::sync::mpsc::channel::<()>();
        if let Hold::Locks = how {
            let (mutex, (tell, is_locked)) = (mutex.clone(), std::sync::mpsc::channel());
            thread::spawn(move || {
                let _guard = mutex.lock().unwrap();
                tell.send(()).unwrap();
                let _ = locked.recv();
            });
            is_locked.recv().unwrap();
        }
        let (mut pipes, mut greenlets) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (stop, holding, mutex) = (stop.clone(), holding.clone(), mutex.clone());
            let (mut reader, writer) = std::io::pipe().unwrap();
            pipes.push(writer);
            greenlets.push(handle.spawn(move || {
                holding.fetch_add(1, SeqCst);
                match how {
                    Hold::Computes => {
                        while !stop.load(SeqCst) {
                            std::hint::spin_loop();
                        }
                    }
                    Hold::Sleeps => {
                        while !stop.load(SeqCst) {
                            thread::sleep(Duration::from_millis(20));
                        }
                    }
                    Hold::ComputesAndReads => {
                        compute(Duration::from_millis(30));
                        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
                    }
                    Hold::Reads => assert_eq!(reader.read(&mut [0]).unwrap(), 0),
                    Hold::Locks => drop(mutex.lock().unwrap()),
                }
            }));
        }
        until(|| holding.load(SeqCst) == count);
        Self {
            stop,
            pipes,
            lock: Some(lock),
            greenlets,
        }
    }

    fn end(mut self) {
        self.stop.store(true, SeqCst);
        self.pipes.clear();
        drop(self.lock.take());
        self.greenlets
            .drain(..)
            .for_each(|greenlet| greenlet.join().unwrap());
    }
}

/// What 99 of a hundred `times` do not exceed.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100 - 1]
}

/// How late sleeps of 5 ms by `sleep` are.
fn lateness(sleep: impl Fn(Duration)) -> Duration {
    const BEAT: Duration = Duration::from_millis(5);
    let beat = |_| {
        let before = Instant::now();
        sleep(BEAT);
        before.elapsed().saturating_sub(BEAT)
    };
    p99((0..200).map(beat).collect())
}

/// How long 64 bytes take there and back, between two greenlets over a socket.
fn echo() -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = sward::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        std::io::copy(&mut &stream, &mut &stream).unwrap();
        stream.flush().unwrap();
    });
    let mut client = TcpStream::connect(address).unwrap();
    let mut there_and_back = |number| {
        let before = Instant::now();
        client.write_all(&[number; 64]).unwrap();
        let mut back = [0; 64];
        client.read_exact(&mut back).unwrap();
        assert_eq!(back, [number; 64]);
        before.elapsed()
    };
    let times = (0..200).map(&mut there_and_back).collect();
    drop(client);
    server.join().unwrap();
    p99(times)
}

/// As many are held up as there are workers: what `ours` measures in a greenlet stays below 30 ms, but for what the machine
/// makes a thread wait that sleeps beside. Now and then a busy machine may spoil it.
fn goes_on(config: Config, holds: &[Hold], ours: fn() -> Duration) {
    for &how in holds {
        let runtime = config.build();
        let handle = runtime.handle();
        within_attempts(5, || {
            let holders = Holders::start(&handle, config.parallel(), how);
            let threads = thread::spawn(|| lateness(thread::sleep));
            let ours = runtime.spawn(ours).join().unwrap();
            assert!(handle.metrics().spares > 0);
            holders.end();
            until(|| handle.metrics().spares == 0);
            let theirs = threads.join().unwrap();
            let text = format!("{config}, {how:?}: {ours:?}, a thread is {theirs:?} late");
            println!("{text}");
            let limit = Duration::from_millis(30) + 2 * theirs;
            if ours < limit { Ok(()) } else { Err(text) }
        });
        settle(&handle);
        runtime.shutdown(Duration::from_secs(100)).unwrap();
    }
}

/// Where all share two homes, one that is free of the holder's may be missing.
fn has_homes_enough(config: Config) -> bool {
    config.kind != Kind::Few
}

#[test]
fn a_heartbeat_goes_on() {
    each_config(|config| {
        if has_homes_enough(config) {
            goes_on(config, &Hold::ALL, || lateness(sward::sleep));
        }
    });
}

#[test]
fn an_echo_goes_on() {
    each_config(|config| {
        if has_homes_enough(config) {
            goes_on(config, &[Hold::Computes, Hold::Reads], echo);
        }
    });
}

/// A lock of std's is held by a greenlet that sleeps, and all workers wait for it.
#[test]
fn a_lock_held_across_a_suspension() {
    for workers in [1, 2, 4, 8] {
        let kind = Kind::Moving;
        let config = Config { workers, kind };
        if !config.is_possible() {
            return;
        }
        let _watchdog = Watchdog::new(config);
        let runtime = config.build();
        let mutex = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let mutex = mutex.clone();
                runtime.spawn(move || {
                    for _ in 0..3 {
                        let mut count = mutex.lock().unwrap();
                        let before = *count;
                        sward::sleep(Duration::from_millis(1));
                        *count = before + 1;
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*mutex.lock().unwrap(), 60);
        until(|| runtime.handle().metrics().spares == 0);
    }
}

/// With fixed homes those that have started on the held-up worker wait for it; those that have not started do not.
#[test]
fn what_fixed_homes_rescue() {
    let kind = Kind::Fixed;
    let config = Config { workers: 1, kind };
    let _watchdog = Watchdog::new(config);
    let runtime = config.build();
    let handle = runtime.handle();
    let woken = Arc::new(AtomicBool::new(false));
    let flag = woken.clone();
    let started = runtime.spawn(move || {
        sward::park();
        flag.store(true, SeqCst);
    });
    until(|| handle.metrics().suspended == 1);
    let holders = Holders::start(&handle, 1, Hold::Computes);
    started.greenlet().unpark();
    // Starts on a spare, where it stays: it waits, and is woken there.
    let fresh = runtime.spawn(|| (0..20).for_each(|_| sward::sleep(Duration::from_millis(1))));
    fresh.join().unwrap();
    assert!(!woken.load(SeqCst), "it ran elsewhere than at home");
    assert_eq!(handle.metrics().spares, 1);
    holders.end();
    started.join().unwrap();
    assert!(woken.load(SeqCst));
    until(|| handle.metrics().spares == 0);
    // The spare steps down when nobody is at home there, and not before.
    let holders = Holders::start(&handle, 1, Hold::Computes);
    let at_spare = runtime.spawn(sward::park);
    until(|| handle.metrics().suspended == 1);
    assert_eq!(handle.metrics().spares, 1);
    holders.end();
    let before = Instant::now();
    while before.elapsed() < Duration::from_millis(300) {
        assert_eq!(handle.metrics().spares, 1);
        runtime.spawn(|| ()).join().unwrap();
    }
    at_spare.greenlet().unpark();
    at_spare.join().unwrap();
    until(|| handle.metrics().spares == 0);
    runtime.shutdown(Duration::from_secs(100)).unwrap();
}

/// The limit holds, and no spare is called where it is the number of workers.
#[test]
fn no_more_than_the_limit() {
    for (workers, most) in [(1, 1), (1, 3), (2, 2), (2, 5)] {
        let _watchdog = Watchdog::new(format!("{workers} workers, {most} at most"));
        let builder = Runtime::builder().workers(workers).max_workers(most);
        let runtime = builder.build().unwrap();
        let handle = runtime.handle();
        let first = Holders::start(&handle, workers, Hold::Sleeps);
        let more: Vec<_> = (0..most + 3)
            .map(|_| runtime.spawn(|| thread::sleep(Duration::from_millis(50))))
            .collect();
        let all_spares = most - workers;
        until(|| handle.metrics().spares == all_spares);
        let before = Instant::now();
        while before.elapsed() < Duration::from_millis(40) {
            assert!(handle.metrics().spares <= all_spares);
            thread::yield_now();
        }
        if all_spares == 0 {
            assert!(more.iter().all(|one| !one.is_finished()));
        }
        first.end();
        more.into_iter().for_each(|one| one.join().unwrap());
        until(|| handle.metrics().spares == 0);
    }
}

/// Workers that are blocked leave their processors idle: each has a spare, also if it was noticed for a computation first.
#[test]
fn as_many_run_as_before() {
    for workers in [2, 4] {
        for how in [Hold::Reads, Hold::ComputesAndReads] {
            let _watchdog = Watchdog::new(format!("{workers} workers, {how:?}"));
            let runtime = Runtime::builder().workers(workers).build().unwrap();
            let handle = runtime.handle();
            let holders = Holders::start(&handle, workers, how);
            // All at once, each of which needs the others to go on.
            let barrier = Arc::new(std::sync::Barrier::new(workers));
            let all: Vec<_> = (0..workers)
                .map(|_| {
                    let barrier = barrier.clone();
                    runtime.spawn(move || _ = barrier.wait())
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            holders.end();
            settle(&handle);
        }
    }
}

/// A computation that holds up nobody calls no spare.
#[test]
fn alone_it_may_compute() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    let holders = Holders::start(&handle, 2, Hold::Computes);
    let before = Instant::now();
    while before.elapsed() < Duration::from_millis(200) {
        assert_eq!(handle.metrics().spares, 0);
        thread::sleep(Duration::from_millis(1));
    }
    holders.end();
}

/// Runtimes that end while spares work, rest, and are called.
#[test]
fn an_end_with_spares() {
    each_config(|config| {
        for round in 0..6 {
            let runtime = config.builder().name("endsp").build().unwrap();
            let handle = runtime.handle();
            let holders = Holders::start(&handle, config.parallel(), Hold::Sleeps);
            let sleeper = runtime.spawn(|| sward::sleep(Duration::from_millis(2)));
            match round % 3 {
                // While they work, except where the sleeper shares its home with a holder.
                0 if config.kind != Kind::Few => {
                    sleeper.join().unwrap();
                    holders.end();
                }
                // While they rest.
                1 => {
                    holders.end();
                    sleeper.join().unwrap();
                    until(|| handle.metrics().spares == 0);
                }
                // Whatever they do.
                _ => {
                    holders.end();
                    sleeper.join().unwrap();
                }
            }
            if round < 3 {
                runtime.shutdown(Duration::from_secs(100)).unwrap();
            } else {
                drop(runtime);
            }
        }
        until(|| named("endsp-") == 0);
    });
}

/// Spares that are not needed any more end after a while.
#[test]
fn spares_end() {
    let config = Config {
        workers: 2,
        kind: Kind::Fixed,
    };
    let _watchdog = Watchdog::new(config);
    let runtime = config.builder().name("ends").build().unwrap();
    let handle = runtime.handle();
    for _ in 0..2 {
        let holders = Holders::start(&handle, 2, Hold::Reads);
        let beat = runtime.spawn(|| sward::sleep(Duration::from_millis(1)));
        beat.join().unwrap();
        holders.end();
        until(|| handle.metrics().spares == 0);
        assert!(named("ends-2") >= 1, "it rests");
        until(|| named("ends-2") + named("ends-3") == 0);
    }
}

/// How many threads of this process have a name that begins so.
fn named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.starts_with(name))
        .count()
}
