#[sward::main]
unsafe extern "C" fn main() {}
