//! Programs for the test of the report on deadlocks, which the test harness, having a thread of its own, cannot be.
//! The first argument names the case. Those that hang are killed by the test.

use std::io::Write;
use std::time::Duration;

use sward::net::TcpListener;
use sward::{Builder, Homes, Runtime};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().expect("a case");
    let homes = match arguments.next().as_deref() {
        Some("fixed") => Homes::Fixed,
        _ => Homes::Moving { limit: 16 },
    };
    let builder = Runtime::builder().workers(2).homes(homes);
    let builder = builder.report_deadlocks(case != "ignored");
    let runtime = builder.build().expect("a runtime");
    let named = |name: &str| Builder::new().name(name);
    let handle = runtime.handle();
    match &*case {
        // Two that wait for each other's end and one that waits to be unparked.
        "deadlock" | "ignored" | "a-thread" => {
            if case == "a-thread" {
                // It might unpark somebody.
                std::thread::spawn(std::thread::park);
            }
            let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
            let joins = named("joins").spawn_on(&handle, || parked.join()).unwrap();
            let sleeps = named("sleeps").spawn_on(&handle, || sward::sleep(Duration::MAX));
            ready();
            let _ = (joins.join(), sleeps.unwrap().join());
        }
        "a-socket" => {
            let accepts = named("accepts").spawn_on(&handle, || {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                ready();
                let _ = listener.accept();
            });
            let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
            let _ = (accepts.unwrap().join(), parked.join());
        }
        // The main thread waits for a socket, as a thread may.
        "a-thread-at-a-socket" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
            ready();
            let _ = (listener.accept(), parked.join());
        }
        "a-timer" => {
            let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
            let greenlet = parked.greenlet().clone();
            let wakes = named("wakes").spawn_on(&handle, move || {
                sward::sleep(Duration::from_secs(4));
                greenlet.unpark();
            });
            ready();
            parked.join().unwrap();
            wakes.unwrap().join().unwrap();
        }
        "another-runtime" => {
            let other = Runtime::builder().workers(1).build().unwrap();
            let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
            ready();
            let _ = parked.join();
            drop(other);
        }
        // Again and again all wait, but not for long.
        "ends" => {
            for _ in 0..1000 {
                let parked = named("parked").spawn_on(&handle, sward::park).unwrap();
                let greenlet = parked.greenlet().clone();
                handle.spawn(move || greenlet.unpark()).join().unwrap();
                parked.join().unwrap();
            }
            ready();
        }
        _ => panic!("no such case: {case}"),
    }
}

/// Tells the test that the case is set up.
fn ready() {
    println!("ready");
    std::io::stdout().flush().expect("somebody listens");
}
