fn main() {
    let mut thread = std::thread::spawn(|| ());
    sward::select! {
        result = thread.join() => result.unwrap(),
    }
}
