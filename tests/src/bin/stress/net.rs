//! The server of a round, its clients, and other connections.
//!
//! A client says first what it is going to do: one byte for the kind and eight for how much it sends. So the server knows what
//! end it must see: that of the stream, or a reset, and nothing else.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sward::net::{TcpListener, TcpStream};
use sward_tests::Rng;

use crate::counts::Event;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::options::Sabotage;
use crate::plan::{Echo, EchoKind};

/// What a client is going to do.
const ENDS: u8 = b'e';
const RESETS: u8 = b'r';
const IS_RESET: u8 = b's';

/// A listener on a port of its own, and its address.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// The server: accepts so many connections, then waits for all of them to end. It owns the listener, which is a source of its
/// runtime for as long as there is one.
pub(crate) fn serve(ground: &Arc<Ground>, listener: TcpListener, connections: u64) {
    let mut handlers = Vec::new();
    for _ in 0..connections {
        let (stream, peer) = listener.accept().expect("a connection");
        assert!(peer.ip().is_loopback(), "a stranger: {peer}");
        ground.tally.add(Event::Accepted, 1);
        let (theirs, token) = (ground.clone(), Token::new());
        handlers.push(sward::spawn(move || {
            answer(&theirs, stream);
            drop(token);
        }));
    }
    for handler in handlers {
        handler.join().expect("it ends the process when it fails");
    }
}

/// One connection, at the server.
fn answer(ground: &Ground, stream: TcpStream) {
    let mut stream = stream;
    stream.set_nodelay(true).expect("a socket");
    let mut head = [0; 9];
    stream
        .read_exact(&mut head)
        .expect("every client says what it is going to do");
    let (kind, tail) = (head[0], head[1..].try_into().expect("eight bytes"));
    let mut left = u64::from_le_bytes(tail);
    let mut buffer = vec![0; 5_000];
    loop {
        if kind == IS_RESET && left == 0 {
            return reset(stream);
        }
        let count = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return server_is_reset(ground, kind, error.kind()),
        };
        left = left
            .checked_sub(count as u64)
            .expect("no more than was said");
        if ground.sabotage(Sabotage::Message) {
            buffer[0] ^= 1;
        }
        if kind != IS_RESET
            && let Err(error) = stream.write_all(&buffer[..count])
        {
            return server_is_reset(ground, kind, error.kind());
        }
    }
    assert_eq!((kind, left), (ENDS, 0), "a stream ended that should not");
}

fn server_is_reset(ground: &Ground, kind: u8, error: ErrorKind) {
    assert_eq!((kind, error), (RESETS, ErrorKind::ConnectionReset));
    ground.tally.add(Event::ResetByClient, 1);
}

/// Drops `stream` so that the peer gets a reset instead of an end.
fn reset(stream: TcpStream) {
    let linger = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&stream, linger).expect("a socket");
    drop(stream);
}

/// A connection to the server. How many bytes came back and were right.
pub(crate) fn echo(ground: &Arc<Ground>, echo: &Echo) -> u64 {
    let mut stream = TcpStream::connect(ground.address).expect("somebody listens");
    ground.tally.add(Event::Connected, 1);
    stream.set_nodelay(true).expect("a socket");
    let timeout = echo.timeout.map(Duration::from_micros);
    stream.set_read_timeout(timeout).expect("not zero");
    let kind = match echo.kind {
        EchoKind::InTurns { .. } | EchoKind::AtOnce => ENDS,
        EchoKind::ResetByClient => RESETS,
        EchoKind::ResetByServer => IS_RESET,
    };
    let mut head = vec![kind];
    head.extend((echo.sizes.iter().sum::<usize>() as u64).to_le_bytes());
    stream.write_all(&head).expect("the server reads");
    let messages = messages(echo);
    let echoed = match echo.kind {
        EchoKind::InTurns { shutdown } => {
            let echoed = in_turns(&mut stream, &messages);
            if shutdown {
                stream.shutdown(Shutdown::Write).expect("it is connected");
                assert_eq!(read(&mut stream, &mut [0]), Ok(0), "after the end");
            }
            echoed
        }
        EchoKind::AtOnce => at_once(stream, messages),
        EchoKind::ResetByClient => {
            let (last, before) = messages.split_last().expect("one at least");
            let echoed = in_turns(&mut stream, before);
            stream.write_all(last).expect("the server reads");
            reset(stream);
            echoed
        }
        EchoKind::ResetByServer => {
            for message in &messages {
                stream.write_all(message).expect("the server reads");
            }
            let end = read(&mut stream, &mut [0]);
            assert_eq!(end, Err(ErrorKind::ConnectionReset));
            ground.tally.add(Event::ResetByServer, 1);
            0
        }
    };
    ground.tally.add(Event::Bytes, echoed);
    echoed
}

/// The messages that a client sends: all bytes differ from their neighbours in no foreseeable way.
fn messages(echo: &Echo) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(echo.seed);
    let sizes = echo.sizes.iter();
    sizes.map(|&size| bytes(&mut rng, size)).collect()
}

fn bytes(rng: &mut Rng, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend(rng.number().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Reads, and reads again when the time for it is up.
fn read(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read.map_err(|error| error.kind()),
        }
    }
}

/// Reads `message`, and nothing else.
fn read_back(stream: &mut impl Read, message: &[u8]) -> u64 {
    let mut echoed = vec![0; message.len()];
    let mut done = 0;
    while done < echoed.len() {
        match read(stream, &mut echoed[done..]) {
            Ok(count @ 1..) => done += count,
            end => panic!("after {done} of {} bytes: {end:?}", message.len()),
        }
    }
    let wrong = echoed
        .iter()
        .zip(message)
        .position(|(got, sent)| got != sent);
    assert_eq!(wrong, None, "a byte of {} came back wrong", message.len());
    done as u64
}

fn in_turns(stream: &mut TcpStream, messages: &[Vec<u8>]) -> u64 {
    let mut echoed = 0;
    for message in messages {
        stream.write_all(message).expect("the server reads");
        echoed += read_back(stream, message);
    }
    echoed
}

/// One greenlet writes all of it, another reads.
fn at_once(stream: TcpStream, messages: Vec<Vec<u8>>) -> u64 {
    let (stream, messages) = (Arc::new(stream), Arc::new(messages));
    let writer = {
        let (stream, messages, token) = (stream.clone(), messages.clone(), Token::new());
        sward::spawn(move || {
            for message in messages.iter() {
                (&*stream).write_all(message).expect("the server reads");
            }
            stream.shutdown(Shutdown::Write).expect("it is connected");
            drop(token);
        })
    };
    let mut reader = &*stream;
    let lengths = messages
        .iter()
        .map(|message| read_back(&mut reader, message));
    let echoed = lengths.sum();
    assert_eq!(read(&mut reader, &mut [0]), Ok(0), "after the end");
    writer.join().expect("it ends the process when it fails");
    echoed
}

/// A connection to a port where nobody listens.
pub(crate) fn refused(ground: &Ground) -> u64 {
    let refused = TcpStream::connect(ground.closed).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    ground.tally.add(Event::Refused, 1);
    0
}

/// A listener of the caller's own, and a child that sends so many bytes and gets as many back.
pub(crate) fn pair(ground: &Ground, size: usize) -> u64 {
    let (listener, address) = listener();
    let token = Token::new();
    let client = sward::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        let message = bytes(&mut Rng::new(size as u64), size);
        stream.write_all(&message).expect("somebody reads");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        drop(token);
        read_back(&mut stream, &message)
    });
    let (mut stream, _) = listener.accept().expect("somebody connects");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("the client writes");
    stream.write_all(&got).expect("the client reads");
    ground.tally.add(Event::Pair, 1);
    let echoed = client.join().expect("it ends the process when it fails");
    assert_eq!(echoed, got.len() as u64);
    echoed
}
