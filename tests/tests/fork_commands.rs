//! std's `Command` by a thousand greenlets at once, which leaves no process and no descriptor behind.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sward::{JoinHandle, Runtime};
use sward_tests::identity::identity;
use sward_tests::{Config, Kind, Rng, Suspension, Watchdog, child, process, until};

mod net_support;
use net_support::pair;

const GREENLETS: usize = 1000;
/// Every so many of them keeps its process while all the others run theirs: 250 at the same time, each with two pipes.
const KEEPERS: usize = 4;

/// `cat`, which has said something already.
fn cat(number: usize) -> Child {
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = cat.stdin.as_mut().unwrap();
    writeln!(input, "{number:04}").unwrap();
    let mut line = [0; 5];
    cat.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(line, format!("{number:04}\n").as_bytes());
    cat
}

/// One process, of one of several kinds, to its end.
fn command(number: usize) {
    match number % 4 {
        1 => {
            let status = Command::new("sh")
                .args(["-c", &format!("exit {}", number % 256)])
                .status();
            assert_eq!(status.unwrap().code(), Some((number % 256) as i32));
        }
        2 => {
            let output = Command::new("echo").arg(number.to_string()).output();
            let output = output.unwrap();
            assert!(output.status.success());
            assert_eq!(output.stdout, format!("{number}\n").as_bytes());
        }
        _ => {
            // By a real `fork`, which runs handlers, instead of `posix_spawn`.
            let mut forked = Command::new("true");
            // SAFETY: it does nothing.
            unsafe { forked.pre_exec(|| Ok(())) };
            assert!(forked.status().unwrap().success());
            let missing = Command::new("/nowhere/to/be/found").status();
            assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

/// How many have come how far.
#[derive(Default)]
struct Counts {
    /// Their own process has ended.
    done: AtomicUsize,
    /// They keep one.
    kept: AtomicUsize,
    /// What the parked wait for.
    stage: AtomicUsize,
}

impl Counts {
    /// Parks the calling greenlet until this stage.
    fn wait_for(&self, stage: usize) {
        while self.stage.load(SeqCst) < stage {
            sward::park();
        }
    }

    /// Begins a stage, once `condition` holds.
    fn begin(&self, stage: usize, handles: &[JoinHandle<()>], condition: impl Fn() -> bool) {
        until(condition);
        self.stage.store(stage, SeqCst);
        handles.iter().for_each(|handle| handle.greenlet().unpark());
    }
}

/// What each of the thousand does.
fn run(number: usize, counts: &Counts) {
    let home = identity();
    counts.wait_for(1);
    if number.is_multiple_of(KEEPERS) {
        let mut cat = cat(number);
        counts.kept.fetch_add(1, SeqCst);
        counts.wait_for(2);
        assert!(cat.try_wait().unwrap().is_none(), "it waits for more");
        writeln!(cat.stdin.as_mut().unwrap(), "the last").unwrap();
        sward::yield_now();
        let output = cat.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, b"the last\n");
    } else {
        command(number);
        counts.done.fetch_add(1, SeqCst);
        counts.wait_for(2);
    }
    assert_eq!(identity(), home);
}

/// Goes on with other things until it is told that it is over. How often.
fn others(runtime: &Runtime, over: &Arc<AtomicBool>) -> Vec<JoinHandle<u64>> {
    let talk = |number: u64, over: Arc<AtomicBool>| {
        move || {
            let mut rng = Rng::new(number);
            let (mut near, mut far) = pair();
            let echo = sward::spawn(move || {
                let mut byte = [0];
                while far.read(&mut byte).unwrap() == 1 {
                    far.write_all(&byte).unwrap();
                }
            });
            let mut rounds = 0;
            while !over.load(SeqCst) {
                near.write_all(&[rounds as u8]).unwrap();
                let mut byte = [0];
                near.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [rounds as u8]);
                Suspension::any(&mut rng).suspend();
                rounds += 1;
            }
            drop(near);
            echo.join().unwrap();
            rounds
        }
    };
    (0..4)
        .map(|number| runtime.spawn(talk(number, over.clone())))
        .collect()
}

fn thousand(config: Config) {
    let descriptors = process::descriptors();
    config.run(|runtime| {
        let over = Arc::new(AtomicBool::new(false));
        let others = others(runtime, &over);
        let counts = Arc::new(Counts::default());
        let handles: Vec<_> = (0..GREENLETS)
            .map(|number| {
                let counts = counts.clone();
                runtime.spawn(move || run(number, &counts))
            })
            .collect();
        counts.begin(1, &handles, || {
            runtime.handle().metrics().suspended >= GREENLETS
        });
        counts.begin(2, &handles, || {
            let kept = counts.kept.load(SeqCst);
            kept + counts.done.load(SeqCst) == GREENLETS
        });
        for handle in handles {
            handle.join().unwrap();
        }
        over.store(true, SeqCst);
        for other in others {
            assert!(other.join().unwrap() > 0);
        }
        if config.migrates() {
            assert!(runtime.handle().metrics().migrations > 0);
        }
    });
    assert_eq!(process::descriptors(), descriptors);
    // SAFETY: it asks for any process, and waits for none.
    let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    let error = std::io::Error::last_os_error();
    assert_eq!((waited, error.raw_os_error()), (-1, Some(libc::ECHILD)));
}

#[test]
fn processes_of_a_thousand_greenlets() {
    // Few homes are nothing else to a process than many.
    let all = Config::all();
    for config in all.into_iter().filter(|config| config.kind != Kind::Few) {
        let body = || {
            let limit = getrlimit(Resource::Nofile);
            let most = Rlimit {
                current: limit.maximum,
                ..limit
            };
            setrlimit(Resource::Nofile, most).unwrap();
            let _watchdog = Watchdog::new(config);
            thousand(config);
        };
        let name = format!("processes_of_a_thousand_greenlets/{config}");
        child::run(&name, &[], body, |ended| ended.succeeded());
    }
}
