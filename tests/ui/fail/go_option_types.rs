fn main() {
    sward::go!(name = 5; ());
    sward::go!(stack_size = "64 KiB"; ());
    sward::go!(stack_size = 65536u32; ());
}
