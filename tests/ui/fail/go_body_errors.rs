fn work(_: u32) {}

fn main() {
    sward::go!(work("text"));
    sward::go!(wrok(1));
    sward::go!({ work(1)? });
    loop {
        sward::go!(break);
    }
}
