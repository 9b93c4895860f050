//! An HTTP/1.1 server that answers every request with the same short text: `httparse` on a bare loop, keep-alive and
//! pipelining, one greenlet a connection.
//!
//! It prints its port and serves until its standard input closes; the requests come from `wrk`.

use std::io::{Read, Write};

use httparse::Status;

use super::{Family, Job, hyper};
use crate::outcome::Outcome;
use crate::runtimes::{self, Runtime, Tasks, Threads};
use crate::serving;

struct Http;

/// Hyper is no runtime of its own, but a way to write this on tokio.
pub(crate) fn run(runtime: Runtime, job: Job) -> Result<Outcome, String> {
    match runtime {
        Runtime::Hyper => Ok(hyper::run(job)),
        other => runtimes::run::<Http>(other, job),
    }
}

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const BUFFER: usize = 4096;
const HEADERS: usize = 32;

/// What one connection has read, and the answers to it.
struct Conversation {
    input: [u8; BUFFER],
    filled: usize,
    output: Vec<u8>,
}

impl Conversation {
    fn new() -> Self {
        Self {
            input: [0; BUFFER],
            filled: 0,
            output: Vec::new(),
        }
    }

    fn space(&mut self) -> &mut [u8] {
        &mut self.input[self.filled..]
    }

    /// Takes `read` more bytes: the answers to all requests that are whole, or `None` for what is not HTTP.
    fn answers(&mut self, read: usize) -> Option<&[u8]> {
        self.filled += read;
        self.output.clear();
        let mut begin = 0;
        while begin < self.filled {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&self.input[begin..self.filled]) {
                Ok(Status::Complete(length)) => begin += length,
                Ok(Status::Partial) => break,
                Err(_) => return None,
            }
            self.output.extend_from_slice(ANSWER);
        }
        self.input.copy_within(begin..self.filled, 0);
        self.filled -= begin;
        (self.filled < BUFFER).then_some(&self.output)
    }
}

impl Family for Http {
    fn threads<R: Threads>(_: Job) -> Outcome {
        let (listener, port) = R::listen().expect("the loopback has a free port");
        serving::announce(port);
        loop {
            let mut stream = R::accept(&listener).expect("there are descriptors left");
            drop(R::spawn(move || {
                let mut talk = Conversation::new();
                while let Ok(read @ 1..) = stream.read(talk.space()) {
                    let Some(answers) = talk.answers(read) else {
                        return;
                    };
                    if stream.write_all(answers).is_err() {
                        return;
                    }
                }
            }));
        }
    }

    async fn tasks<R: Tasks>(_: Job) -> Outcome {
        let (listener, port) = R::listen().await.expect("the loopback has a free port");
        serving::announce(port);
        loop {
            let mut stream = R::accept(&listener)
                .await
                .expect("there are descriptors left");
            R::detach(R::spawn(async move {
                let mut talk = Conversation::new();
                while let Ok(read @ 1..) = R::read(&mut stream, talk.space()).await {
                    let Some(answers) = talk.answers(read) else {
                        return;
                    };
                    if R::write_all(&mut stream, answers).await.is_err() {
                        return;
                    }
                }
            }));
        }
    }
}
