//! Where a layer stands among the repetitions of `repeat`.

/// The paths of the repetitions that are being walked, from the outside in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// The repetition number `index` of the `repeat` at `path` begins.
    pub(crate) fn enter(&mut self, path: &str, index: usize) {
        let index = index.to_string();
        self.0.push(if path.is_empty() {
            index
        } else {
            format!("{path}.{index}")
        });
    }

    /// The network at `path` within this one begins.
    pub(crate) fn model(&mut self, path: &str) {
        self.0.push(path.to_owned());
    }

    /// It ends.
    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// The whole path of the layer at `path` within it.
    pub(crate) fn of(&self, path: &str) -> String {
        let own = (!path.is_empty()).then_some(path);
        let around = self.0.iter().map(String::as_str);
        around
            .filter(|path| !path.is_empty())
            .chain(own)
            .collect::<Vec<_>>()
            .join(".")
    }
}
