kiln::model! {
    pub struct Net;

    input x: [4, 6, 2];

    let missing = x -> permute([1, 0]);
    let again = x -> permute([0, 1, 1]);
    let beyond = x -> mean(3);
    let only = x -> flatten -> max(0);
    let index = x -> select(1, 6);
    let from_end = x -> select(dim: -1, index: -3);
    let y = concat(missing -> flatten, again -> flatten, beyond -> flatten, only -> flatten, index -> flatten, from_end -> flatten, dim: 0);

    output y;
    loss mse;
}

fn main() {}
