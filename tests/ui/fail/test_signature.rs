#[sward::test]
async fn asynchronous() {}

#[sward::test]
fn parameters(x: u32) {
    drop(x);
}

#[sward::test]
fn generic<const N: usize>() {}

#[sward::test]
#[test]
fn doubled() {}

#[sward::test]
#[should_panic]
fn panics() -> Result<(), String> {
    panic!()
}

#[sward::test]
mod module {}

fn main() {}
