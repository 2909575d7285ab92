kiln::model! {
    pub struct Net;

    input image: [6, 9, 8];

    let up = image -> pixel_shuffle(2);
    let down = image -> pixel_unshuffle(2);
    let y = concat(up -> flatten, down -> flatten, dim: 0);

    output y;
    loss mse;
}

fn main() {}
