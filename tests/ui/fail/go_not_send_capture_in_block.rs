use std::rc::Rc;

fn work(_: Rc<u32>) {}

fn main() {
    let counter = Rc::new(1);
    sward::go!({
        println!("a block of some length");
        work(counter)
    });
}
