//! What the readers of files promise: the data is what was published, and no damage to a file
//! ends in anything but an error.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use burn::tensor::{Int, Tensor, TensorData};
use flate2::{Compression, write::GzEncoder};
use kiln::data::{DataError, Images, Source, digits, idx, idx_images, idx_labels, mnist};

fn class_counts(images: &Images) -> Vec<usize> {
    let mut counts = vec![0; images.classes()];
    for index in 0..images.len() {
        counts[images.label(index).unwrap()] += 1;
    }
    counts
}

/// The figures are Python's, over the text of the file: `collections.Counter` of the last
/// column, and the sums of the others and of their squares.
#[test]
fn digits_are_the_1797_of_the_file() {
    let digits = digits().unwrap();
    assert_eq!(digits.len(), 1797);
    assert_eq!(digits.shape(), [1, 8, 8]);
    assert_eq!(
        class_counts(&digits),
        [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    );
    let all = (0..1797).flat_map(|index| digits.pixels(index).unwrap());
    let all: Vec<u64> = all.map(|&pixel| u64::from(pixel)).collect();
    assert_eq!(all.iter().sum::<u64>(), 561_718);
    assert_eq!(
        all.iter().map(|pixel| pixel * pixel).sum::<u64>(),
        6_907_012
    );
    assert_eq!((all.iter().min(), all.iter().max()), (Some(&0), Some(&16)));
    let (mean, std) = digits.moments();
    let (first, second) = (
        561_718.0 / 115_008.0 / 16.0,
        6_907_012.0 / 115_008.0 / 256.0,
    );
    assert!((mean - first).abs() < 1e-12);
    assert!((std * std - (second - first * first)).abs() < 1e-12);
    let weighted = (0..1797).map(|index| (index + 1) * digits.label(index).unwrap());
    assert_eq!(weighted.sum::<usize>(), 7_272_861);
    assert_eq!(digits.pixels(0).unwrap()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
}

#[test]
fn digits_become_numbers_from_0_to_1() {
    let batch = digits().unwrap().gather(&[0, 1796]).unwrap();
    assert_eq!(batch.inputs[0].shape().as_slice(), [2, 1, 8, 8]);
    let values = batch.inputs[0].as_slice::<f32>().unwrap();
    assert_eq!(values[2..4], [5.0 / 16.0, 13.0 / 16.0]);
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
    assert_eq!(batch.targets[0].as_slice::<i32>().unwrap(), [0, 8]);
}

#[test]
fn a_batch_becomes_tensors_of_whatever_backend_is_on() {
    let batch = digits().unwrap().gather(&[8, 9]).unwrap();
    let device = kiln::device::default_device().unwrap();
    let [inputs, targets] = [&batch.inputs[0], &batch.targets[0]].map(TensorData::clone);
    let image = Tensor::<4>::from_data(inputs.clone(), &device);
    assert_eq!(image.into_data(), inputs);
    let class = Tensor::<1, Int>::from_data(targets, &device);
    assert_eq!(class.into_data().iter::<i64>().collect::<Vec<_>>(), [8, 9]);
}

/// Facts that are published of MNIST.
#[test]
fn mnist_is_what_was_published() {
    let Some(folder) = std::env::var_os("KILN_MNIST") else {
        println!("skipped: name the folder of the four MNIST files in KILN_MNIST");
        return;
    };
    let (train, test) = mnist(folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!(train.shape(), [1, 28, 28]);
    assert_eq!(
        class_counts(&train),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    assert_eq!(
        class_counts(&test),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    );
    let first: Vec<_> = (0..10).map(|index| train.label(index).unwrap()).collect();
    assert_eq!(first, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);

    let (mean, std) = train.moments();
    assert_eq!(
        (format!("{mean:.5}"), format!("{std:.5}")),
        ("0.13066".into(), "0.30811".into())
    );
    let whitened = train.normalized(mean, std).unwrap();
    let (mut sum, mut squares) = (0.0, 0.0);
    for start in (0..60_000).step_by(1000) {
        let batch = whitened.gather(&(start..start + 1000).collect::<Vec<_>>());
        for &value in batch.unwrap().inputs[0].as_slice::<f32>().unwrap() {
            sum += f64::from(value);
            squares += f64::from(value).powi(2);
        }
    }
    let pixels = 60_000.0 * 784.0;
    assert!((sum / pixels).abs() < 1e-6 && (squares / pixels - 1.0).abs() < 1e-6);
    println!("{}", whitened.ascii(0).unwrap());
}

/// Three images of 2×4 pixels.
fn image_file() -> Vec<u8> {
    let header = [0x0803u32, 3, 2, 4].map(u32::to_be_bytes).concat();
    [header, (1..=24).map(|value| value * 10).collect()].concat()
}

fn label_file(labels: &[u8]) -> Vec<u8> {
    let header = [0x0801, labels.len() as u32].map(u32::to_be_bytes).concat();
    [header, labels.to_vec()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder of one test, empty at its start and gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kiln-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The place that a format error names; panics if it is another error, or names another file.
fn offset(path: &Path, result: Result<impl Sized, DataError>) -> u64 {
    match result.err().expect("the file is damaged") {
        DataError::Format {
            path: p, offset, ..
        } if p == path => offset,
        error => panic!("{error}"),
    }
}

#[test]
fn a_sound_file_is_read_gzipped_or_not_whatever_its_name() {
    let folder = Folder::new("sound");
    for (name, bytes) in [
        ("plain", image_file()),
        ("plain.gz", image_file()),
        ("packed", gzip(&image_file())),
        (
            "two-members",
            [gzip(&image_file()[..20]), gzip(&image_file()[20..])].concat(),
        ),
    ] {
        let images = idx_images(folder.write(name, &bytes)).unwrap();
        assert_eq!((images.len(), images.shape()), (3, [1, 2, 4]), "{name}");
        assert_eq!(
            images.get(2).unwrap(),
            [170, 180, 190, 200, 210, 220, 230, 240]
        );
    }
    let labels = folder.write("labels", &label_file(&[3, 0, 5]));
    assert_eq!(idx_labels(&labels).unwrap(), [3, 0, 5]);
    let pair = idx(folder.0.join("packed"), &labels).unwrap();
    assert_eq!((pair.classes(), pair.label(2).unwrap()), (6, 5));
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_names_the_place() {
    let folder = Folder::new("cut");
    let whole = image_file();
    for cut in 0..whole.len() {
        let path = folder.write("images", &whole[..cut]);
        assert_eq!(offset(&path, idx_images(&path)), cut as u64);
    }
    let whole = label_file(&[1, 2, 3]);
    for cut in 0..whole.len() {
        let path = folder.write("labels", &whole[..cut]);
        assert_eq!(offset(&path, idx_labels(&path)), cut as u64);
    }
    let whole = gzip(&image_file());
    for cut in 0..whole.len() {
        let path = folder.write("packed", &whole[..cut]);
        assert!(offset(&path, idx_images(&path)) <= 40, "cut at {cut}");
    }
}

#[test]
fn a_header_changed_in_any_bit_is_an_error() {
    let folder = Folder::new("header");
    for (place, bit) in (0..16).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = image_file();
        bytes[place] ^= 1 << bit;
        let plain = folder.write("images", &bytes);
        offset(&plain, idx_images(&plain));
        let packed = folder.write("packed", &gzip(&bytes));
        offset(&packed, idx_images(&packed));
    }
    for (place, bit) in (0..8).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = label_file(&[1, 2, 3]);
        bytes[place] ^= 1 << bit;
        let path = folder.write("labels", &bytes);
        offset(&path, idx_labels(&path));
    }
}

/// A few bits of a gzip header, such as the time, mean nothing: then the content must be whole.
#[test]
fn gzip_data_changed_in_any_bit_is_an_error_or_changes_nothing() {
    let folder = Folder::new("gzip");
    let sound = gzip(&image_file());
    for (place, bit) in (0..sound.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1 << bit;
        let path = folder.write("images", &bytes);
        match idx_images(&path) {
            Err(DataError::Format { .. }) => {}
            Err(error) => panic!("byte {place}, bit {bit}: {error}"),
            Ok(images) => {
                let content: Vec<_> = (0..3).flat_map(|i| images.get(i).unwrap()).collect();
                assert!(
                    content.into_iter().eq(&image_file()[16..]),
                    "byte {place}, bit {bit}"
                );
            }
        }
    }
}

#[test]
fn bytes_after_the_last_image_are_an_error() {
    let folder = Folder::new("trailing");
    let long = [image_file(), vec![0]].concat();
    for (name, bytes) in [
        ("plain", long.clone()),
        ("packed", gzip(&long)),
        ("appended", [gzip(&image_file()), b"junk".to_vec()].concat()),
    ] {
        let path = folder.write(name, &bytes);
        assert_eq!(offset(&path, idx_images(&path)), 40, "{name}");
    }
}

/// 64 MB of zeros in 64 KB: only what the header announces is unpacked, and one byte more.
#[test]
fn a_gzip_bomb_is_not_unpacked() {
    let folder = Folder::new("bomb");
    let bytes = [image_file(), vec![0; 64 << 20]].concat();
    let path = folder.write("bomb", &gzip(&bytes));
    assert_eq!(offset(&path, idx_images(&path)), 40);
}

#[test]
fn files_that_do_not_belong_together_are_an_error() {
    let folder = Folder::new("pair");
    let images = folder.write("images", &image_file());
    let labels = folder.write("labels", &label_file(&[0, 1]));
    assert_eq!(offset(&labels, idx(&images, &labels)), 4);

    let error = idx(&labels, &images).unwrap_err().to_string();
    assert!(error.contains("this is a label file"), "{error}");
    let error = idx(&images, &images).unwrap_err().to_string();
    assert!(error.contains("this is an image file"), "{error}");
}

#[test]
fn a_label_that_is_no_class_is_an_error_at_its_byte() {
    let folder = Folder::new("label");
    let images = image_file();
    folder.write("train-images-idx3-ubyte", &images);
    folder.write("t10k-images.idx3-ubyte.gz", &gzip(&images));
    folder.write("t10k-labels.idx1-ubyte", &label_file(&[9, 8, 7]));
    let labels = folder.write("train-labels-idx1-ubyte", &label_file(&[0, 9, 10]));
    assert_eq!(offset(&labels, mnist(&folder.0)), 10);

    // The same folder mended: names of two mirrors side by side.
    folder.write("train-labels-idx1-ubyte", &label_file(&[0, 9, 1]));
    let (train, test) = mnist(&folder.0).unwrap();
    assert_eq!((train.classes(), test.classes()), (10, 10));

    let other = [0x0803u32, 3, 4, 2].map(u32::to_be_bytes).concat();
    let other = [other, vec![0; 24]].concat();
    let path = folder.write("t10k-images.idx3-ubyte.gz", &other);
    assert_eq!(offset(&path, mnist(&folder.0)), 8);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = Folder::new("missing");
    let error = mnist(&folder.0).unwrap_err().to_string();
    assert!(
        error.contains("train-images-idx3-ubyte.gz") && error.contains("download"),
        "{error}"
    );
    let nowhere = folder.0.join("nowhere");
    assert!(matches!(mnist(&nowhere), Err(DataError::Read { path, .. }) if path == nowhere));
    assert!(matches!(idx_images(&nowhere), Err(DataError::Read { .. })));
    assert!(matches!(idx_images(&folder.0), Err(DataError::Read { .. })));
    let empty = folder.write("empty", &[]);
    assert_eq!(offset(&empty, idx_images(&empty)), 0);
}
