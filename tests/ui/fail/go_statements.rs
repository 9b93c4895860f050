fn work(_: u32) {}

fn main() {
    sward::go!(let a = 1; work(a));
    sward::go!(work(1); work(2));
    sward::go!(work(1), work(2));
    sward::go!(work(1););
}
