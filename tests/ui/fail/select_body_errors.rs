fn main() {
    let mut handle = sward::spawn(|| 7);
    let text: String = sward::select! {
        result = handle.join() => result.unwrap(),
        timeout(5) => String::new(),
    };
    drop(text);
}
