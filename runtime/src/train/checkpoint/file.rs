//! The file of a checkpoint: five sections, their lengths before them and a checksum behind.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::tensor::Bytes;
use crc32fast::Hasher;

use super::CheckpointError;
use crate::atomic;

/// What every checkpoint begins with: its kind, and the version of the format.
const MAGIC: &[u8; 8] = b"kilnCP\x00\x01";
const SECTIONS: usize = 5;
const HEAD: usize = MAGIC.len() + SECTIONS * 8;
const SUM: usize = 4;

/// What is in a checkpoint. What is not there is empty.
pub(crate) struct Sections {
    /// MessagePack.
    pub state: Bytes,
    /// Burnpacks.
    pub model: Bytes,
    pub average: Bytes,
    pub rate: Bytes,
    pub optimizer: Bytes,
}

impl Default for Sections {
    fn default() -> Self {
        let empty = || Bytes::from_bytes_vec(Vec::new());
        Sections {
            state: empty(),
            model: empty(),
            average: empty(),
            rate: empty(),
            optimizer: empty(),
        }
    }
}

impl Sections {
    fn all(&self) -> [&[u8]; SECTIONS] {
        let Sections {
            state,
            model,
            average,
            rate,
            optimizer,
        } = self;
        [state, model, average, rate, optimizer]
    }

    pub(crate) fn all_mut(&mut self) -> [&mut Bytes; SECTIONS] {
        let Sections {
            state,
            model,
            average,
            rate,
            optimizer,
        } = self;
        [state, model, average, rate, optimizer]
    }

    /// Writes them to the file at `path`.
    pub(super) fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let sections = self.all();
        let mut head = MAGIC.to_vec();
        for section in sections {
            head.extend((section.len() as u64).to_le_bytes());
        }
        let mut crc = Hasher::new();
        crc.update(&head);
        for section in sections {
            crc.update(section);
        }
        let sum = crc.finalize().to_le_bytes();
        let parts = [&[head.as_slice()], sections.as_slice(), &[&sum]].concat();
        atomic::write(path, &parts).map_err(|source| CheckpointError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// The sections of the file at `path`, if it is whole.
pub(super) fn read(path: &Path) -> Result<Sections, CheckpointError> {
    let unread = |source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    };
    let damaged = |reason: String| CheckpointError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let mut file = File::open(path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    let mut head = [0; HEAD];
    if length < (HEAD + SUM) as u64 {
        return Err(damaged(format!("it ends after {length} bytes")));
    }
    file.read_exact(&mut head).map_err(unread)?;
    let (magic, lengths) = head.split_at(MAGIC.len());
    let (lengths, _) = lengths.as_chunks::<8>();
    let lengths = lengths.iter().map(|length| u64::from_le_bytes(*length));
    let whole = lengths
        .clone()
        .fold((HEAD + SUM) as u64, u64::saturating_add);
    if whole != length {
        return Err(damaged(format!("it has {length} bytes instead of {whole}")));
    }
    let mut crc = Hasher::new();
    crc.update(&head);
    let mut sections = Sections::default();
    for (section, length) in sections.all_mut().into_iter().zip(lengths) {
        // No longer than the file is.
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).map_err(unread)?;
        crc.update(&bytes);
        *section = Bytes::from_bytes_vec(bytes);
    }
    let mut sum = [0; SUM];
    file.read_exact(&mut sum).map_err(unread)?;
    if crc.finalize().to_le_bytes() != sum {
        let reason = "its checksum is another, so it was changed or damaged";
        return Err(damaged(reason.to_owned()));
    }
    match magic == MAGIC {
        true => Ok(sections),
        false => Err(CheckpointError::Version {
            path: path.to_owned(),
        }),
    }
}
