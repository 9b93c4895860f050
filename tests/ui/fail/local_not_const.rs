fn seven() -> u32 {
    7
}

sward::greenlet_local! {
    static COUNT: u32 = const { seven() };
}

fn main() {
    COUNT.with(|count| println!("{count}"));
}
