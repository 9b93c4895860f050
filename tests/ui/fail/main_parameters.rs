use std::collections::HashMap;

#[sward::main]
fn main(count: usize, names: HashMap<String, u32>) {
    // Still checked, and `HashMap` counts as used.
    println!("{count} {names:?}");
}
