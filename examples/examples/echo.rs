//! Shows the smallest server: every connection has a greenlet that sends back what it reads.
//!
//! `echo [HOST:PORT]`, 127.0.0.1:7777 by default. Try it with `nc 127.0.0.1 7777`.

use std::io::{self, Read, Write};

use sward::net::{TcpListener, TcpStream};

#[sward::main]
fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7777".into());
    let listener = TcpListener::bind(&address)?;
    println!("echoing on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => drop(sward::go!(name = "echo"; echo(stream))),
            Err(e) => {
                eprintln!("cannot accept: {e}");
                // It may be that there are no descriptors left: then trying at once is in vain.
                sward::sleep(std::time::Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
