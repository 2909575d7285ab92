//! Layers that hold one of Burn's, with its parameter paths.

/// Makes `$name` hold Burn's `$inner` as if it were it.
macro_rules! wrapped {
    ($name:ident: $inner:ty) => {
        crate::__impl_module!($name { inner: [] [], } keep {});

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                $name { inner }
            }
        }

        impl std::ops::Deref for $name {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.inner
            }
        }

        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.inner
            }
        }
    };
}

pub(super) use wrapped;
