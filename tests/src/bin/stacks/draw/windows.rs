//! What slides a window, and what gives another size.

use super::Draw;

impl Draw {
    /// Groups, outputs, the arguments for both, and whether they divide.
    fn groups(&mut self, channels: usize) -> (String, String, bool) {
        let groups = if self.once_in(4) {
            channels
        } else {
            self.between(1, 3)
        };
        let out = match self.once_in(5) {
            true => self.between(1, 8),
            false => groups * self.between(1, 3),
        };
        let possible = channels.is_multiple_of(groups) && out.is_multiple_of(groups);
        let out = self.number(out);
        let groups = match groups {
            1 => String::new(),
            groups => format!(", groups: {}", self.number(groups)),
        };
        (out, groups, possible)
    }

    pub fn conv(&mut self, channels: usize, sizes: &[usize]) -> (String, bool) {
        let rank = sizes.len();
        let (out, groups, divides) = self.groups(channels);
        let kernel = self.each(rank, 1, 4);
        let stride = self.each(rank, 1, 3);
        let dilation = self.each(rank, 1, 3);
        let ones = vec![1; rank];
        let (padding, possible) = if self.once_in(4) {
            // Burn's own pads volumes by as much before as behind.
            let spread = kernel.iter().zip(&dilation).map(|(k, d)| (k - 1) * d);
            let even = rank < 3 || spread.clone().all(|spread| spread.is_multiple_of(2));
            (", padding: same".to_owned(), stride == ones && even)
        } else {
            let padding = self.each(rank, 0, 3);
            let fits = fits(sizes, &kernel, &padding, &dilation);
            (self.key("padding", &padding, &vec![0; rank]), fits)
        };
        let args = format!(
            "{out}, kernel: {}{}{padding}{}{groups}{}",
            self.sizes(&kernel),
            self.key("stride", &stride, &ones),
            self.key("dilation", &dilation, &ones),
            self.bias(),
        );
        (args, divides && possible)
    }

    pub fn conv_transpose(&mut self, channels: usize, sizes: &[usize]) -> (String, bool) {
        let rank = sizes.len();
        let (out, groups, divides) = self.groups(channels);
        let (ones, zeros) = (vec![1; rank], vec![0; rank]);
        let kernel = self.each(rank, 1, 4);
        let stride = self.each(rank, 1, 3);
        let dilation = self.each(rank, 1, 3);
        let padding = self.each(rank, 0, 3);
        let extra = self.each(rank, 0, 2);
        let possible = (0..rank).all(|i| {
            let reach = dilation[i] * (kernel[i] - 1) + extra[i] + 1;
            extra[i] < stride[i].max(dilation[i])
                && (sizes[i] - 1) * stride[i] + reach > 2 * padding[i]
        });
        let args = format!(
            "{out}, kernel: {}{}{}{}{}{groups}{}",
            self.sizes(&kernel),
            self.key("stride", &stride, &ones),
            self.key("padding", &padding, &zeros),
            self.key("output_padding", &extra, &zeros),
            self.key("dilation", &dilation, &ones),
            self.bias(),
        );
        (args, divides && possible)
    }

    pub fn pool(&mut self, family: &str, sizes: &[usize]) -> (String, bool) {
        let rank = sizes.len();
        let ones = vec![1; rank];
        let kernel = self.each(rank, 1, 4);
        let stride = self.each(rank, 1, 4);
        let padding = self.each(rank, 0, 2);
        let dilation = match family {
            "max_pool" => self.each(rank, 1, 3),
            _ => ones.clone(),
        };
        let own = match family {
            "max_pool" => self.key("dilation", &dilation, &ones),
            _ => self
                .one_of(&[
                    "",
                    ", count_include_pad: true",
                    ", count_include_pad: false",
                ])
                .to_owned(),
        };
        let ceil_mode = self.one_of(&["", ", ceil_mode: false", ", ceil_mode: true"]);
        let half = kernel.iter().zip(&padding).all(|(k, p)| 2 * p <= *k);
        let args = format!(
            "{}{}{}{own}{ceil_mode}",
            self.sizes(&kernel),
            self.key("stride", &stride, &kernel),
            self.key("padding", &padding, &vec![0; rank]),
        );
        (args, half && fits(sizes, &kernel, &padding, &dilation))
    }

    pub fn unfold(&mut self, sizes: &[usize]) -> (String, bool) {
        let kernel = self.each(2, 1, 4);
        let stride = self.each(2, 1, 3);
        let padding = self.each(2, 0, 2);
        let dilation = self.each(2, 1, 2);
        let args = format!(
            "{}{}{}{}",
            self.sizes(&kernel),
            self.key("stride", &stride, &[1, 1]),
            self.key("padding", &padding, &[0, 0]),
            self.key("dilation", &dilation, &[1, 1]),
        );
        (args, fits(sizes, &kernel, &padding, &dilation))
    }

    pub fn pad(&mut self, shape: &[usize]) -> (String, bool) {
        let count = match self.once_in(12) {
            true => self.between(0, 2 * shape.len() + 2),
            false => 2 * self.between(1, shape.len()),
        };
        let mut amounts: Vec<_> = (0..count).map(|_| self.between(0, 3)).collect();
        // One that puts nothing is another mistake.
        if let Some(first) = amounts.first_mut().filter(|first| **first == 0) {
            *first = 1;
        }
        let mode = self.one_of(&["", "constant", "reflect", "replicate", "circular"]);
        let most = |size: usize| match mode {
            "reflect" => size - 1,
            "circular" => size,
            _ => usize::MAX,
        };
        // The last dimension first.
        let dims = shape.iter().rev().flat_map(|size| [*size; 2]);
        let within = amounts
            .iter()
            .zip(dims)
            .all(|(amount, size)| *amount <= most(size));
        let pairs = count > 0 && count.is_multiple_of(2) && count <= 2 * shape.len();
        let amounts: Vec<_> = amounts.iter().map(|amount| self.number(*amount)).collect();
        let value = match mode {
            "" | "constant" if self.once_in(2) => {
                format!(", value: {}", self.maybe_hyper("f64", "-1.5".into()))
            }
            _ => String::new(),
        };
        let mode = if mode.is_empty() {
            String::new()
        } else {
            format!(", mode: {mode}")
        };
        let args = format!("[{}]{mode}{value}", amounts.join(", "));
        (args, pairs && within)
    }

    pub fn interpolate(&mut self, shape: &[usize]) -> (String, bool) {
        let rank = shape.len().clamp(2, 4) - 1;
        let modes: &[_] = match rank {
            1 => &["", "nearest", "linear"],
            2 => &["", "nearest", "bilinear", "bicubic"],
            _ => &["", "nearest", "trilinear"],
        };
        let mode = match self.once_in(12) {
            true => self.one_of(&["linear", "bilinear", "bicubic", "trilinear"]),
            false => self.one_of(modes),
        };
        let corners = self.once_in(if mode.contains('i') { 2 } else { 12 });
        let (key, mut numbers) = match self.once_in(2) {
            true => ("scale", self.each(rank, 1, 3)),
            false => ("size", self.each(rank, 1, 7)),
        };
        // One that keeps the size is another mistake.
        let kept = if key == "scale" {
            &vec![1; rank]
        } else {
            &shape[1..]
        };
        if numbers == kept {
            numbers[0] += 1;
        }
        let numbers = self.sizes(&numbers);
        let mut args = format!("{key}: {numbers}");
        if !mode.is_empty() {
            args += &format!(", mode: {mode}");
        }
        if corners {
            args += ", align_corners: true";
        }
        let formula = !matches!(mode, "" | "nearest");
        let possible = shape.len() == rank + 1 && modes.contains(&mode) && (formula || !corners);
        (args, possible)
    }
}

/// Whether a window fits, by the formula of PyTorch's documentation.
fn fits(sizes: &[usize], kernel: &[usize], padding: &[usize], dilation: &[usize]) -> bool {
    (0..sizes.len()).all(|i| sizes[i] + 2 * padding[i] > dilation[i] * (kernel[i] - 1))
}
