//! tokio, its multi-threaded scheduler. The root runs as a task on a worker: the thread in `block_on` is none.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Tasks;
use super::channel::{SharedTaskChannel, TaskChannel, TaskOnce};
use super::lock::as_in_tokio;

pub(crate) struct Tokio;

impl Tasks for Tokio {
    type Join<T: Send + 'static> = JoinHandle<T>;
    type Signal = Notify;
    type Mutex = tokio::sync::Mutex<u64>;
    type RwLock = tokio::sync::RwLock<u64>;
    type One = Mpsc;
    type Many = Flume;
    type Once = Oneshot;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<F: Future<Output: Send> + Send + 'static>(workers: usize, future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build();
        let runtime = runtime.expect("the runtime starts");
        runtime.block_on(Self::join(runtime.spawn(future)))
    }

    fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> Self::Join<F::Output> {
        tokio::spawn(future)
    }

    async fn join<T: Send + 'static>(join: Self::Join<T>) -> T {
        join.await.expect("no task panics")
    }

    fn detach<T: Send + 'static>(join: Self::Join<T>) {
        drop(join);
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    fn raise(signal: &Self::Signal) {
        signal.notify_one();
    }

    fn wait(signal: &Self::Signal) -> impl Future<Output = ()> + Send {
        signal.notified()
    }

    async fn select(receivers: &mut [<Self::One as TaskChannel>::Receiver]) -> (usize, u64) {
        const OPEN: &str = "all channels are open";
        match receivers {
            [a, b] => tokio::select! {
                message = a.recv() => (0, message.expect(OPEN)),
                message = b.recv() => (1, message.expect(OPEN)),
            },
            [a, b, c, d, e, f, g, h] => tokio::select! {
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

    async fn listen() -> io::Result<(Self::Listener, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }
}

as_in_tokio!(tokio::sync::Mutex<u64>, tokio::sync::RwLock<u64>);

/// `tokio::sync::mpsc`.
pub(crate) struct Mpsc;

impl TaskChannel for Mpsc {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("somebody receives");
    }

    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send {
        receiver.recv()
    }
}

/// `flume`: tokio has no channel for several receivers, nor one without room.
pub(crate) struct Flume;

impl TaskChannel for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        flume::bounded(capacity)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send_async(message).await.expect("somebody receives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv_async().await.ok()
    }
}

impl SharedTaskChannel for Flume {
    fn unbounded() -> (Self::Sender, Self::Receiver) {
        flume::unbounded()
    }
}

/// `tokio::sync::oneshot`.
pub(crate) struct Oneshot;

impl TaskOnce for Oneshot {
    type Sender = oneshot::Sender<u64>;
    type Receiver = oneshot::Receiver<u64>;

    fn once() -> (Self::Sender, Self::Receiver) {
        oneshot::channel()
    }

    async fn send(sender: Self::Sender, message: u64) {
        sender.send(message).expect("somebody receives");
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("it was sent")
    }
}
