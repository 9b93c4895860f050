//! may: stackful coroutines, the nearest peer. Its stacks have their default size, 32 KiB.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use may::coroutine;
use may::net::{TcpListener, TcpStream};
use may::sync::{mpmc, spsc};

use super::Threads;
use super::channel::{Channel, OnePlace, SharedChannel};
use super::lock::as_in_std;

pub(crate) struct May;

impl Threads for May {
    type Join<T: Send + 'static> = coroutine::JoinHandle<T>;
    type Unparker = coroutine::Coroutine;
    type Mutex = may::sync::Mutex<u64>;
    type RwLock = may::sync::RwLock<u64>;
    type One = Spsc;
    type Many = Mpmc;
    type Once = OnePlace<Spsc>;
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

    fn select(_: &mut [<Self::One as Channel>::Receiver]) -> (usize, u64) {
        unimplemented!("its select loses what the arms that are not chosen have received")
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

as_in_std!(may::sync::Mutex<u64>, may::sync::RwLock<u64>);

/// may's channel for one sender and one receiver. All its channels have room for any number of messages.
pub(crate) struct Spsc;

impl Channel for Spsc {
    type Sender = spsc::Sender<u64>;
    type Receiver = spsc::Receiver<u64>;

    fn bounded(_: usize) -> (Self::Sender, Self::Receiver) {
        spsc::channel()
    }

    fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    fn receive(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

/// That for any number of both.
pub(crate) struct Mpmc;

impl Channel for Mpmc {
    type Sender = mpmc::Sender<u64>;
    type Receiver = mpmc::Receiver<u64>;

    fn bounded(_: usize) -> (Self::Sender, Self::Receiver) {
        mpmc::channel()
    }

    fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    fn receive(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

impl SharedChannel for Mpmc {
    fn unbounded() -> (Self::Sender, Self::Receiver) {
        mpmc::channel()
    }
}
