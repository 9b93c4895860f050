//! A TCP server that sends back what it gets, one greenlet a connection. With `HOG`, a greenlet beside them computes for
//! ever and never yields.
//!
//! It prints its port and serves until its standard input closes; the requests come from another process.

use std::hint::black_box;
use std::io::{Read, Write};

use super::{Family, Job};
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};
use crate::serving;

pub(crate) struct Echo<const HOG: bool>;

const BUFFER: usize = 1024;

fn hog() {
    for i in 0_u64.. {
        black_box(i);
    }
}

impl<const HOG: bool> Family for Echo<HOG> {
    fn threads<R: Threads>(_: Job) -> Outcome {
        let (listener, port) = R::listen().expect("the loopback has a free port");
        serving::announce(port);
        if HOG {
            drop(R::spawn(hog));
        }
        loop {
            let mut stream = R::accept(&listener).expect("there are descriptors left");
            drop(R::spawn(move || {
                let mut buffer = [0; BUFFER];
                // An error is the client's end, which resets its connections.
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
            }));
        }
    }

    async fn tasks<R: Tasks>(_: Job) -> Outcome {
        let (listener, port) = R::listen().await.expect("the loopback has a free port");
        serving::announce(port);
        if HOG {
            R::detach(R::spawn(async { hog() }));
        }
        loop {
            let mut stream = R::accept(&listener)
                .await
                .expect("there are descriptors left");
            R::detach(R::spawn(async move {
                let mut buffer = [0; BUFFER];
                while let Ok(read @ 1..) = R::read(&mut stream, &mut buffer).await {
                    if R::write_all(&mut stream, &buffer[..read]).await.is_err() {
                        return;
                    }
                }
            }));
        }
    }
}
