//! A folder of images: against Pillow, whose numbers `tests/peers/folder.py` recorded, and what is wrong
//! with a folder.
#![cfg(feature = "images")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use kiln::data::{DataError, ImageFolder, Loader, Sampler, Source, Target};
use serde_json::Value;

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("kiln-{}-folder-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Case {
    name: String,
    file: Vec<u8>,
    shape: [usize; 3],
    pixels: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let record: Value =
        serde_json::from_str(include_str!("../../tests/peers/folder.json")).unwrap();
    let case = |case: &Value| {
        let hex = case["file"].as_str().unwrap().as_bytes().chunks(2);
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        Case {
            name: case["name"].as_str().unwrap().to_owned(),
            file: hex.map(byte).collect(),
            shape: serde_json::from_value(case["shape"].clone()).unwrap(),
            pixels: serde_json::from_value(case["pixels"].clone()).unwrap(),
        }
    };
    record["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(case)
        .collect()
}

#[test]
fn the_pixels_are_pillows() {
    let cases = cases();
    assert_eq!(cases.len(), 8);
    for (at, case) in cases.into_iter().enumerate() {
        let folder = Folder::new(&format!("pillow-{at}"));
        folder.write(&format!("one/{}", case.name), &case.file);
        let mut source = ImageFolder::open(&folder.0, case.shape).unwrap();
        if ["smaller.png", "larger.png"].contains(&case.name.as_str()) {
            source = source.resized();
        }
        let found: Vec<f32> = source.gather(&[0]).unwrap().inputs[0].iter().collect();
        assert_eq!(found.len(), case.pixels.len(), "{}", case.name);
        // A png of its own size is the file to the bit; resizing is rounded elsewhere, and decoders of
        // JPEG differ by a level or two.
        let exact = case.name.ends_with("png") && case.shape[1..] == [12, 16];
        let allowed = if exact { 0.0 } else { 2.01 };
        for (found, expected) in found.iter().zip(&case.pixels) {
            let off = (found * 255.0 - expected).abs();
            assert!(
                off <= allowed + 1e-3,
                "{} at {:?}: {off}",
                case.name,
                case.shape
            );
        }
    }
}

#[test]
fn classes_and_images_are_in_the_order_of_their_names() {
    let folder = Folder::new("order");
    let cases = cases();
    let image = &cases[0].file;
    for name in ["b/2.PNG", "b/10.png", "a/x.png", "c/z.jpeg"] {
        folder.write(
            name,
            if name.ends_with("jpeg") {
                &cases[5].file
            } else {
                image
            },
        );
    }
    for name in ["b/notes.txt", "b/.hidden.png", ".cache/x.png", "beside.png"] {
        folder.write(name, b"no image");
    }
    let source = ImageFolder::open(&folder.0, [3, 12, 16]).unwrap();
    assert_eq!(source.class_names(), ["a", "b", "c"]);
    assert_eq!(source.targets(), [Target::Classes(3, vec![])]);
    let files = source
        .files()
        .iter()
        .map(|file| file.strip_prefix(&folder.0).unwrap());
    assert!(files.eq(["a/x.png", "b/10.png", "b/2.PNG", "c/z.jpeg"].map(std::path::Path::new)));
    let labels: Vec<i64> = source.gather(&[3, 0, 1, 2]).unwrap().targets[0]
        .iter()
        .collect();
    assert_eq!(labels, [2, 0, 1, 1]);
    // By two threads at once, and normalised.
    let normalized = source.clone().normalized(0.5, 0.25).unwrap();
    let plain: Vec<f32> = source.gather(&[1]).unwrap().inputs[0].iter().collect();
    let found: Vec<f32> = normalized.gather(&[1]).unwrap().inputs[0].iter().collect();
    assert!(
        plain
            .iter()
            .zip(&found)
            .all(|(x, y)| ((x - 0.5) / 0.25 - y).abs() < 1e-6)
    );
    let sampler = Sampler::new(4, 1, 0).unwrap();
    let loader = Loader::new(std::sync::Arc::new(source), sampler, 2).unwrap();
    assert!(loader.epoch(0, 0).unwrap().all(|batch| batch.is_ok()));
    for index in [4, usize::MAX] {
        assert!(normalized.gather(&[index]).is_err());
    }
    // As in another folder, which has more classes.
    let renamed = normalized.clone().classes(["c", "0", "a", "b"]).unwrap();
    assert_eq!(renamed.targets(), [Target::Classes(4, vec![])]);
    let labels = &renamed.gather(&[3, 0, 1, 2]).unwrap().targets[0];
    assert_eq!(labels.iter::<i64>().collect::<Vec<_>>(), [0, 2, 3, 3]);
    let refused = |names: &[&str]| {
        let error = normalized.clone().classes(names.to_vec()).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        refused(&["a", "c", "d"]),
        "classes: expected b among them, which is a sub-folder, found a, c, d"
    );
    assert_eq!(
        refused(&["a", "b", "c", "b"]),
        "classes: expected each of them once, found b"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new("wrong");
    let shape = [3, 12, 16];
    let open = || ImageFolder::open(&folder.0, shape);
    assert!(matches!(
        ImageFolder::open(folder.0.join("none"), shape),
        Err(DataError::Read { .. })
    ));
    assert!(matches!(open(), Err(DataError::Missing { .. })));
    fs::create_dir(folder.0.join("empty")).unwrap();
    let error = open().unwrap_err().to_string();
    assert!(
        error.contains("empty holds no image: expected one of *.png"),
        "{error}"
    );
    for bad in [[2, 1, 1], [3, 0, 1], [1, 1, 65_536], [0, 1, 1]] {
        assert!(ImageFolder::open(&folder.0, bad).is_err(), "{bad:?}");
    }

    let cases = cases();
    let bytes = &cases[0].file;
    folder.write("empty/a.png", bytes);
    assert!(open().unwrap().gather(&[0]).is_ok());
    let error = ImageFolder::open(&folder.0, [3, 16, 12])
        .unwrap()
        .gather(&[0])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a.png") && error.contains("16×12 pixels, found 12×16"),
        "{error}"
    );
    // What the file says of its size is refused before the pixels are unpacked: 30,000 by 30,000.
    let mut large = bytes.clone();
    large[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let header = crc32fast::hash(&large[12..29]);
    large[29..33].copy_from_slice(&header.to_be_bytes());
    folder.write("empty/a.png", &large);
    for (source, expected) in [
        (
            open().unwrap(),
            "expected an image of 12×16 pixels, found 30000×30000",
        ),
        (
            open().unwrap().resized(),
            "30000×30000 pixels are more than 512 MiB",
        ),
    ] {
        let error = source.gather(&[0]).unwrap_err().to_string();
        assert!(
            error.contains("a.png") && error.contains(expected),
            "{error}"
        );
    }
    for file in [bytes, &cases[5].file] {
        for cut in (0..file.len()).step_by(7) {
            folder.write("empty/a.png", &file[..cut]);
            // A JPEG that lacks its end may be read as far as it goes, as by Pillow's readers.
            match open().unwrap().gather(&[0]) {
                Err(error) => assert!(error.to_string().contains("a.png"), "{error}"),
                Ok(_) => assert_eq!(file, &cases[5].file, "cut at {cut}"),
            }
        }
        for place in 0..file.len() {
            let mut changed = file.clone();
            changed[place] ^= 1 << (place % 8);
            folder.write("empty/a.png", &changed);
            if let Err(error) = open().unwrap().gather(&[0]) {
                assert!(error.to_string().contains("a.png"), "{error}");
            }
        }
    }
    fs::remove_file(folder.0.join("empty/a.png")).unwrap();
    fs::create_dir(folder.0.join("empty/a.png")).unwrap();
    assert!(open().unwrap().gather(&[0]).is_err());
}
