kiln::model! {
    pub struct Net;

    input volume: [1, 4, 8, 8];

    let y = volume -> conv3d(2, kernel: [3, 2, 3], padding: same);

    output y;
    loss mse;
}

fn main() {}
