fn work(_: &str) {}

fn main() {
    let text = String::from("moved");
    // A borrow in the expression moves the variable too.
    sward::go!(work(&text));
    println!("{text}");
}
