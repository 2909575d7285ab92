kiln::model! {
    struct Scores;
    input x: [4];
    let y = x -> linear(2) -> sigmoid;
    output y;
    loss binary_cross_entropy_with_logits;
}

kiln::model! {
    struct Logarithms;
    input x: [4];
    let y = x -> linear(2) -> log_softmax;
    output y;
    loss cross_entropy;
}

kiln::model! {
    struct Probabilities;
    input x: [4];
    let y = x -> linear(2) -> relu;
    output y;
    loss binary_cross_entropy;
}

kiln::model! {
    struct Divergence;
    input x: [4];
    let y = x -> linear(2) -> softmax;
    output y;
    loss kl_divergence;
}

kiln::model! {
    struct Spelled;
    input x: [5, 4];
    let y = x -> linear(3);
    output y;
    loss ctc;
}

fn main() {}
