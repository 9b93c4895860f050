//! Shows each thing in sward once, and asserts what it does.
//!
//! It prints a line for each stop of the tour and exits with 0 when all was as it says here.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::net::{TcpListener, TcpStream};
use sward::{Builder, Greenlet, Handle, Homes, JoinError, JoinHandle, Runtime, RuntimeBuilder, go};

const MOMENT: Duration = Duration::from_millis(10);
const AGES: Duration = Duration::from_secs(60);

// The body of `main` is the first greenlet. `homes` and `stack_size` can be given here as well.
#[sward::main(workers = 2)]
fn main() -> io::Result<()> {
    tell("spawn", spawning)?;
    tell("go!", going)?;
    tell("Builder", building)?;
    tell("JoinHandle and JoinError", joining)?;
    tell("spawn_local", sharing_without_locks)?;
    tell("Greenlet, park and unpark", parking)?;
    tell("sleep and yield_now", waiting)?;
    tell("Runtime", own_runtimes)?;
    tell("TcpListener", listening)?;
    tell("TcpStream", talking)?;
    tell("sockets of std", from_std_and_back)
}

fn tell(name: &str, stop: fn() -> io::Result<()>) -> io::Result<()> {
    stop()?;
    println!("{name}: as it says");
    Ok(())
}

fn spawning() -> io::Result<()> {
    let numbers = [1, 2, 3];
    let sum: JoinHandle<i32> = sward::spawn(move || numbers.iter().sum());
    assert_eq!(sum.join().unwrap(), 6);

    // Threads may spawn and join too; what they spawn runs in the default runtime.
    let thread = std::thread::spawn(|| sward::spawn(|| 7).join().unwrap());
    assert_eq!(thread.join().unwrap(), 7);
    Ok(())
}

fn going() -> io::Result<()> {
    fn add(a: u32, b: u32) -> u32 {
        a + b
    }
    let (x, y) = (1, 2);
    assert_eq!(go!(add(x, y)).join().unwrap(), 3);
    assert_eq!(go!(move || x + y).join().unwrap(), 3);
    let block = go!({
        let twice = 2 * x;
        twice + y
    });
    assert_eq!(block.join().unwrap(), 4);
    let named = go!(name = "adder", stack_size = 64 * 1024; add(x, y));
    assert_eq!(named.greenlet().name(), Some("adder"));
    // The handle may be thrown away: the greenlet runs all the same.
    go!(add(x, y));
    Ok(())
}

fn building() -> io::Result<()> {
    let handle = Builder::new()
        .name("built")
        .stack_size(100_000)
        .spawn(|| 8)?;
    assert_eq!(handle.greenlet().name(), Some("built"));
    assert_eq!(handle.join().unwrap(), 8);

    let rc = Rc::new(9);
    let handle = Builder::new().spawn_local(move || *rc)?;
    assert_eq!(handle.join().unwrap(), 9);

    // On another runtime; here it is the caller's own.
    let handle = Builder::new().spawn_on(&Handle::current(), || 10)?;
    assert_eq!(handle.join().unwrap(), 10);

    // A stack as large as the address space is an error and no panic.
    let error = Builder::new()
        .stack_size(usize::MAX)
        .spawn(|| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

fn joining() -> io::Result<()> {
    let handle = sward::spawn(sward::park);
    assert!(!handle.is_finished());
    // The time is up, so the handle comes back.
    let handle = handle.join_timeout(MOMENT).unwrap_err();
    handle.greenlet().unpark();
    assert!(handle.join_timeout(AGES).is_ok_and(|result| result.is_ok()));

    // A panic stays in its greenlet until somebody joins it.
    let unlucky = go!(name = "unlucky"; std::panic::resume_unwind(Box::new("out of luck")));
    let error: JoinError = unlucky.join().unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(error.os_error().is_none(), "it had a stack");
    assert_eq!(error.greenlet().name(), Some("unlucky"));
    let text = error.to_string();
    assert!(
        text.contains("unlucky") && text.contains("out of luck"),
        "{text}"
    );
    assert_eq!(error.into_panic().downcast_ref(), Some(&"out of luck"));
    Ok(())
}

fn sharing_without_locks() -> io::Result<()> {
    // The child never runs at the same time as its parent: no `Send`, no lock, no atomic.
    let count = Rc::new(Cell::new(0));
    let handles: Vec<JoinHandle<()>> = (0..10)
        .map(|_| {
            let count = count.clone();
            sward::spawn_local(move || {
                let seen = count.get();
                sward::yield_now();
                count.set(count.get() + 1);
                assert!(count.get() > seen);
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
    assert_eq!(count.get(), 10);
    Ok(())
}

fn parking() -> io::Result<()> {
    let me: Greenlet = sward::current();
    assert_eq!(
        sward::try_current().map(|greenlet| greenlet.id()),
        Some(me.id())
    );
    let nobody = std::thread::spawn(|| sward::try_current().is_none());
    assert!(nobody.join().unwrap(), "a plain thread is no greenlet");

    let ready = Arc::new(AtomicBool::new(false));
    let seen = ready.clone();
    go!({
        ready.store(true, SeqCst);
        me.unpark();
    });
    while !seen.load(SeqCst) {
        sward::park();
    }
    let start = Instant::now();
    sward::current().unpark();
    // What was unparked before it parks does not wait.
    sward::park_timeout(AGES);
    assert!(start.elapsed() < AGES);

    // On a plain thread it is the thread that parks.
    std::thread::spawn(|| sward::park_timeout(MOMENT))
        .join()
        .unwrap();
    Ok(())
}

fn waiting() -> io::Result<()> {
    let start = Instant::now();
    sward::sleep(MOMENT);
    assert!(start.elapsed() >= MOMENT);
    sward::sleep_until(start + 2 * MOMENT);
    assert!(start.elapsed() >= 2 * MOMENT);

    let done = Arc::new(AtomicBool::new(false));
    let doing = done.clone();
    go!(doing.store(true, SeqCst));
    while !done.load(SeqCst) {
        sward::yield_now();
    }
    Ok(())
}

fn own_runtimes() -> io::Result<()> {
    let builder: RuntimeBuilder = Runtime::builder();
    let builder = builder.name("tour").workers(1).stack_size(128 * 1024);
    let moving = builder.clone().homes(Homes::Moving { limit: 4 });
    let runtime: Runtime = match moving.build() {
        // Not on every machine can homes move; fixed ones are everywhere.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            builder.homes(Homes::Fixed).build()?
        }
        built => built?,
    };
    let fixed = Runtime::builder().workers(1).homes(Homes::Fixed).build()?;
    assert!(Runtime::builder().workers(0).build().is_err());

    assert_eq!(runtime.spawn(|| 1).join().unwrap(), 1);
    // What a greenlet spawns runs in its runtime.
    let sum = runtime.block_on(|| sward::spawn(|| 2).join().unwrap() + 3);
    assert_eq!(sum, 5);
    let handle: Handle = fixed.handle();
    assert_eq!(handle.metrics().workers, 1);
    assert_eq!(handle.spawn(|| 4).join().unwrap(), 4);
    assert_eq!(handle.block_on(|| 5), 5);
    let workers = || Handle::try_current().map(|handle| handle.metrics().workers);
    assert_eq!(handle.block_on(workers), Some(1));
    let nowhere = std::thread::spawn(|| Handle::try_current().is_none());
    assert!(nowhere.join().unwrap(), "a plain thread has no runtime");
    assert_eq!(
        Handle::current().metrics().workers,
        2,
        "this is the runtime of `main`"
    );

    runtime.shutdown(AGES).map_err(io::Error::other)?;
    // This one will not park for so long: what has not ended by then is given up.
    let parked = fixed.spawn(sward::park);
    let error = fixed.shutdown(MOMENT).unwrap_err();
    assert_eq!(error.remaining(), 1);
    assert!(parked.join().unwrap_err().is_cancelled());
    Ok(())
}

fn listening() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_ttl(32)?;
    assert_eq!(listener.ttl()?, 32);
    assert!(listener.take_error()?.is_none());

    // What `bind` cannot say: here, that another listener may have the same port.
    let builder = TcpListener::builder().backlog(16).reuse_port(true);
    let first = builder.bind("127.0.0.1:0")?;
    let second = builder.bind(first.local_addr()?)?;
    assert_eq!(first.local_addr()?, second.local_addr()?);

    // `accept` waits, unless it is told not to.
    listener.set_nonblocking(true)?;
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false)?;
    let clients = go!([TcpStream::connect(address), TcpStream::connect(address)]);
    let (_first, peer) = listener.accept()?;
    // A clone accepts from the same socket, and `incoming` accepts again and again.
    let clone = listener.try_clone()?;
    let second = clone.incoming().next().expect("it never ends")?;
    let mut peers = [peer, second.peer_addr()?];
    let mut locals = Vec::new();
    for client in clients.join().unwrap() {
        locals.push(client?.local_addr()?);
    }
    peers.sort();
    locals.sort();
    assert_eq!(peers[..], locals);
    Ok(())
}

fn talking() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = go!(name = "server"; {
        let (mut stream, _) = listener.accept()?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        stream.write_all(text.to_uppercase().as_bytes())?;
        drop(stream);
        // Another one is turned away.
        listener.accept().map(drop)
    });

    let mut client = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    assert!(client.nodelay()?);
    client.set_ttl(32)?;
    assert_eq!(client.ttl()?, 32);
    assert_eq!(client.peer_addr()?, address);
    assert!(client.local_addr()?.ip().is_loopback());

    // What waits may wait for so long, or not at all.
    client.set_read_timeout(Some(MOMENT))?;
    assert_eq!(client.read_timeout()?, Some(MOMENT));
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.set_read_timeout(None)?;
    client.set_write_timeout(Some(AGES))?;
    assert_eq!(client.write_timeout()?, Some(AGES));
    client.set_nonblocking(true)?;
    let error = client.peek(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false)?;

    // Shared references read and write as well, and clones are the same connection.
    let clone = client.try_clone()?;
    let reader = go!({
        let (mut hello, mut world) = ([0; 6], [0; 5]);
        assert_eq!(clone.peek(&mut hello[..1])?, 1);
        let mut buffers = [
            io::IoSliceMut::new(&mut hello),
            io::IoSliceMut::new(&mut world),
        ];
        // The server has sent all of it at once.
        let read = (&clone).read_vectored(&mut buffers)?;
        Ok::<_, io::Error>((read, hello, world))
    });
    let parts = [io::IoSlice::new(b"hello "), io::IoSlice::new(b"world")];
    assert_eq!((&client).write_vectored(&parts)?, 11);
    client.shutdown(Shutdown::Write)?;
    assert_eq!(reader.join().unwrap()?, (11, *b"HELLO ", *b"WORLD"));
    assert!(client.take_error()?.is_none());

    let turned_away = TcpStream::connect_timeout(&address, AGES)?;
    assert_eq!((&turned_away).read(&mut [0])?, 0);
    server.join().unwrap()
}

fn from_std_and_back() -> io::Result<()> {
    let listener = TcpListener::from(std::net::TcpListener::bind("127.0.0.1:0")?);
    let listener = TcpListener::from(listener.into_std()?);
    let address = listener.local_addr()?;
    // Where a descriptor is enough, sward's sockets will do.
    assert_eq!(listener.as_fd().as_raw_fd(), listener.as_raw_fd());

    let stream: std::net::TcpStream = TcpStream::connect(address)?.into_std()?;
    let mut stream = TcpStream::from(stream);
    let number = stream.as_fd().as_raw_fd();
    stream.write_all(b"x")?;
    let (mut accepted, _) = std::net::TcpListener::from(listener).accept()?;
    accepted.read_exact(&mut [0])?;
    assert_eq!(std::net::TcpStream::from(stream).as_raw_fd(), number);
    Ok(())
}

// In place of `#[test]`. `cargo test --example tour` runs it.
#[sward::test(workers = 1)]
fn tests_run_in_greenlets() {
    assert!(sward::try_current().is_some());
}
