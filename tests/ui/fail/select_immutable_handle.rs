fn main() {
    let handle = sward::spawn(|| ());
    sward::select! {
        result = handle.join() => result.unwrap(),
    }
}
