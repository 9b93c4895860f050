fn main() {
    sward::select! {}
}
