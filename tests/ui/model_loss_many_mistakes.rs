kiln::model! {
    pub struct Net { sure: f64 = 1.5 }

    input image: [1, 8, 8];

    let shared = image -> flatten -> linear(16) -> relu;
    let digit = shared -> linear(10) -> softmax;
    let place = shared -> linear(2);
    let share = shared -> linear(3);
    let other = shared -> linear(4);

    output digit, place, share, other;
    loss cross_entropy(digit, label_smoothing: sure)
        + 0.0 * huber(place, delta: -1)
        + binary_cross_entropy(share)
        + mse(plaec)
        + l1
        + multi_margin(other, p: 3)
        + cosine_embedding(place, other, margin: 2)
        + smooth_l2(place);
}

fn main() {}
