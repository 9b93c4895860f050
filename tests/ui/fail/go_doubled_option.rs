fn main() {
    sward::go!(name = "a", stack_size = 65536, name = "b"; ());
}
