kiln::model! {
    pub struct Net;

    input image: [3, 8, 4];

    let none = image -> interpolate(mode: bilinear);
    let both = image -> interpolate(size: 16, scale: 2);
    let line = image -> interpolate(scale: 2, mode: linear);
    let broken = image -> interpolate(scale: 1.5);
    let corners = image -> interpolate(scale: 2, align_corners: true);
    let same = image -> interpolate(size: [8, 4]);
    let y = concat(none, both, line, broken, corners, same, dim: 0);

    output y;
    loss mse;
}

fn main() {}
