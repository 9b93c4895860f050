fn main() {
    let (mut one, mut other) = (sward::spawn(|| 1), sward::spawn(|| 2));
    sward::select! {
        result = one.join() => drop(result)
        result = other.join() => drop(result)
    }
}
