//! Keeping freed memory for the next step.

use std::hint::black_box;
use std::sync::Once;

/// glibc gives large freed blocks back to the system, and the next step pays for each of their
/// pages again: a fifth of a training step. It stops doing so for blocks up to the size of the
/// largest that was freed so far, and for twice that at the end of its heap, so one block of the
/// largest size that it looks at (32 MiB, `DEFAULT_MMAP_THRESHOLD_MAX`) is freed here, untouched.
/// That holds for
/// the whole program, which so gives less memory back between trainings.
pub fn keep_freed() {
    const LARGEST: usize = (32 << 20) - (64 << 10);
    static ONCE: Once = Once::new();
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        ONCE.call_once(|| {
            let mut block = Vec::<u8>::new();
            // Where there is no such block, nothing is lost but the hint.
            let _ = block.try_reserve_exact(LARGEST);
            drop(black_box(block));
        });
    }
}
