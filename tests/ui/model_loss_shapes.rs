kiln::model! {
    struct Flat;
    input x: [5, 4];
    let y = x -> flatten -> linear(3) -> log_softmax;
    output y;
    loss ctc;
}

kiln::model! {
    struct Sizes { width: usize = 8 }
    input x: [4];
    let left = x -> linear(width);
    let right = x -> linear(width + 1);
    output left, right;
    loss cosine_embedding(left, right);
}

kiln::model! {
    struct Open;
    input x: [any length];
    let y = x -> tanh;
    output y;
    loss cross_entropy;
}

fn main() {}
