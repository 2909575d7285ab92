//! One mistake, one error, although the type is used all over the file.

use kiln::prelude::*;

model! {
    /// A network with a slip in it.
    pub struct Net {
        /// Number of classes.
        classes: usize = 10,
        /// Share of units that dropout zeroes.
        drop: f64 = 0.1,
    }

    input image: [1, 8, 8];

    let hidden = image -> flaten -> linear(32) -> relu;
    let logits = hidden -> dropout(drop) -> linear(classes);

    output logits;
    loss cross_entropy;
}

optimizer! {
    /// Plain SGD.
    pub struct Sgd {}
    update sgd(momentum: 0.9);
}

schedule! {
    /// The same rate all along.
    pub struct Constant {}
    peak 0.1;
    constant;
}

fn train(device: &Device) -> kiln::Result {
    let config = NetConfig::new().with_classes(10).with_drop(0.2);
    println!("{config}, {:?}", config.summary()?);
    let model: Net = config.init(device)?;
    let image = Tensor::<4>::zeros([2, 1, 8, 8], device);
    let logits: Tensor<2> = model.forward(image);
    println!("{model}, {:?}, {:?}", logits.dims(), model.config().classes);
    let (train, test) = kiln::data::digits()?.split(0.8, 1)?;
    let trainer = Trainer::new(model.clone(), Sgd::new(), Constant::new());
    let run = trainer.epochs(1).batch(32).validate(&test).quiet().fit(train)?;
    run.model.save("net.bpk")?;
    let again = Net::load("net.bpk", device)?;
    evaluate(&again, &test, 32)?;
    Ok(())
}

fn main() {
    train(&default_device().unwrap()).unwrap();
}
