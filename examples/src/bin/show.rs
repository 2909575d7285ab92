//! Prints a ready network as a table and draws it.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kiln::model::{InitError, Summary};
use kiln_examples::{DigitNetConfig, finish};
use kiln_models::*;

/// A name, and what its network says of itself.
type Network = (&'static str, fn() -> Result<Summary, InitError>);

const NETWORKS: &[Network] = &[
    ("alexnet", || AlexNetConfig::new().summary()),
    ("char_transformer", || {
        CharTransformerConfig::new().summary()
    }),
    ("cifar_resnet", || CifarResNetConfig::new().summary()),
    ("cnn", || CnnConfig::new().summary()),
    ("digitnet", || DigitNetConfig::new().summary()),
    ("keskar_c1", || KeskarC1Config::new().summary()),
    ("keskar_c2", || KeskarC2Config::new().summary()),
    ("keskar_f", || KeskarFConfig::new().summary()),
    ("lenet5", || LeNet5Config::new().summary()),
    ("lstm_classifier", || LstmClassifierConfig::new().summary()),
    ("mlp", || MlpConfig::new().summary()),
    ("resnet18", || ResNet18Config::new().summary()),
    ("resnet34", || ResNet34Config::new().summary()),
    ("resnet50", || ResNet50Config::new().summary()),
    ("vgg16", || Vgg16Config::new().summary()),
    ("vit", || VitConfig::new().summary()),
    ("wide_resnet", || WideResNetConfig::new().summary()),
];

/// Prints the layers of a network, and draws it as a graph.
#[derive(Parser)]
#[command(name = "show", version)]
struct Options {
    /// The network; without one, all names are listed.
    model: Option<String>,
    /// Draw it into this file, which ends in .svg.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write it as Mermaid text into this file, which ends in .mmd.
    #[arg(long, value_name = "FILE")]
    mermaid: Option<PathBuf>,
}

fn main() -> ExitCode {
    finish(show(&Options::parse(), &mut std::io::stdout().lock()))
}

fn show(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let names: Vec<_> = NETWORKS.iter().map(|(name, _)| *name).collect();
    let Some(model) = &options.model else {
        return Ok(writeln!(out, "{}", names.join("\n"))?);
    };
    let found = NETWORKS.iter().find(|(name, _)| name == model);
    let Some((_, summary)) = found else {
        let names = names.join(", ");
        return Err(format!("there is no network `{model}`; there are {names}").into());
    };
    let summary = summary()?;
    writeln!(out, "{summary}")?;
    let graph = summary.graph();
    for file in [&options.svg, &options.mermaid].into_iter().flatten() {
        graph.save(file)?;
        writeln!(out, "drawn in {}", file.display())?;
    }
    Ok(())
}
