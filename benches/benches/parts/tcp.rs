//! A message of 64 bytes to an echo server and back, over the loopback, both ends greenlets of one runtime.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use criterion::Criterion;
use sward::net::{TcpListener, TcpStream};

use crate::within;

const MESSAGE: [u8; 64] = [b'x'; 64];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tcp");
    for workers in [1, 2] {
        group.bench_function(format!("there and back, workers: {workers}"), |bencher| {
            within(bencher, workers, there_and_back);
        });
    }
    group.finish();
}

fn there_and_back(times: u64) -> Duration {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = sward::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client comes");
        stream.set_nodelay(true).expect("it is connected");
        let mut buffer = [0; MESSAGE.len()];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            stream
                .write_all(&buffer[..read])
                .expect("the client is there");
        }
    });
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("it is connected");
    let mut buffer = [0; MESSAGE.len()];
    let begun = Instant::now();
    for _ in 0..times {
        stream.write_all(&MESSAGE).expect("the server is there");
        stream.read_exact(&mut buffer).expect("the server answers");
    }
    let took = begun.elapsed();
    drop(stream);
    server.join().expect("it does not panic");
    took
}
