//! may: stackful coroutines, the nearest peer. Its stacks have their default size, 32 KiB.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use may::coroutine;
use may::net::{TcpListener, TcpStream};

use super::Threads;

pub(crate) struct May;

impl Threads for May {
    type Join<T: Send + 'static> = coroutine::JoinHandle<T>;
    type Unparker = coroutine::Coroutine;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<T: Send + 'static>(workers: usize, f: impl FnOnce() -> T + Send + 'static) -> T {
        may::config().set_workers(workers);
        Self::join(Self::spawn(f))
    }

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Join<T> {
        // SAFETY: may asks that the closure uses no thread-local across a suspension and does not overflow its stack.
        // The workloads keep nothing in thread-locals and need a few hundred bytes of stack a frame.
        unsafe { coroutine::spawn(f) }
    }

    fn join<T: Send + 'static>(join: Self::Join<T>) -> T {
        join.join().expect("no coroutine panics")
    }

    fn yield_now() {
        coroutine::yield_now();
    }

    fn sleep(time: Duration) {
        coroutine::sleep(time);
    }

    fn current() -> Self::Unparker {
        coroutine::current()
    }

    fn park() {
        coroutine::park();
    }

    fn unpark(unparker: &Self::Unparker) {
        unparker.unpark();
    }

    fn listen() -> io::Result<(Self::Listener, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }

    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
