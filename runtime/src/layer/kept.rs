//! What a layer makes of sizes alone, kept from one pass to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;

/// One for each axis of a volume, which are the most that a pass asks for.
const MANY: usize = 3;

type Entry<V> = ([usize; 2], Device, V);

/// The last tables that were asked for, which a layer's clones share: no parameter, and in no
/// record.
#[derive(Clone)]
pub(super) struct Kept<V>(Arc<Mutex<Vec<Entry<V>>>>);

impl<V: Clone> Kept<V> {
    pub fn new() -> Self {
        Kept(Arc::default())
    }

    /// The table of these sizes on a device, which `make` makes if it is not there.
    ///
    /// It is on the device without gradients, as a device is the same as itself with them: either
    /// can compute with it.
    pub fn of(&self, sizes: [usize; 2], device: &Device, make: impl FnOnce(&Device) -> V) -> V {
        // A table is put in whole or not at all.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., value)) = kept.iter().find(|(s, d, _)| *s == sizes && d == device) {
            return value.clone();
        }
        let device = device.clone().inner();
        let value = make(&device);
        kept.truncate(MANY - 1);
        kept.insert(0, (sizes, device, value.clone()));
        value
    }
}

impl<V> fmt::Debug for Kept<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
