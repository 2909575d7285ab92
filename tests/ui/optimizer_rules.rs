use kiln::optimizer;

optimizer! {
    pub struct Rules { coefficient: f64 = 0.001, steps: usize = 0 }

    update lars(momentun: 0.9, trust_coefficient: coefficient - 1);
    update lars(momentum: 0, nesterov: true) for "a.*";
    update steepest(norm: l3) for "b.*";
    update muon(steps: steps, adjust_lr: orignal) for "c.*";
    update adafactor(decay_rate: 0.8, relative_step: 1) for "d.*";
    update rmsprop(alpha: 1) for embeddings;
    update sgd(lr: 0.1) for embedding;
    update adam(lr: -1x, amsgrad: yes) for bias;
    update lion(beta_3: 0.9) for norm;
    update larc() for head;
}

fn main() {}
