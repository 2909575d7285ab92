kiln::model! {
    pub struct Net;

    input image: [4, 8, 8];

    let wide = image -> conv_transpose2d(8, kernel: 3, stride: 2, output_padding: [1, 2]);
    let gone = image -> conv_transpose2d(8, kernel: 2, padding: 5);
    let split = image -> conv_transpose2d(6, kernel: 2, stride: 2, groups: 4);
    let y = concat(wide -> flatten, gone -> flatten, split -> flatten, dim: 0);

    output y;
    loss mse;
}

fn main() {}
