//! All forms, with names that the expansion uses too.

use std::time::{Duration, Instant};

use sward::{JoinError, JoinHandle, select};

struct Holder {
    handle: JoinHandle<(u32, u32)>,
}

macro_rules! joined {
    ($handle:expr, $pattern:pat => $body:expr) => {
        select! { $pattern = $handle.join() => $body }
    };
}

fn main() {
    let mut holder = Holder {
        handle: sward::spawn(|| (3, 4)),
    };
    let mut one = sward::spawn(|| 6);
    let six = joined!(one, result => result.unwrap());
    assert_eq!(six, 6);
    let now = Instant::now();
    let never = select! {
        biased;
        deadline(now) => 1,
    };
    assert_eq!(never, 1);
    select!(default => ());
    assert_eq!(sum(&mut holder).unwrap(), 10);
}

fn sum(holder: &mut Holder) -> Result<u32, JoinError> {
    let value = 1;
    let arm_0 = 2;
    select! {
        result = holder.handle.join() => {
            let (one, other) = result?;
            Ok(one + other + value + arm_0)
        }
        timeout(Duration::from_secs(60)) => Ok(0),
    }
}
