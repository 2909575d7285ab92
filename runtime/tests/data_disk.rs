//! Sources that stay on disk: an IDX file and a table of text.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use kiln::data::{Csv, DataError, IdxFile, Loader, Sampler, Source, Target, TensorData, idx};

/// A folder of files, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("kiln-{}-disk-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
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

fn header(magic: u32, sizes: &[u32]) -> Vec<u8> {
    let numbers = [&[magic], sizes].concat();
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// 50 images of 3×5 pixels, none alike, of 7 classes.
fn files(folder: &Folder) -> (PathBuf, PathBuf) {
    let pixels: Vec<u8> = (0..750u32).map(|at| (at * 97 % 251) as u8).collect();
    let labels: Vec<u8> = (0..50).map(|at| at * 3 % 7).collect();
    let images = [header(0x0803, &[50, 3, 5]), pixels].concat();
    let labels = [header(0x0801, &[50]), labels].concat();
    (
        folder.write("images", images),
        folder.write("labels", labels),
    )
}

#[test]
fn an_idx_file_on_disk_gives_what_the_same_file_in_memory_gives() {
    let folder = Folder::new("idx");
    let (images, labels) = files(&folder);
    let memory = idx(&images, &labels).unwrap();
    let disk = IdxFile::open(&images, &labels).unwrap();
    assert_eq!(
        (disk.len(), disk.inputs(), disk.targets()),
        (50, memory.inputs(), memory.targets())
    );
    let all: Vec<usize> = (0..50).collect();
    assert_eq!(disk.gather(&all).unwrap(), memory.gather(&all).unwrap());
    assert_eq!(
        disk.gather(&[49, 0, 49]).unwrap(),
        memory.gather(&[49, 0, 49]).unwrap()
    );
    assert_eq!(disk.gather(&[]).unwrap(), memory.gather(&[]).unwrap());
    assert_eq!((disk.classes(), disk.label(5).unwrap()), (7, 1));
    assert_eq!(disk.moments().unwrap(), memory.moments());
    let (mean, std) = memory.moments();
    let disk = disk.normalized(mean, std).unwrap();
    let memory = memory.normalized(mean, std).unwrap();
    assert_eq!(disk.gather(&all).unwrap(), memory.gather(&all).unwrap());
    for index in [50, usize::MAX] {
        assert!(matches!(
            disk.gather(&[0, index]),
            Err(DataError::Index { .. })
        ));
    }

    // From several threads at once.
    let load = |source: Arc<dyn Source>| -> Vec<_> {
        let sampler = Sampler::new(50, 4, 1).unwrap();
        let loader = Loader::new(source, sampler, 3).unwrap();
        loader.epoch(1, 0).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(load(Arc::new(disk)), load(Arc::new(memory)));
}

#[test]
fn an_idx_file_of_another_length_or_gzipped_is_refused_when_it_is_opened() {
    let folder = Folder::new("idx-wrong");
    let (images, labels) = files(&folder);
    let bytes = fs::read(&images).unwrap();
    for cut in 0..bytes.len() {
        let path = folder.write("cut", &bytes[..cut]);
        match IdxFile::open(&path, &labels).unwrap_err() {
            DataError::Format { path: named, .. } => assert_eq!(named, path),
            other => panic!("{other}"),
        }
    }
    let longer = folder.write("longer", [&bytes[..], &[0]].concat());
    let error = IdxFile::open(longer, &labels).unwrap_err().to_string();
    assert!(
        error.contains("expected 750 bytes for [50, 3, 5]"),
        "{error}"
    );
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&bytes).unwrap();
    let packed = folder.write("packed.gz", packed.finish().unwrap());
    let error = IdxFile::open(packed, &labels).unwrap_err().to_string();
    assert!(
        error.contains("unpack it, as by `gunzip --keep`"),
        "{error}"
    );
    for sizes in [
        [u32::MAX; 3],
        [1, u32::MAX, u32::MAX],
        [u32::MAX, 1, 1],
        [0, 3, 5],
    ] {
        let path = folder.write("claims", header(0x0803, &sizes));
        assert!(IdxFile::open(path, &labels).is_err(), "{sizes:?}");
    }
    let few = folder.write("few", [header(0x0801, &[2]), vec![0, 1]].concat());
    let error = IdxFile::open(&images, few).unwrap_err().to_string();
    assert!(error.contains("expected 50 labels"), "{error}");
    assert!(IdxFile::open(&labels, &images).is_err());
    assert!(IdxFile::open(folder.0.join("none"), &labels).is_err());

    // Cut short while it is open: an error, where a mapping would end the program.
    let source = IdxFile::open(&images, &labels).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&images)
        .unwrap()
        .set_len(100)
        .unwrap();
    assert!(source.gather(&[0]).is_ok());
    assert!(matches!(source.gather(&[30]), Err(DataError::Read { .. })));
    assert!(source.moments().is_err());
}

const FLOWERS: &str = "length,width,species,petals\n\
    5.1, 3.5 ,setosa,4\n\
    6.2,2.9,\"virginica, \"\"big\"\"\",5\n\
    \n\
    4.9,-3e-1,setosa,6\n\
    1,2,\"two\nlines\",7";

#[test]
fn a_table_on_disk_gives_its_rows_in_any_order_and_so_does_its_copy_in_memory() {
    let folder = Folder::new("csv");
    let unix = folder.write("unix.csv", FLOWERS);
    let windows = folder.write("windows.csv", FLOWERS.replace('\n', "\r\n"));
    for path in [unix, windows] {
        let file = Csv::classes("species").open(&path).unwrap();
        assert_eq!(file.len(), 4);
        assert_eq!(file.feature_names(), ["length", "width", "petals"]);
        assert_eq!(file.class_names()[0], "setosa");
        assert_eq!(file.class_names()[2], "virginica, \"big\"");
        assert_eq!(file.targets(), [Target::Classes(3, vec![])]);
        let batch = file.gather(&[2, 1, 3, 2]).unwrap();
        let expected = [
            [4.9f32, -0.3, 6.0],
            [6.2, 2.9, 5.0],
            [1.0, 2.0, 7.0],
            [4.9, -0.3, 6.0],
        ];
        assert_eq!(batch.inputs, [TensorData::from(expected)]);
        assert_eq!(batch.targets, [TensorData::from([0, 2, 1, 0])]);
        assert_eq!(file.load().unwrap().gather(&[2, 1, 3, 2]).unwrap(), batch);
        assert_eq!(
            file.gather(&[]).unwrap().inputs[0].shape().as_slice(),
            [0, 3]
        );
        assert!(matches!(
            file.gather(&[4]),
            Err(DataError::Index { index: 4, len: 4 })
        ));
    }
}

#[test]
fn columns_are_chosen_by_name_or_by_number() {
    let folder = Folder::new("columns");
    let path = folder.write("flowers.csv", FLOWERS);
    let file = Csv::values(["petals"])
        .features(["width", "length"])
        .open(&path)
        .unwrap();
    assert_eq!(file.targets(), [Target::Values(vec![1])]);
    let batch = file.gather(&[0]).unwrap();
    assert_eq!(batch.inputs, [TensorData::from([[3.5f32, 5.1]])]);
    assert_eq!(batch.targets, [TensorData::from([[4.0f32]])]);
    assert_eq!(file.load().unwrap().gather(&[0]).unwrap(), batch);
    assert!(file.class_names().is_empty());

    let plain = folder.write("plain.csv", "1;10;0.5;9\n2;9;1.5;8\n3;-1;2.5;7\n");
    let csv = || Csv::classes(1).without_header().delimiter(b';');
    let file = csv().open(&plain).unwrap();
    // Whole numbers in their order, not in that of the alphabet.
    assert_eq!(file.class_names(), ["-1", "9", "10"]);
    assert_eq!(file.len(), 3, "the first line is an example");
    let batch = file.gather(&[0]).unwrap();
    assert_eq!(batch.inputs, [TensorData::from([[1.0f32, 0.5, 9.0]])]);
    assert_eq!(batch.targets, [TensorData::from([2])]);
    let file = csv()
        .class_names(["10", "9", "-1", "none of them"])
        .open(&plain)
        .unwrap();
    let labels: Vec<i64> = file.gather(&[0, 1, 2]).unwrap().targets[0].iter().collect();
    assert_eq!(
        (labels, file.targets()),
        (vec![0, 1, 2], vec![Target::Classes(4, vec![])])
    );
    let both = Csv::values([3, 0])
        .without_header()
        .delimiter(b';')
        .features([2])
        .open(&plain)
        .unwrap();
    assert_eq!(
        both.gather(&[1]).unwrap().targets,
        [TensorData::from([[8.0f32, 2.0]])]
    );
}

#[test]
fn a_mistake_in_a_table_is_told_with_line_and_column() {
    let folder = Folder::new("mistakes");
    let open = |text: &str| {
        let path = folder.write("mistake.csv", text);
        Csv::classes("c")
            .open(path)
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    for end in ["\n", "\r\n"] {
        for (bad, shown) in [
            ("x", "x"),
            ("", ""),
            ("NaN", "NaN"),
            ("inf", "inf"),
            ("1e99", "1e99"),
        ] {
            let text = format!("a,b,c\n1,2,x\n3,{bad},y\n4,5,x\n").replace('\n', end);
            let error = open(&text);
            let expected =
                format!("mistake.csv, line 3, column b: expected a finite number, found `{shown}`");
            assert!(error.contains(&expected), "{error}");
        }
    }
    let error = open("a,b,c\r\n1,2,x\r\n\r\n3,4\r\n");
    assert!(
        error.contains("line 4: expected 3 fields, as before, found 2"),
        "{error}"
    );
    let path = folder.write("names.csv", "a,b,c\n1,2,x\n3,4,z\n");
    let error = Csv::classes("c")
        .class_names(["x", "y"])
        .open(&path)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 3, column c: expected one of x, y, found `z`"),
        "{error}"
    );

    let refused = |csv: Csv| csv.open(&path).unwrap_err().to_string();
    assert_eq!(
        refused(Csv::classes("d")),
        "column: expected one of a, b, c, or 0 to 2, found d"
    );
    assert_eq!(
        refused(Csv::classes("c").without_header()),
        "column: expected 0 to 2, as there are no names, found c"
    );
    for csv in [
        Csv::classes(3),
        Csv::classes("c").features(["a", "a"]),
        Csv::classes("c").features(["c"]),
        Csv::values(["a", "b", "c"]),
        Csv::classes("c").features([0usize; 0]),
        Csv::values([0usize; 0]),
        Csv::values(["a", "a"]),
    ] {
        assert!(
            matches!(csv.clone().open(&path), Err(DataError::Argument { .. })),
            "{csv:?}"
        );
    }
    let twice = folder.write("twice.csv", "a,a,c\n1,2,x\n");
    assert!(Csv::classes("c").features(["a"]).open(&twice).is_err());
    assert!(Csv::classes("c").features([0, 1]).open(&twice).is_ok());
    for text in ["", "\n\n", "a,b,c"] {
        let path = folder.write("empty.csv", text);
        assert!(
            Csv::classes("c")
                .open(path)
                .is_ok_and(|file| file.is_empty())
                == (text == "a,b,c")
        );
    }
    assert!(matches!(
        Csv::classes(0).open(folder.0.join("none")),
        Err(DataError::Read { .. })
    ));
    // Whatever the bytes, no panic.
    for seed in 0..300u32 {
        let bytes: Vec<u8> = (0..200)
            .map(|at| b"01,\"\n\r.;x-\xff"[((seed * 7919 + at * at * 31 + at) % 11) as usize])
            .collect();
        let path = folder.write("noise.csv", bytes);
        if let Ok(file) = Csv::classes(0).without_header().open(path) {
            let _ = file.load();
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_take_the_rest_of_the_file_for_a_field() {
    let folder = Folder::new("quote");
    let rest = format!("{}3,y\n", " ".repeat(4092)).repeat(5000);
    for (start, line) in [("a,c\n1,x\n\n2,\"y\n", 4), ("a,\"c\n", 1)] {
        let path = folder.write("quote.csv", [start, &rest].concat());
        let error = Csv::classes(1).open(path).unwrap_err().to_string();
        let expected = format!(
            "quote.csv: line {line}: a row of 16 MiB or more, with a quote that is never closed?"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
    // A file may be longer than a row.
    let path = folder.write("long.csv", ["a,c\n", &rest].concat());
    assert_eq!(Csv::classes("c").open(path).unwrap().len(), 5000);
}

#[test]
fn classes_that_are_none_are_refused() {
    let folder = Folder::new("classes");
    let rows = |count| {
        (0..count)
            .map(|row| format!("{row},{row}\n"))
            .collect::<String>()
    };
    let numbered = folder.write("numbered.csv", format!("a,c\n{}", rows(100)));
    assert_eq!(
        Csv::classes("c").open(&numbered).unwrap_err().to_string(),
        "classes: expected a column of classes, of which some occur twice; say `class_names` if they \
         are, found 100 in as many rows"
    );
    let names = || (0..100).map(|name| format!(" {name} "));
    let file = Csv::classes("c")
        .class_names(names())
        .open(&numbered)
        .unwrap();
    assert_eq!(
        file.gather(&[42]).unwrap().targets,
        [TensorData::from([42])]
    );
    let twice = Csv::classes("c").class_names(names().chain(["7".to_owned()]));
    assert_eq!(
        twice.open(&numbered).unwrap_err().to_string(),
        "class_names: expected each of them once, found 7"
    );
}

#[test]
fn a_table_that_changes_while_it_is_open_is_an_error() {
    let folder = Folder::new("changes");
    let path = folder.write("table.csv", "a,c\n1,x\n2,y\n3,x\n");
    let file = Csv::classes("c").open(&path).unwrap();
    for (text, reason) in [
        ("a,c\n1,x\n2,z\n3,x\n", "another class"),
        ("a,c\n1,x\nz,y\n3,x\n", "no number"),
        ("a,c\n1,x\n2,,\n3,x\n", "another length"),
        ("a,c\n1,x\n\n\n\n\n3,x\n", "no row"),
        ("a,c\n1", "cut short"),
    ] {
        fs::write(&path, text).unwrap();
        let error = file.gather(&[1]).unwrap_err().to_string();
        assert!(error.contains("table.csv"), "{reason}: {error}");
    }
}
