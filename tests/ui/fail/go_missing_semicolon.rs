fn work() {}

fn main() {
    sward::go!(name = "a", work());
    sward::go!(name = "a" work());
    sward::go!(name =; work());
}
