fn main() {
    let mut handle = sward::spawn(|| ());
    sward::select! {
        handle.join() => {}
    }
}
