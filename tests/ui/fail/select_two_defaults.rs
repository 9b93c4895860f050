fn main() {
    let mut handle = sward::spawn(|| ());
    sward::select! {
        _ = handle.join() => {}
        default => {}
        timeout(std::time::Duration::ZERO) => {}
    }
}
