//! OS threads. Their number of workers is the kernel's: it is kept on as many CPUs as the others have workers.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Threads, deepen_backlog};
use crate::process::Pinned;

pub(crate) struct Os;

/// Enough for the workloads, and what makes thousands of threads possible; std's default is 2 MiB.
const STACK: usize = 64 * 1024;

impl Threads for Os {
    type Join<T: Send + 'static> = thread::JoinHandle<T>;
    type Unparker = thread::Thread;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<T: Send + 'static>(workers: usize, f: impl FnOnce() -> T + Send + 'static) -> T {
        // Threads inherit it.
        let _pinned = Pinned::to_first(workers);
        Self::join(Self::spawn(f))
    }

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Join<T> {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(f)
            .expect("the system has a thread left")
    }

    fn join<T: Send + 'static>(join: Self::Join<T>) -> T {
        join.join().expect("no thread panics")
    }

    fn yield_now() {
        thread::yield_now();
    }

    fn sleep(time: Duration) {
        thread::sleep(time);
    }

    fn current() -> Self::Unparker {
        thread::current()
    }

    fn park() {
        thread::park();
    }

    fn unpark(unparker: &Self::Unparker) {
        unparker.unpark();
    }

    fn listen() -> io::Result<(Self::Listener, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        deepen_backlog(&listener)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }

    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
