fn main() {
    let mut handle = sward::spawn(|| ());
    sward::select! {
        random;
        _ = handle.join() => {}
    }
}
