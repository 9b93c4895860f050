//! What std and libc do by way of thread-locals, done by greenlets that migrate: processes, threads, names, backtraces.

use std::backtrace::Backtrace;
use std::collections::HashMap;
use std::net::ToSocketAddrs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

use sward_tests::identity::{errno, identity, set_errno};
use sward_tests::{Rng, Storm, Suspension, each_config, storm};

fn each_storm(storm_of: Storm, round: impl Fn(&mut Rng) + Copy + Send + Sync + 'static) {
    each_config(|config| {
        config.run(|runtime| {
            storm(config, runtime, storm_of, move |rng, _| {
                let before = identity();
                round(rng);
                assert_eq!(identity(), before);
                for _ in 0..4 {
                    Suspension::any(rng).suspend();
                }
            });
        });
    });
}

#[test]
fn processes() {
    let few = Storm {
        greenlets: 4,
        rounds: 2,
        migrations: 20,
    };
    each_storm(few, |rng| {
        let status = Command::new("true").stdin(Stdio::null()).status().unwrap();
        assert!(status.success());
        sward::yield_now();
        let number = rng.number().to_string();
        let output = Command::new("echo").arg(&number).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), number);
        let missing = Command::new("/nowhere/to/be/found").status();
        assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
        // By a real `fork` instead of `posix_spawn`.
        let mut forked = Command::new("true");
        // SAFETY: it does nothing.
        unsafe { forked.pre_exec(|| Ok(())) };
        assert!(forked.status().unwrap().success());
        // A child that lives across suspensions.
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        Suspension::any(rng).suspend();
        drop(cat.stdin.take());
        assert!(cat.wait().unwrap().success());
    });
}

#[test]
fn threads() {
    let few = Storm {
        greenlets: 12,
        rounds: 4,
        migrations: 50,
    };
    each_storm(few, |rng| {
        let (home, number) = (identity(), rng.number());
        let thread = thread::spawn(move || (identity(), number));
        Suspension::any(rng).suspend();
        let (theirs, back) = thread.join().unwrap();
        assert_ne!(theirs, home);
        assert_eq!(back, number);

        let mut list = vec![1, 2, 3];
        let mut sum = 0;
        thread::scope(|scope| {
            scope.spawn(|| list.push(4));
            // The end of the scope waits by `thread::park` of our home's thread.
            let theirs = scope.spawn(|| number % 10);
            sum = theirs.join().unwrap();
        });
        assert_eq!((list.len(), sum), (4, number % 10));
        assert!(
            thread::spawn(|| std::panic::resume_unwind(Box::new(1)))
                .join()
                .is_err()
        );
    });
}

/// `thread::park` and its permit are those of the greenlet's home. They block the worker, as in a plain thread.
#[test]
fn thread_parking() {
    each_storm(
        Storm {
            rounds: 4,
            ..Storm::default()
        },
        |rng| {
            let me = thread::current();
            me.unpark();
            thread::park();
            // From another thread, and more often than needed: the last permit stays with the home, whose thread waits otherwise.
            let unparker = thread::spawn({
                let me = me.clone();
                move || me.unpark()
            });
            thread::park();
            Suspension::any(rng).suspend();
            unparker.join().unwrap();
            for _ in 0..10 {
                me.unpark();
            }
            thread::park();
        },
    );
}

#[test]
fn channels_of_std() {
    each_storm(
        Storm {
            rounds: 4,
            ..Storm::default()
        },
        |rng| {
            let (send, receive) = mpsc::sync_channel(1);
            let number = rng.number();
            let sender = thread::spawn(move || (0..5).for_each(|i| send.send(number ^ i).unwrap()));
            // Keeps for itself where it waits, in a thread-local.
            for i in 0..5 {
                assert_eq!(receive.recv().unwrap(), number ^ i);
                sward::yield_now();
            }
            assert!(receive.recv().is_err());
            sender.join().unwrap();
        },
    );
}

#[test]
fn names_of_hosts() {
    let few = Storm {
        greenlets: 8,
        rounds: 4,
        migrations: 50,
    };
    each_storm(few, |rng| {
        let port = rng.below(60_000) as u16;
        let addresses: Vec<_> = ("localhost", port).to_socket_addrs().unwrap().collect();
        assert!(!addresses.is_empty());
        Suspension::any(rng).suspend();
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == port)
        );
    });
}

#[test]
fn backtraces() {
    #[inline(never)]
    fn a_function_to_be_found(rng: &mut Rng) -> Backtrace {
        Suspension::any(rng).suspend();
        std::hint::black_box(Backtrace::force_capture())
    }
    static SHOWN: AtomicU64 = AtomicU64::new(0);
    each_storm(
        Storm {
            rounds: 2,
            migrations: 50,
            ..Storm::default()
        },
        |rng| {
            let backtrace = a_function_to_be_found(rng);
            // To look up the names takes long.
            if SHOWN.fetch_add(1, SeqCst).is_multiple_of(200) {
                let shown = backtrace.to_string();
                assert!(shown.contains("a_function_to_be_found"), "{shown}");
            }
        },
    );
}

/// libc's own errors by way of std, among others who make other errors.
#[test]
fn errors_of_the_system() {
    each_storm(Storm::default(), |rng| {
        let (path, expected) = match rng.below(3) {
            0 => ("/nowhere/to/be/found", libc::ENOENT),
            1 => ("/dev/null/beneath", libc::ENOTDIR),
            _ => ("/a\u{301}".repeat(5000).leak() as &str, libc::ENAMETOOLONG),
        };
        let error = std::fs::File::open(path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(expected));
        assert_eq!(errno(), expected);
        sward::yield_now();
        assert_eq!(
            std::io::Error::last_os_error().raw_os_error(),
            Some(expected)
        );
        set_errno(0);
    });
}

/// std's hash maps take their keys from a thread-local.
#[test]
fn hash_maps() {
    each_storm(Storm::default(), |rng| {
        let mut map = HashMap::new();
        for _ in 0..10 {
            let number = rng.number();
            map.insert(number, number.to_string());
            if number.is_multiple_of(4) {
                sward::yield_now();
            }
        }
        assert!(map.iter().all(|(number, text)| *text == number.to_string()));
    });
}

/// The number of the processor comes from what the kernel writes into the thread's memory (rseq), or from the kernel. What it
/// writes for the thread of a home must not be taken for what is true of a worker.
#[test]
#[cfg(target_os = "linux")]
fn processors() {
    fn by_the_kernel() -> libc::c_int {
        let mut processor: libc::c_uint = 0;
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: it writes the one number, and no other is asked for.
        let result =
            unsafe { libc::syscall(libc::SYS_getcpu, &raw mut processor, nothing, nothing) };
        assert_eq!(result, 0);
        processor as libc::c_int
    }
    each_storm(
        Storm {
            rounds: 30,
            ..Storm::default()
        },
        |_| {
            // Between the two the worker may be moved; not a hundred times in a row.
            // SAFETY: it has no preconditions.
            let agree = (0..100).any(|_| unsafe { libc::sched_getcpu() } == by_the_kernel());
            assert!(agree, "the number of the processor is another thread's");
        },
    );
}
