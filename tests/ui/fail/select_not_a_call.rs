fn main() {
    let handle = sward::spawn(|| ());
    sward::select! {
        result = handle => drop(result),
        default => {}
    }
}
