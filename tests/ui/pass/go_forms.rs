// Each form of `go!`, and the value that comes out of it.
#![deny(warnings)]

use std::sync::mpsc::channel;

use sward::go;

fn seven() -> u32 {
    7
}

fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn parse(text: &'static str) -> Result<u32, std::num::ParseIntError> {
    // `?` leaves the greenlet, not this function.
    let handle = go!({
        let n: u32 = text.parse()?;
        Ok::<_, std::num::ParseIntError>(n + 1)
    });
    handle.join().unwrap()
}

fn main() {
    let three = 3;
    assert_eq!(go!(add(1, three)).join().unwrap(), 4);
    assert_eq!(go!(add(1, three),).join().unwrap(), 4);
    assert_eq!(go!(three * 2 + 1).join().unwrap(), 7);
    assert!(go!(three == 3).join().unwrap());
    assert_eq!(go!(format!("{three}")).join().unwrap(), "3");
    assert_eq!(go!(if three > 2 { 'y' } else { 'n' }).join().unwrap(), 'y');

    assert_eq!(go!(|| three).join().unwrap(), 3);
    assert_eq!(go!(move || three).join().unwrap(), 3);
    assert_eq!(go!(|| -> u64 { 9 }).join().unwrap(), 9);
    assert_eq!(go!(seven).join().unwrap(), 7);
    assert_eq!(go!(self::seven).join().unwrap(), 7);
    assert_eq!(go!(Vec::<u8>::new).join().unwrap(), []);

    let text = String::from("moved");
    let closure = move || text;
    assert_eq!(go!(closure).join().unwrap(), "moved");

    let text = String::from("moved");
    let block = go!({
        let length = text.len();
        length + text.capacity()
    });
    assert!(block.join().unwrap() >= 10);
    let early = go!({
        if three == 3 {
            return 1;
        }
        2
    });
    assert_eq!(early.join().unwrap(), 1);

    // Dropping the handle detaches, without a warning.
    let (sender, receiver) = channel();
    for n in 0..3 {
        let sender = sender.clone();
        go!(sender.send(n).unwrap());
    }
    go! { drop(sender) };
    assert_eq!(receiver.iter().sum::<i32>(), 3);

    assert_eq!(parse_both(), (Some(42), None));
    assert!(go!(std::panic::resume_unwind(Box::new(1))).join().is_err());
}

fn parse_both() -> (Option<u32>, Option<u32>) {
    (parse("41").ok(), parse("x").ok())
}
