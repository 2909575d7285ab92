//! Recurrent layers, attention and the transformer.

use super::Draw;

impl Draw {
    pub fn recurrent(&mut self, name: &str) -> String {
        let layers = self.between(1, 2);
        let mut args = self.out();
        if layers == 2 {
            args += &format!(", layers: {}", self.number(2));
            args += self.one_of(&["", ", dropout: 0.5"]);
        }
        if name == "rnn" {
            args += self.one_of(&["", ", nonlinearity: relu", ", nonlinearity: tanh"]);
        }
        args + &self.flag("bidirectional") + &self.flag("bias")
    }

    pub fn attention(&mut self, name: &str, dim: usize) -> (String, bool) {
        let heads = self.between(1, 3);
        let (mut args, mut possible) = (self.number(heads), dim.is_multiple_of(heads));
        let cross = match name {
            "multi_head_attention" => self.once_in(3),
            name => name == "transformer_decoder",
        };
        if cross {
            let features = if self.once_in(6) {
                self.between(1, 6)
            } else {
                dim
            };
            let fresh = [self.between(1, 6), features];
            let [_, features] = *self.stack.memory.get_or_insert(fresh);
            args += ", memory: m";
            possible &= name == "multi_head_attention" || features == dim;
        }
        if name == "multi_head_attention" {
            if !cross && self.once_in(3) {
                args += self.one_of(&[", rotary: true", ", rotary: 100.0"]);
                possible = dim.is_multiple_of(2 * heads);
            }
            if !cross {
                args += &self.flag("causal");
            }
            return (args + &self.flag("bias"), possible);
        }
        let (layers, feedforward) = (self.between(1, 2), self.between(1, 8));
        args += &format!(", layers: {}", self.number(layers));
        args += &format!(", feedforward: {}", self.number(feedforward));
        args += self.one_of(&["", ", activation: gelu", ", activation: relu"]);
        for key in ["norm_first", "causal", "norm", "bias"] {
            args += &self.flag(key);
        }
        (args, possible)
    }
}
