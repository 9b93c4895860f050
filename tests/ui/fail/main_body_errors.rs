#[sward::main]
fn main() -> Result<(), String> {
    let number: u32 = "text";
    println!("{number}");
}
