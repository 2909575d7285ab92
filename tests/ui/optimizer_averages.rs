use kiln::optimizer;

optimizer! {
    pub struct Averages { share: f64 = 120 }

    update sgd(momentum: 0.9);
    average ema(decay: 1);
    average swa(from: 75 %, every: 1 epoch);
    average lookahead(k: 0, alpha: 1.5);
    average lookahead();
    average ema;
    average swa(from: 0.75, every: [1, 2] epochs);
    average swa(from: share %, every: 0 steps);
    average mean(decay: 0.9);
}

fn main() {}
