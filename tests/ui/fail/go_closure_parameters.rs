fn main() {
    sward::go!(|x: u32, y| x + y);
    sward::go!(name = "a"; move |_| ());
}
