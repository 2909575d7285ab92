//! Which device a program runs on: a feature compiles a backend in, `KILN_DEVICE` chooses.

use burn::backend::DispatchDevice;
use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::{DeviceKind, DeviceType};

/// A backend, named as its cargo feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Any GPU through Vulkan, Metal, DX12 or WebGPU.
    Wgpu,
    /// Burn's ndarray backend.
    NdArray,
    /// Burn's pure-Rust CPU backend.
    Flex,
}

/// No device could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// `KILN_DEVICE` holds a word that names no backend.
    #[error(
        "KILN_DEVICE names no backend: expected `flex`, `ndarray` or `wgpu`, found `{found}`; \
         unset it to use the default"
    )]
    Unknown {
        /// What the variable holds.
        found: String,
    },
    /// The backend was not compiled in.
    #[error(
        "the `{backend}` backend is not in this program: build it with `--features {backend}`{}",
        available()
    )]
    NotCompiled {
        /// The backend's name, which is its feature's.
        backend: &'static str,
    },
    /// The backend is there, but nothing that it could run on.
    #[error(
        "wgpu found no graphics adapter: install a driver for the GPU, or the software one \
         (Debian: `apt-get install libvulkan1 mesa-vulkan-drivers`){}",
        available()
    )]
    NoAdapter,
    /// The program was built without any backend.
    #[error("no backend is in this program: build it with `--features flex`")]
    NoBackend,
}

impl Backend {
    /// Every backend, the most specific first: the order in which
    /// [`default_device`] looks.
    pub const ALL: [Backend; 3] = [Backend::Wgpu, Backend::NdArray, Backend::Flex];

    /// The name, which is also the feature's and `KILN_DEVICE`'s.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Wgpu => "wgpu",
            Backend::NdArray => "ndarray",
            Backend::Flex => "flex",
        }
    }

    /// Whether the backend was compiled in.
    pub fn is_compiled(self) -> bool {
        match self {
            Backend::Wgpu => cfg!(feature = "wgpu"),
            Backend::NdArray => cfg!(feature = "ndarray"),
            Backend::Flex => cfg!(feature = "flex"),
        }
    }

    /// The backend's default device.
    ///
    /// # Errors
    ///
    /// When the backend was not compiled in, or has nothing to run on.
    pub fn device(self) -> Result<Device, DeviceError> {
        match self {
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => {
                // Without an adapter the first use of the device panics, so look before.
                if Device::enumerate(DeviceType::Wgpu).into_vec().is_empty() {
                    return Err(DeviceError::NoAdapter);
                }
                Ok(Device::wgpu(DeviceKind::DefaultDevice))
            }
            #[cfg(feature = "ndarray")]
            Backend::NdArray => {
                // Deprecated upstream in 0.22 in favour of flex; supported here all the same.
                #[allow(deprecated)]
                let device = Device::ndarray();
                Ok(device)
            }
            #[cfg(feature = "flex")]
            Backend::Flex => Ok(Device::flex()),
            #[allow(unreachable_patterns)]
            other => Err(DeviceError::NotCompiled {
                backend: other.name(),
            }),
        }
    }
}

/// The device to run on: what `KILN_DEVICE` names (`flex`, `ndarray` or `wgpu`), else the most
/// specific backend that was compiled in, `wgpu` before `ndarray` before `flex`.
///
/// The device computes without recording gradients; the trainer and `device.autodiff()` turn
/// that on.
///
/// ```
/// let device = kiln::device::default_device()?;
/// let zeros = kiln::Tensor::<2>::zeros([2, 3], &device);
/// assert_eq!(zeros.dims(), [2, 3]);
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// # Errors
///
/// A name that is no backend, a backend that was not compiled in, or one that finds no hardware:
/// each says what to do.
pub fn default_device() -> Result<Device, DeviceError> {
    match std::env::var_os("KILN_DEVICE") {
        Some(name) if !name.is_empty() => by_name(&name.to_string_lossy()),
        _ => {
            let backend = Backend::ALL
                .into_iter()
                .find(|backend| backend.is_compiled());
            backend.ok_or(DeviceError::NoBackend)?.device()
        }
    }
}

fn by_name(name: &str) -> Result<Device, DeviceError> {
    let backend = Backend::ALL
        .into_iter()
        .find(|backend| backend.name() == name);
    backend
        .ok_or_else(|| DeviceError::Unknown { found: name.into() })?
        .device()
}

/// Whether `device` is the processor that the program runs on: reading a number back from it
/// waits for nothing.
pub fn is_host(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

/// The name of the backend that `device` belongs to; for one that is none of [`Backend`], what
/// Burn calls it.
pub fn name(device: &Device) -> String {
    let shown = format!("{:?}", device.clone().inner()).to_lowercase();
    let backend = Backend::ALL
        .into_iter()
        .find(|backend| shown.contains(backend.name()));
    backend.map_or(shown, |backend| backend.name().into())
}

/// The backends that were compiled in and run everywhere, for a message.
fn available() -> String {
    let names = Backend::ALL
        .into_iter()
        .filter(|backend| backend.is_compiled());
    let names: Vec<_> = names
        .map(|backend| format!("`{}`", backend.name()))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", or set KILN_DEVICE to one it has: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_the_choices() {
        let error = by_name("gpu").unwrap_err().to_string();
        assert!(
            error.contains("`flex`, `ndarray` or `wgpu`, found `gpu`"),
            "{error}"
        );
    }

    #[test]
    fn every_compiled_backend_gives_a_device_that_knows_its_name() {
        for backend in Backend::ALL
            .into_iter()
            .filter(|backend| backend.is_compiled())
        {
            match backend.device() {
                Ok(device) => assert_eq!(name(&device.autodiff()), backend.name()),
                Err(error) => assert_eq!(error, DeviceError::NoAdapter),
            }
        }
    }

    #[test]
    fn a_backend_that_was_left_out_names_its_feature() {
        for backend in Backend::ALL
            .into_iter()
            .filter(|backend| !backend.is_compiled())
        {
            let error = backend.device().unwrap_err().to_string();
            assert!(
                error.contains(&format!("--features {}", backend.name())),
                "{error}"
            );
        }
    }
}
