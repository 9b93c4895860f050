//! Ours, with its default settings.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use sward::channel::oneshot;
use sward::net::{TcpListener, TcpStream};

use super::Threads;
use super::channel::{Channel, Once, SharedChannel};
use super::lock::as_in_std;

pub(crate) struct Sward;

impl Threads for Sward {
    type Join<T: Send + 'static> = sward::JoinHandle<T>;
    type Unparker = sward::Greenlet;
    type Mutex = sward::sync::Mutex<u64>;
    type RwLock = sward::sync::RwLock<u64>;
    type One = Sent;
    type Many = Sent;
    type Once = Oneshot;
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

    fn select(receivers: &mut [<Self::One as Channel>::Receiver]) -> (usize, u64) {
        const OPEN: &str = "all channels are open";
        match receivers {
            [a, b] => sward::select! {
                message = a.recv() => (0, message.expect(OPEN)),
                message = b.recv() => (1, message.expect(OPEN)),
            },
            [a, b, c, d, e, f, g, h] => sward::select! {
                message = a.recv() => (0, message.expect(OPEN)),
                message = b.recv() => (1, message.expect(OPEN)),
                message = c.recv() => (2, message.expect(OPEN)),
                message = d.recv() => (3, message.expect(OPEN)),
                message = e.recv() => (4, message.expect(OPEN)),
                message = f.recv() => (5, message.expect(OPEN)),
                message = g.recv() => (6, message.expect(OPEN)),
                message = h.recv() => (7, message.expect(OPEN)),
            },
            _ => unreachable!("they are two or eight"),
        }
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

as_in_std!(sward::sync::Mutex<u64>, sward::sync::RwLock<u64>);

/// `sward::channel`, of any number of senders and receivers.
pub(crate) struct Sent;

impl Channel for Sent {
    type Sender = sward::channel::Sender<u64>;
    type Receiver = sward::channel::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        sward::channel::bounded(capacity)
    }

    fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    fn receive(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

impl SharedChannel for Sent {
    fn unbounded() -> (Self::Sender, Self::Receiver) {
        sward::channel::unbounded()
    }
}

/// `sward::channel::oneshot`.
pub(crate) struct Oneshot;

impl Once for Oneshot {
    type Sender = oneshot::Sender<u64>;
    type Receiver = oneshot::Receiver<u64>;

    fn once() -> (Self::Sender, Self::Receiver) {
        oneshot::channel()
    }

    fn send(sender: Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    fn receive(receiver: Self::Receiver) -> u64 {
        receiver.recv().expect("it was sent")
    }
}
