fn work(_: u32) {}

fn main() {
    let number = 5;
    sward::go!(number);
    sward::go!(work);
}
