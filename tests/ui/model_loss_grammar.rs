kiln::model! {
    struct Behind;
    input x: [4];
    let y = x -> linear(2);
    output y;
    loss mse * 0.5;
}

kiln::model! {
    struct Alone;
    input x: [4];
    let y = x -> linear(2);
    output y;
    loss 0.5 mse;
}

kiln::model! {
    struct Setting;
    input x: [4];
    let y = x -> linear(2);
    output y;
    loss huber(0.5);
}

kiln::model! {
    struct Left;
    input x: [4];
    let y = x -> linear(2);
    output y;
    loss cosine_embedding(y);
}

fn main() {}
