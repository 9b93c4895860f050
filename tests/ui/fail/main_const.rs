#[sward::main]
const fn main() {
    println!("this alone would be an error in a const function");
}
