#[sward::main]
fn main() -> u32 {
    5
}
