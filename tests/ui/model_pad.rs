kiln::model! {
    pub struct Net;

    input image: [3, 8, 4];

    let odd = image -> pad([1, 1, 2]);
    let mirrored = image -> pad([4, 0], mode: reflect);
    let word = image -> pad([1, 1], mode: mirror);
    let valued = image -> pad([1, 1], mode: replicate, value: 0.5);
    let nothing = image -> pad([0, 0]);
    let y = concat(odd, mirrored, word, valued, nothing, dim: 0);

    output y;
    loss mse;
}

fn main() {}
