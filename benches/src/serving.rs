//! Servers and who asks them: the server in one process, the requests from another.
//!
//! A server prints `{"port": N}` and serves until its standard input closes. With one worker it is kept on the first CPU and
//! the requests come from the others; with more, the kernel places both.

use std::process::Command;
use std::time::Duration;

use crate::meter;
use crate::outcome::Outcome;
use crate::process::{Pinned, Process};
use crate::work::Job;
use crate::workload::Load;

const START: Duration = Duration::from_secs(20);
/// More than the generator's own limit.
const LOAD: Duration = Duration::from_secs(90);

/// Says where the server listens, and ends the process when nobody wants it any more.
pub(crate) fn announce(port: u16) {
    println!("{}", Outcome::of("port", f64::from(port)));
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0)
    });
}

/// Starts the server and puts the load on it.
pub(crate) fn measure(server: &mut Command, load: Load, job: Job) -> Result<Outcome, String> {
    let alone = job.workers == 1;
    let mut server = {
        let _pinned = alone.then(|| Pinned::to_first(1));
        Process::start(server)?
    };
    let line = server.line(START)?;
    let port = Outcome::parse(&line)?
        .value("port")
        .ok_or("the server told no port")? as u16;
    let _pinned = alone.then(|| Pinned::to_others(1));
    match load {
        Load::None => Err("this workload has no load".to_owned()),
        Load::Echo(connections) => echo(&server, port, connections, job.n),
        Load::Wrk(connections) => wrk(&server, port, connections, job.n),
    }
}

fn echo(server: &Process, port: u16, connections: u32, requests: u64) -> Result<Outcome, String> {
    let me = std::env::current_exe().map_err(|e| format!("who am I? {e}"))?;
    let mut command = Command::new(me);
    command.arg("load");
    command.args(
        [
            port.into(),
            u64::from(server.id()),
            connections.into(),
            requests,
        ]
        .map(|n: u64| n.to_string()),
    );
    let lines = Process::start(&mut command)?.all(LOAD)?;
    Outcome::parse(lines.last().ok_or("the generator said nothing")?)
}

fn wrk(server: &Process, port: u16, connections: u32, seconds: u64) -> Result<Outcome, String> {
    let mut command = Command::new("wrk");
    command.args([
        "-t1",
        "--latency",
        &format!("-c{connections}"),
        &format!("-d{seconds}s"),
    ]);
    command.arg(format!("http://127.0.0.1:{port}/"));
    let cpu = || meter::cpu_of(server.id()).ok_or("the server is gone");
    let before = cpu()?;
    let lines = Process::start(&mut command)?.all(LOAD)?;
    let used = cpu()? - before;
    let after = |name: &str| lines.iter().find_map(|line| line.trim().strip_prefix(name));
    if let Some(errors) = after("Socket errors:").or(after("Non-2xx")) {
        return Err(format!("wrk saw errors: {errors}"));
    }
    let requests = lines
        .iter()
        .find_map(|line| line.trim().split_once(" requests in"));
    let requests: f64 = requests
        .and_then(|(n, _)| n.parse().ok())
        .ok_or("wrk told no requests")?;
    let rate: f64 = after("Requests/sec:")
        .and_then(|n| n.trim().parse().ok())
        .unwrap_or(0.0);
    if requests == 0.0 {
        return Err("not one request was served".to_owned());
    }
    let latency = |part| after(part).and_then(micros).unwrap_or(f64::NAN);
    Ok(
        Outcome::of("CPU s/million", used.as_secs_f64() * 1e6 / requests)
            .with("p50 µs", latency("50%"))
            .with("p99 µs", latency("99%"))
            .with("requests/s", rate),
    )
}

/// A time as `wrk` writes it: `1.23ms`.
fn micros(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_alphabetic())?;
    let unit = match &text[split..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(text[..split].parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn times_as_wrk_writes_them() {
        assert_eq!(micros(" 250.00us"), Some(250.0));
        assert_eq!(micros("1.50ms"), Some(1500.0));
        assert_eq!(micros("2.00s"), Some(2e6));
        assert_eq!(micros("2.00"), None);
    }
}
