use std::cell::RefCell;

sward::greenlet_local! {
    static NAMES: RefCell<Vec<String>> = RefCell::new(Vec::new());
}

fn main() {
    let _names: &'static RefCell<Vec<String>> = NAMES.with(|names| names);
}
