mod missing_value {
    #[sward::main(workers)]
    fn main() {}
}

mod missing_comma {
    #[sward::main(workers = 1 homes = "fixed")]
    fn main() {}
}

mod not_a_name {
    #[sward::main(4)]
    fn main() {}
}

fn main() {}
