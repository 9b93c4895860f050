fn main() {
    let mut handle = sward::spawn(|| ());
    sward::select! {
        Ok(()) = handle.join() => {}
    }
}
