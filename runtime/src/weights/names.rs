//! How PyTorch names and lays out what Burn's layers hold.

use burn::store::burn_pack::Tensor as Stored;
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter, ModuleContext};

/// PyTorch's name of a parameter that Burn calls `name` in the module type `container`, and whether
/// it is transposed there.
pub fn in_pytorch<'a>(container: &str, name: &'a str) -> (&'a str, bool) {
    match (container, name) {
        ("Struct:Linear", "weight") => (name, true),
        ("Struct:PRelu", "alpha") => ("weight", false),
        (_, "gamma") => ("weight", false),
        (_, "beta") => ("bias", false),
        _ => (name, false),
    }
}

/// The module type that a parameter belongs to, as Burn's adapters see it: lists are none.
pub fn container(stack: &[String]) -> &str {
    ModuleContext::new(stack).module_type().unwrap_or_default()
}

/// Burn's adapter for saving, with the names of the norms and activations that it leaves out.
#[derive(Clone, Debug)]
pub struct ToPyTorch;

impl ModuleAdapter for ToPyTorch {
    fn adapt(&self, tensor: Stored, context: ModuleContext<'_>) -> Stored {
        let name = tensor.name.clone();
        let (inside, own) = match name.rsplit_once('.') {
            Some((inside, own)) => (format!("{inside}."), own),
            None => (String::new(), &*name),
        };
        let (own, _) = in_pytorch(context.module_type().unwrap_or_default(), own);
        let mut tensor = BurnToPyTorchAdapter.adapt(tensor, context);
        tensor.name = inside + own;
        tensor
    }

    fn clone_box(&self) -> Box<dyn ModuleAdapter> {
        Box::new(self.clone())
    }
}
