fn main() {
    let (sender, receiver) = sward::channel::bounded::<u32>(1);
    sward::select! {
        sent = sender.send() => sent.unwrap(),
        message = receiver.recv(7) => drop(message),
    }
}
