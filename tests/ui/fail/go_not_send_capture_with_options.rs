use std::rc::Rc;

fn work(_: Rc<u32>) {}

fn main() {
    let counter = Rc::new(1);
    sward::go!(name = "a", stack_size = 65536; work(counter));
}
