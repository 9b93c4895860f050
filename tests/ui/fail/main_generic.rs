#[sward::main]
fn main<T>()
where
    T: Copy,
{
}
