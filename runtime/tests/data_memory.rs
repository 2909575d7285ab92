//! What a file's header claims is never allocated. Alone in its process, because the address
//! space of other tests would be counted with its own.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use kiln::data::{DataError, idx_images, idx_labels};

/// Peak of the address space in KB: unlike resident memory, it counts what was only reserved.
fn address_space() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_header_that_claims_billions_of_images_allocates_nothing() {
    let path = std::env::temp_dir().join(format!("kiln-{}-claim", std::process::id()));
    let before = address_space();
    let refused = |magic, sizes: &[u32], place| {
        let header = [&[magic], sizes].concat();
        let header: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        let bytes = [header, vec![0; 100]].concat();
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&bytes).unwrap();
        for bytes in [bytes, packed.finish().unwrap()] {
            fs::write(&path, bytes).unwrap();
            let outcome = match magic {
                0x0803 => idx_images(&path).map(drop),
                _ => idx_labels(&path).map(drop),
            };
            match outcome {
                Err(DataError::Format { offset, .. }) => assert_eq!(offset, place),
                other => panic!("{other:?}"),
            }
        }
    };
    // More than a file may hold: refused at the header's first size.
    refused(0x0803, &[u32::MAX, 28, 28], 4);
    refused(0x0803, &[u32::MAX, u32::MAX, u32::MAX], 4);
    refused(0x0801, &[u32::MAX], 4);
    // Just within that: what is there is read, and a reader that believed the header would show.
    refused(0x0803, &[1 << 10, 1 << 10, 1 << 10], 116);
    refused(0x0801, &[1 << 30], 108);
    let _ = fs::remove_file(&path);

    if let (Some(before), Some(after)) = (before, address_space()) {
        assert!(after - before < 256 << 10, "{before} KB, then {after} KB");
    }
}
