//! smol: `async-executor` with `async-io`, each worker driving both, as the crate `smol` does; the executor is the
//! static one, which is the faster for programs that never drop it.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_executor::{StaticExecutor, Task};
use async_io::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use super::channel::{OnePlace, SharedTaskChannel, TaskChannel};
use super::lock::as_in_tokio;
use super::{Tasks, deepen_backlog};

static EXECUTOR: StaticExecutor = StaticExecutor::new();

pub(crate) struct Smol;

/// A channel of one place.
pub(crate) struct Signal(Sender<()>, Receiver<()>);

impl Default for Signal {
    fn default() -> Self {
        let (sender, receiver) = async_channel::bounded(1);
        Self(sender, receiver)
    }
}

impl Tasks for Smol {
    type Join<T: Send + 'static> = Task<T>;
    type Signal = Signal;
    type Mutex = async_lock::Mutex<u64>;
    type RwLock = async_lock::RwLock<u64>;
    type One = AsyncChannel;
    type Many = AsyncChannel;
    type Once = OnePlace<AsyncChannel>;
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;

    fn run<F: Future<Output: Send> + Send + 'static>(workers: usize, future: F) -> F::Output {
        for i in 0..workers {
            let worker = thread::Builder::new().name(format!("smol-{i}"));
            let started = worker.spawn(|| block_on(EXECUTOR.run(pending::<()>())));
            started.expect("the system has a thread left");
        }
        future::block_on(EXECUTOR.spawn(future))
    }

    fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> Self::Join<F::Output> {
        EXECUTOR.spawn(future)
    }

    fn join<T: Send + 'static>(join: Self::Join<T>) -> impl Future<Output = T> + Send {
        join
    }

    fn detach<T: Send + 'static>(join: Self::Join<T>) {
        join.detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        future::yield_now()
    }

    async fn sleep(time: Duration) {
        Timer::after(time).await;
    }

    fn raise(signal: &Self::Signal) {
        // Full: the waiter has one to come.
        let _ = signal.0.try_send(());
    }

    async fn wait(signal: &Self::Signal) {
        signal.1.recv().await.expect("the sender is beside it");
    }

    async fn select(receivers: &mut [<Self::One as TaskChannel>::Receiver]) -> (usize, u64) {
        const OPEN: &str = "all channels are open";
        let from =
            |i, receiver| async move { (i, AsyncChannel::receive(receiver).await.expect(OPEN)) };
        match receivers {
            [a, b] => future::race(from(0, a), from(1, b)).await,
            [a, b, c, d, e, f, g, h] => {
                let first = future::race(
                    future::race(from(0, a), from(1, b)),
                    future::race(from(2, c), from(3, d)),
                );
                let last = future::race(
                    future::race(from(4, e), from(5, f)),
                    future::race(from(6, g), from(7, h)),
                );
                future::race(first, last).await
            }
            _ => unreachable!("they are two or eight"),
        }
    }

    async fn listen() -> io::Result<(Self::Listener, u16)> {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
        deepen_backlog(&listener)?;
        let port = listener.get_ref().local_addr()?.port();
        Ok((listener, port))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }
}

as_in_tokio!(async_lock::Mutex<u64>, async_lock::RwLock<u64>);

/// `async-channel`.
pub(crate) struct AsyncChannel;

impl TaskChannel for AsyncChannel {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(capacity)
    }

    async fn send(sender: &Self::Sender, message: u64) {
        sender.send(message).await.expect("somebody receives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

impl SharedTaskChannel for AsyncChannel {
    fn unbounded() -> (Self::Sender, Self::Receiver) {
        async_channel::unbounded()
    }
}
