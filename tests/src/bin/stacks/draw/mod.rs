//! A layer at random, and whether PyTorch would take it.

mod sequences;
mod shapes;
mod windows;

use kiln_tests::Lcg;

/// The stack so far.
#[derive(Clone, Default)]
pub struct Stack {
    /// The hyper-parameters: type and default.
    hypers: Vec<(&'static str, String)>,
    input: String,
    /// The shape of another value, once a layer takes it.
    memory: Option<[usize; 2]>,
    layers: Vec<String>,
    /// What the last layer gives for an example, and whether it is integers.
    pub shape: Vec<usize>,
    pub integers: bool,
}

pub struct Draw {
    random: Lcg,
    pub stack: Stack,
}

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw {
            random: Lcg(seed),
            stack: Stack::default(),
        }
    }

    /// Begins a stack: integers, features, or channels with one to three sizes.
    pub fn begin(&mut self) {
        let integers = self.once_in(12);
        let rank = if integers {
            self.between(1, 3)
        } else {
            self.between(1, 4)
        };
        let most = [0, 24, 16, 10, 6][rank];
        let shape: Vec<_> = (0..rank).map(|_| self.between(1, most)).collect();
        let kind = if integers { "int " } else { "" };
        self.stack = Stack {
            input: format!("input x: {kind}{shape:?};"),
            shape,
            integers,
            ..Stack::default()
        };
    }

    /// Puts one of the layers on the stack, with settings at random; says which, and whether PyTorch
    /// would take it.
    pub fn push<'a>(&mut self, names: &[&'a str]) -> (&'a str, bool) {
        let shape = self.stack.shape.clone();
        loop {
            let name = self.one_of(names);
            if let Some((layer, possible)) = self.layer(name, &shape) {
                self.stack.layers.push(layer);
                return (name, possible);
            }
        }
    }

    /// The declaration of the stack.
    pub fn declaration(&self) -> String {
        let Stack {
            hypers,
            input,
            memory,
            layers,
            ..
        } = &self.stack;
        let hypers = hypers.iter().enumerate();
        let hypers = hypers.map(|(i, (ty, default))| format!("h{i}: {ty} = {default}"));
        let hypers: Vec<_> = hypers.collect();
        let memory = memory.map_or(String::new(), |memory| format!("input m: {memory:?};"));
        format!(
            "struct Net {{ {} }} {input} {memory} let y = x -> {}; output y; loss mse;",
            hypers.join(", "),
            layers.join(" -> "),
        )
    }

    /// A number in `low..=high`.
    fn between(&mut self, low: usize, high: usize) -> usize {
        self.random.draw(low, high)
    }

    /// Whether something happens that happens once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.between(1, n) == 1
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() - 1)]
    }

    /// A whole number, as a literal or as a hyper-parameter.
    fn number(&mut self, value: usize) -> String {
        self.maybe_hyper("usize", value.to_string())
    }

    fn maybe_hyper(&mut self, ty: &'static str, value: String) -> String {
        if !self.once_in(4) {
            return value;
        }
        self.stack.hypers.push((ty, value));
        format!("h{}", self.stack.hypers.len() - 1)
    }

    /// A number for each axis, or one for all.
    fn sizes(&mut self, sizes: &[usize]) -> String {
        let one = sizes.iter().all(|size| *size == sizes[0]);
        if one && !self.once_in(3) {
            return self.number(sizes[0]);
        }
        let sizes: Vec<_> = sizes.iter().map(|size| self.number(*size)).collect();
        format!("[{}]", sizes.join(", "))
    }

    fn each(&mut self, rank: usize, low: usize, high: usize) -> Vec<usize> {
        let first = self.between(low, high);
        let same = self.once_in(2);
        let other = |draw: &mut Draw| if same { first } else { draw.between(low, high) };
        (0..rank).map(|_| other(self)).collect()
    }

    /// The layer called `name` with settings at random, and whether PyTorch would take it on an
    /// input of this shape; none where it would be a layer for another rank once too often.
    fn layer(&mut self, name: &str, shape: &[usize]) -> Option<(String, bool)> {
        let (family, axes) = match name.split_at(name.len().saturating_sub(2)) {
            (family, "1d") => (family, Some(1)),
            (family, "2d") => (family, Some(2)),
            (family, "3d") => (family, Some(3)),
            _ => (name, name.starts_with("pixel").then_some(2)),
        };
        let rank = shape.len();
        let fits = match name {
            "embedding" => self.stack.integers,
            _ if self.stack.integers => false,
            "dropout2d" => rank == 3,
            "global_avg_pool" | "global_max_pool" | "rotary_embedding" => rank > 1,
            "position_embedding"
            | "sinusoidal_positions"
            | "class_token"
            | "lstm"
            | "gru"
            | "rnn"
            | "multi_head_attention"
            | "transformer_encoder"
            | "transformer_decoder" => rank == 2,
            _ => axes.is_none_or(|axes| rank == axes + 1),
        };
        if !fits && !self.once_in(24) {
            return None;
        }
        let axes = axes.unwrap_or(0);
        // Where the rank does not fit, any sizes will do.
        let channels = shape[0];
        let sizes: Vec<_> = shape[1..]
            .iter()
            .copied()
            .chain([4; 3])
            .take(axes)
            .collect();
        let (args, possible) = match family {
            "linear" | "swiglu" => (format!("{}{}", self.out(), self.bias()), true),
            "conv" => self.conv(channels, &sizes),
            "conv_transpose" => self.conv_transpose(channels, &sizes),
            "max_pool" | "avg_pool" => self.pool(family, &sizes),
            "adaptive_avg_pool" | "adaptive_max_pool" => {
                let sizes = self.each(axes, 1, 6);
                (self.sizes(&sizes), true)
            }
            "unfold" => self.unfold(&sizes),
            "pad" => self.pad(shape),
            "interpolate" => self.interpolate(shape),
            "pixel_shuffle" => {
                let factor = self.between(1, 3);
                (
                    self.number(factor),
                    channels.is_multiple_of(factor * factor),
                )
            }
            "pixel_unshuffle" => {
                let factor = self.between(1, 3);
                let whole = sizes.iter().all(|size| size.is_multiple_of(factor));
                (self.number(factor), whole)
            }
            "reshape" => self.reshape(shape)?,
            "permute" => self.permute(shape.len()),
            "mean" | "max" | "sum" => {
                let (dim, possible) = self.dim(shape.len());
                (format!("{dim}"), possible)
            }
            "select" => self.select(shape),
            // That it changes nothing is an error, too.
            "flatten" => (String::new(), shape.len() > 1),
            "dropout" | "alpha_dropout" | "stochastic_depth" => {
                let p = self.one_of(&["0.25", "0.5", "0.9", "1.0"]);
                (self.maybe_hyper("f64", p.into()), p != "1.0")
            }
            "gaussian_noise" => (self.maybe_hyper("f64", "0.5".into()), true),
            "group_norm" => {
                let groups = self.between(1, 3);
                let numbers: usize = shape.iter().product();
                // Of a single number the mean is itself.
                let possible = channels.is_multiple_of(groups) && numbers / groups > 1;
                let args = format!("{}{}", self.number(groups), self.flag("affine"));
                (args, possible)
            }
            "instance_norm" => (
                self.only_flag("affine"),
                shape[1..].iter().product::<usize>() > 1,
            ),
            "layer_norm" => (self.only_flag("bias"), true),
            "local_response_norm" => {
                let size = self.between(1, 4);
                (self.number(size), true)
            }
            "threshold" => (
                format!("0.5, {}", self.maybe_hyper("f64", "-1.0".into())),
                true,
            ),
            "rrelu" => self.ordered(["lower", "upper"], ["0.1", "0.5"], ["0.25", "0.75"]),
            "hardtanh" => self.ordered(["min", "max"], ["-2.0", "0.5"], ["0.25", "1.5"]),
            "leaky_relu" => (self.maybe_real("negative_slope", "0.2"), true),
            "elu" | "celu" | "thresholded_relu" => (self.maybe_real("alpha", "0.7"), true),
            "softplus" => (self.maybe_real("beta", "2.0"), true),
            "softshrink" | "hardshrink" => (self.maybe_real("lambda", "0.3"), true),
            "gelu" => (
                self.one_of(&["", "approximate: tanh", "approximate: none"])
                    .into(),
                true,
            ),
            "prelu" => {
                let args = ["", "parameters: one", "parameters: channels, slope: 0.1"];
                (self.one_of(&args).into(), true)
            }
            "glu" => {
                let dim = self.between(0, rank - 1);
                (format!("dim: {dim}"), shape[dim].is_multiple_of(2))
            }
            "embedding" => {
                let vocabulary = self.between(1, 9);
                (format!("{}, {}", self.number(vocabulary), self.out()), true)
            }
            "position_embedding" => {
                let most = self.between(shape[0].saturating_sub(1).max(1), shape[0] + 4);
                match self.once_in(2) {
                    true => (String::new(), true),
                    false => (self.number(most), most >= shape[0]),
                }
            }
            "rotary_embedding" => (
                self.maybe_real("base", "100.0"),
                shape[rank - 1].is_multiple_of(2),
            ),
            "sinusoidal_positions" => (self.maybe_real("base", "100.0"), true),
            "lstm" | "gru" | "rnn" => (self.recurrent(name), true),
            "multi_head_attention" | "transformer_encoder" | "transformer_decoder" => {
                self.attention(name, shape.get(1).copied().unwrap_or(1))
            }
            "global_avg_pool" | "global_max_pool" | "class_token" | "batch_norm" | "rms_norm"
            | "identity" | "relu" | "relu6" | "selu" | "silu" | "mish" | "tanh" | "tanhshrink"
            | "softsign" | "sigmoid" | "logsigmoid" | "hardsigmoid" | "hardswish" | "softmax"
            | "log_softmax" | "softmin" => (String::new(), true),
            other => panic!("`{other}` is not drawn yet; give it a line here"),
        };
        let layer = match args.is_empty() {
            true => name.to_owned(),
            false => format!("{name}({args})"),
        };
        Some((layer, possible && fits))
    }

    /// `, key: sizes`, which may be left out where they are what is taken then.
    fn key(&mut self, key: &str, sizes: &[usize], default: &[usize]) -> String {
        if sizes == default && !self.once_in(4) {
            return String::new();
        }
        format!(", {key}: {}", self.sizes(sizes))
    }

    fn out(&mut self) -> String {
        let out = self.between(1, 8);
        self.number(out)
    }

    fn bias(&mut self) -> &'static str {
        self.one_of(&["", ", bias: true", ", bias: false"])
    }

    /// `, key: true` or not, or nothing.
    fn flag(&mut self, key: &str) -> String {
        match self.between(0, 2) {
            0 => String::new(),
            1 => format!(", {key}: true"),
            _ => format!(", {key}: false"),
        }
    }

    fn only_flag(&mut self, key: &str) -> String {
        self.flag(key).trim_start_matches(", ").to_owned()
    }

    fn maybe_real(&mut self, key: &str, value: &str) -> String {
        match self.once_in(2) {
            true => String::new(),
            false => format!("{key}: {}", self.maybe_hyper("f64", value.into())),
        }
    }

    /// Two numbers, of which the second must not be below the first.
    fn ordered(&mut self, keys: [&str; 2], low: [&str; 2], high: [&str; 2]) -> (String, bool) {
        let (low, high) = (self.one_of(&low), self.one_of(&high));
        let number = |text: &str| text.parse::<f64>().unwrap_or_default();
        let possible = number(low) <= number(high);
        let [low, high] = [low, high].map(|value| self.maybe_hyper("f64", value.into()));
        (format!("{}: {low}, {}: {high}", keys[0], keys[1]), possible)
    }
}
