fn work(_: &str) {}

fn main() {
    let text = String::from("local");
    let borrowed = &text;
    sward::go!(work(borrowed));
}
