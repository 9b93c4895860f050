//! Ours, with its default settings.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use sward::net::{TcpListener, TcpStream};

use super::Threads;

pub(crate) struct Sward;

impl Threads for Sward {
    type Join<T: Send + 'static> = sward::JoinHandle<T>;
    type Unparker = sward::Greenlet;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<T: Send + 'static>(workers: usize, f: impl FnOnce() -> T + Send + 'static) -> T {
        let runtime = sward::Runtime::builder().workers(workers).build();
        runtime.expect("the runtime starts").block_on(f)
    }

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Join<T> {
        sward::spawn(f)
    }

    fn join<T: Send + 'static>(join: Self::Join<T>) -> T {
        join.join().expect("no greenlet panics")
    }

    fn yield_now() {
        sward::yield_now();
    }

    fn sleep(time: Duration) {
        sward::sleep(time);
    }

    fn current() -> Self::Unparker {
        sward::current()
    }

    fn park() {
        sward::park();
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
