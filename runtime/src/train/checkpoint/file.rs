//! The file of a checkpoint: five sections, their lengths before them and a checksum behind.

use std::fs;
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

    /// Writes them to a file at each of `paths`.
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
    let bytes = fs::read(path).map_err(|source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|reason| CheckpointError::Damaged {
        path: path.to_owned(),
        reason,
    })
}

fn parse(bytes: &[u8]) -> Result<Sections, String> {
    let short = || format!("it ends after {} bytes", bytes.len());
    let head = bytes.get(..HEAD).ok_or_else(short)?;
    let (magic, lengths) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("it does not begin as a checkpoint of this version does".to_owned());
    }
    let (lengths, _) = lengths.as_chunks::<8>();
    let lengths = lengths.iter().map(|length| u64::from_le_bytes(*length));
    let whole = lengths
        .clone()
        .fold((HEAD + SUM) as u64, u64::saturating_add);
    if whole != bytes.len() as u64 {
        return Err(format!("it has {} bytes instead of {whole}", bytes.len()));
    }
    let (content, sum) = bytes.split_at(bytes.len() - SUM);
    let (found, expected) = (crc32fast::hash(content).to_le_bytes(), sum);
    if found != expected {
        return Err("its checksum is another, so it was changed or damaged".to_owned());
    }
    let mut rest = &content[HEAD..];
    let mut sections = lengths.map(|length| {
        let (section, behind) = rest.split_at(length as usize);
        rest = behind;
        Bytes::from_bytes_vec(section.to_vec())
    });
    let mut section = || sections.next().ok_or_else(short);
    Ok(Sections {
        state: section()?,
        model: section()?,
        average: section()?,
        rate: section()?,
        optimizer: section()?,
    })
}
