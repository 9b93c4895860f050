fn main() {
    sward::go!();
    sward::go!(name = "no work");
    sward::go!(name = "no work";);
}
