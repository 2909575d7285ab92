kiln::model! {
    pub struct Net;

    input x: [4, 6];

    let fewer = x -> reshape([5, 5]);
    let rest = x -> reshape([-1, 7]);
    let twice = x -> reshape([-1, -1, 2]);
    let empty = x -> reshape([]);
    let number = x -> reshape(24);
    let same = x -> reshape([4, 6]);
    let y = concat(fewer -> flatten, rest -> flatten, twice -> flatten, empty -> flatten, number -> flatten, same -> flatten, dim: 0);

    output y;
    loss mse;
}

fn main() {}
