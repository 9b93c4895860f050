//! The generator of requests for the echo servers: one thread, one `epoll`, its own process.
//!
//! Each connection sends 64 bytes, waits until they are all back, and sends again. The first tenth of the requests warms up
//! and is not counted. A connection that has waited for more than a second at the end is told apart: it counts with that age.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::net::sockopt;

use crate::meter;
use crate::outcome::Outcome;

/// What to ask of whom.
pub(crate) struct Order {
    pub(crate) port: u16,
    /// The server, for its CPU time.
    pub(crate) pid: u32,
    pub(crate) connections: u32,
    /// After the warm-up.
    pub(crate) requests: u64,
}

const MESSAGE: [u8; 64] = [b'x'; 64];
const LIMIT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(1);
const EVENTS: usize = 1024;
const MOMENT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

struct Connection {
    stream: TcpStream,
    sent: Instant,
    missing: usize,
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // Closing resets it: ten thousand connections a run would else wait a minute each in `TIME_WAIT`.
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(Self {
            stream,
            sent: Instant::now(),
            missing: 0,
        })
    }

    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        self.missing = MESSAGE.len();
        // There is always room for one message: the one before is back.
        self.stream.write_all(&MESSAGE)
    }

    /// Reads what is there; says whether the answer is whole.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE.len()];
        match self.stream.read(&mut buffer[..self.missing]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.missing -= read;
                Ok(self.missing == 0)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// The counted part of a run.
struct Measured {
    begun: Instant,
    server_cpu: Duration,
    own_cpu: Duration,
}

impl Measured {
    fn begin(order: &Order) -> Self {
        Self {
            begun: Instant::now(),
            server_cpu: meter::cpu_of(order.pid).unwrap_or_default(),
            own_cpu: meter::cpu(),
        }
    }

    fn outcome(
        &self,
        order: &Order,
        mut ns: Vec<u64>,
        waiting: &[Connection],
    ) -> Result<Outcome, String> {
        let wall = self.begun.elapsed().as_secs_f64();
        let server_cpu = meter::cpu_of(order.pid).ok_or("the server is gone")? - self.server_cpu;
        let own_cpu = meter::cpu() - self.own_cpu;
        let served = ns.len() as f64;
        let ages = waiting.iter().map(|one| one.sent.elapsed());
        ns.extend(
            ages.filter(|&age| age > LONG)
                .map(|age| age.as_nanos() as u64),
        );
        let left = ns.len() as f64 - served;
        ns.sort_unstable();
        let micros = |part| meter::percentile(&ns, part) as f64 / 1e3;
        Ok(
            Outcome::of("CPU s/million", server_cpu.as_secs_f64() * 1e6 / served)
                .with("p50 µs", micros(0.5))
                .with("p99 µs", micros(0.99))
                .with("p99.9 µs", micros(0.999))
                .with("requests/s", served / wall)
                .with("waiting at the end", left)
                .with("load busy %", own_cpu.as_secs_f64() * 100.0 / wall),
        )
    }
}

pub(crate) fn run(order: &Order) -> Result<Outcome, String> {
    ask(order).map_err(|e| format!("asking: {e}"))?
}

fn ask(order: &Order) -> io::Result<Result<Outcome, String>> {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for i in 0..order.connections {
        let connection = Connection::open(order.port)?;
        let data = epoll::EventData::new_u64(i.into());
        epoll::add(&poller, &connection.stream, data, epoll::EventFlags::IN)?;
        connections.push(connection);
    }
    let until = Instant::now() + LIMIT;
    for connection in &mut connections {
        connection.send()?;
    }
    let mut events = Vec::with_capacity(EVENTS);
    let mut warming = order.requests / 10;
    let mut measured = Measured::begin(order);
    let mut ns = Vec::with_capacity(order.requests as usize);
    while (ns.len() as u64) < order.requests && Instant::now() < until {
        events.clear();
        epoll::wait(
            &poller,
            rustix::buffer::spare_capacity(&mut events),
            Some(&MOMENT),
        )?;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            if !connection.receive()? {
                continue;
            }
            if warming == 0 {
                ns.push(connection.sent.elapsed().as_nanos() as u64);
            } else {
                warming -= 1;
                if warming == 0 {
                    measured = Measured::begin(order);
                }
            }
            connection.send()?;
        }
    }
    if ns.is_empty() {
        return Ok(Err(format!(
            "not one request was served in {} s",
            LIMIT.as_secs()
        )));
    }
    Ok(measured.outcome(order, ns, &connections))
}
