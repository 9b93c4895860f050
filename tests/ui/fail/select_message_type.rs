fn main() {
    let (sender, receiver) = sward::channel::bounded::<u32>(1);
    sward::select! {
        sent = sender.send("one") => sent.unwrap(),
        message = receiver.recv() => {
            let _: String = message.unwrap();
        }
    }
}
