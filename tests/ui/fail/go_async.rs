async fn work() {}

fn main() {
    sward::go!(async { work().await });
    sward::go!(async || work().await);
}
