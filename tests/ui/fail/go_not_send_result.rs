use std::rc::Rc;

fn main() {
    sward::go!(Rc::new(1));
}
