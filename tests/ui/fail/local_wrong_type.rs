sward::greenlet_local! {
    static COUNT: u32 = "seven";
}

fn main() {
    COUNT.with(|count| println!("{count}"));
}
