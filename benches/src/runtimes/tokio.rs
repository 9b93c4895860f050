//! tokio, its multi-threaded scheduler. The root runs as a task on a worker: the thread in `block_on` is none.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Tasks;

pub(crate) struct Tokio;

impl Tasks for Tokio {
    type Join<T: Send + 'static> = JoinHandle<T>;
    type Signal = Notify;
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
