kiln::model! {
    pub struct Net;

    input sound: [2, 400];

    let image = sound -> conv2d(8, kernel: 3);
    let volume = sound -> max_pool1d([2, 2]) -> conv1d(4, kernel: 3);
    let pooled = sound -> select(0, 0) -> global_avg_pool;
    let y = concat(image -> flatten, volume -> flatten, pooled, dim: 0);

    output y;
    loss mse;
}

fn main() {}
