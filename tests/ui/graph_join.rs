//! What is joined must fit: each mistake at the values that do not.

kiln::model! {
    pub struct Joins { width: usize = 4, other: usize = 5 }
    input image: [3, 8, 8];
    input features: [6];
    let narrow = image -> conv2d(width, kernel: 1);
    let wide = image -> conv2d(8, kernel: 1);
    let small = image -> max_pool2d(2);
    let a = narrow + wide;
    let b = image + features;
    let c = image * small;
    let d = image + (wide -> conv2d(other, kernel: 1)) + image;
    let e = (features -> linear(3)) + (features -> linear(4)) * features;
    let f = image + features2;
    output a, b, c, d, e, f;
}

kiln::model! {
    pub struct Concats { width: usize = 4 }
    input image: [3, 8, 8];
    input features: [6];
    let small = image -> max_pool2d(2);
    let a = concat(image, dim: 0);
    let b = concat(image, image, dim: 3);
    let c = concat(image, small, dim: 0);
    let d = concat(image, small -> conv2d(3, kernel: 1), dim: 1);
    let e = concat(image, features, dim: 0);
    let f = concat(image, image, axis: 0);
    let g = concat(image, image, dim: width);
    let h = concat(image, image, dim: 0, dim: 1);
    let i = concat(image, image, dim: -1);
    let j = concat();
    let k = image -> concat(image, dim: 0);
    let l = concat(image, 3, dim: 0);
    output a, b, c, d, e, f, g, h, i, j, k, l;
}

kiln::model! {
    pub struct Signs;
    input x: [3];
    input y: [3];
    let a = x - y;
    let b = x + 1;
    let c = x / y;
    let d = x -> linear(3) + y;
    output a, b, c, d;
}

fn main() {}
