//! OS threads. Their number of workers is the kernel's: it is kept on as many CPUs as the others have workers.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::channel::{Channel, OnePlace, SharedChannel};
use super::lock::as_in_std;
use super::{Threads, deepen_backlog};
use crate::process::Pinned;

pub(crate) struct Os;

/// Enough for the workloads, and what makes thousands of threads possible; std's default is 2 MiB.
const STACK: usize = 64 * 1024;

impl Threads for Os {
    type Join<T: Send + 'static> = thread::JoinHandle<T>;
    type Unparker = thread::Thread;
    type Mutex = std::sync::Mutex<u64>;
    type RwLock = std::sync::RwLock<u64>;
    type One = Crossbeam;
    type Many = Crossbeam;
    type Once = OnePlace<Crossbeam>;
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

    fn select(receivers: &mut [<Self::One as Channel>::Receiver]) -> (usize, u64) {
        const OPEN: &str = "all channels are open";
        match receivers {
            [a, b] => crossbeam_channel::select! {
                recv(a) -> message => (0, message.expect(OPEN)),
                recv(b) -> message => (1, message.expect(OPEN)),
            },
            [a, b, c, d, e, f, g, h] => crossbeam_channel::select! {
                recv(a) -> message => (0, message.expect(OPEN)),
                recv(b) -> message => (1, message.expect(OPEN)),
                recv(c) -> message => (2, message.expect(OPEN)),
                recv(d) -> message => (3, message.expect(OPEN)),
                recv(e) -> message => (4, message.expect(OPEN)),
                recv(f) -> message => (5, message.expect(OPEN)),
                recv(g) -> message => (6, message.expect(OPEN)),
                recv(h) -> message => (7, message.expect(OPEN)),
            },
            _ => unreachable!("they are two or eight"),
        }
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

as_in_std!(std::sync::Mutex<u64>, std::sync::RwLock<u64>);

/// `crossbeam-channel`, of any number of senders and receivers.
pub(crate) struct Crossbeam;

impl Channel for Crossbeam {
    type Sender = crossbeam_channel::Sender<u64>;
    type Receiver = crossbeam_channel::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        crossbeam_channel::bounded(capacity)
    }

    fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    fn receive(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

impl SharedChannel for Crossbeam {
    fn unbounded() -> (Self::Sender, Self::Receiver) {
        crossbeam_channel::unbounded()
    }
}
