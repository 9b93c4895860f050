fn main() {
    let list = vec![1];
    sward::select! {
        first = list.first() => drop(first),
    }
}
