//! Tables of text, a row for each example.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::place::read_exact_at;
use super::{DataError, Examples, Source, Table, Target, TensorData};

/// The most bytes of a row: of one that is longer, a quote was most likely never closed.
const LONGEST: u64 = 16 << 20;

/// So many rows of which each has a class of its own are no coincidence.
const SUSPICIOUS: usize = 100;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its name in the first line.
    Name(String),
    /// By its place, counted from 0.
    Index(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Column::Name(name.to_owned())
    }
}

impl From<String> for Column {
    fn from(name: String) -> Self {
        Column::Name(name)
    }
}

impl From<usize> for Column {
    fn from(index: usize) -> Self {
        Column::Index(index)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Name(name) => f.write_str(name),
            Column::Index(index) => index.fmt(f),
        }
    }
}

/// How a file of comma-separated values is read: which columns are the features and which the target.
///
/// # Example
///
/// ```
/// use kiln::data::{Csv, Source, Target, TensorData};
///
/// # let path = std::env::temp_dir().join("kiln-doc-flowers.csv");
/// let text = "length,width,species\n5.1,3.5,setosa\n6.2,2.9,virginica\n4.9,3.0,setosa\n";
/// std::fs::write(&path, text).unwrap();
///
/// let flowers = Csv::classes("species").open(&path)?;
/// assert_eq!(flowers.class_names(), ["setosa", "virginica"]);
/// assert_eq!(flowers.targets(), [Target::Classes(2, vec![])]);
/// let batch = flowers.gather(&[1])?;
/// assert_eq!(batch.inputs[0], TensorData::from([[6.2f32, 2.9]]));
/// assert_eq!(batch.targets[0], TensorData::from([1]));
///
/// // Into memory, where it is small.
/// let table = flowers.load()?;
/// assert_eq!(table.gather(&[1])?, batch);
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `open`"]
pub struct Csv {
    target: Wanted,
    features: Option<Vec<Column>>,
    class_names: Option<Vec<String>>,
    header: bool,
    delimiter: u8,
}

#[derive(Clone, Debug)]
enum Wanted {
    Classes(Column),
    Values(Vec<Column>),
}

impl Csv {
    fn new(target: Wanted) -> Self {
        Self {
            target,
            features: None,
            class_names: None,
            header: true,
            delimiter: b',',
        }
    }

    /// For classification: the column `target` names the class of an example.
    pub fn classes(target: impl Into<Column>) -> Self {
        Self::new(Wanted::Classes(target.into()))
    }

    /// For regression: the columns `targets` are the values to be learned, `[n]` for n columns.
    pub fn values<C: Into<Column>>(targets: impl IntoIterator<Item = C>) -> Self {
        Self::new(Wanted::Values(targets.into_iter().map(C::into).collect()))
    }

    /// The columns that are the features, in this order. Otherwise all that are no target, in theirs.
    pub fn features<C: Into<Column>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.features = Some(columns.into_iter().map(C::into).collect());
        self
    }

    /// The classes in the order of their numbers; any other name is an error. Otherwise they are those
    /// of the file, by their values if all are whole numbers and by the alphabet if not: give a test file
    /// the [names](CsvFile::class_names) of the training file. Blanks around a name do not count.
    pub fn class_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.into().trim().to_owned());
        self.class_names = Some(names.collect());
        self
    }

    /// The first line is an example, not the names of the columns, which then have numbers alone.
    pub fn without_header(mut self) -> Self {
        self.header = false;
        self
    }

    /// What stands between two fields, in place of a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Reads through the file once, and remembers where each row begins.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] if the file cannot be read; [`DataError::Decode`] if its rows are not of one
    /// length, or one has more than 16 MiB; [`DataError::Argument`] if a column does not exist or is
    /// asked for twice, no column is left for the features, a class is named twice, or without names
    /// each of 100 rows or more has a class of its own; [`DataError::Field`] where a feature or a value is no finite number, or a
    /// class none of [`class_names`](Self::class_names).
    pub fn open(self, path: impl AsRef<Path>) -> Result<CsvFile, DataError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        let known = self.class_names.as_deref().map(numbered).transpose()?;
        let mut reader = self.reader((&file).take(LONGEST));
        // The first row, whether or not it is an example: `reader` hands it out again if it is one.
        let first = reader.byte_headers().cloned();
        held(&reader, path, 0)?;
        let first = first.map_err(|error| wrong(path, error))?;
        let first = first
            .iter()
            .enumerate()
            .map(|(place, name)| match self.header {
                true => text(name),
                false => place.to_string(),
            });
        let names = first.collect();
        let layout = Layout::new(&self, path, names)?;
        let mut classes = BTreeSet::new();
        let mut rows = Vec::new();
        let mut record = ByteRecord::new();
        loop {
            let before = reader.position().byte();
            reader.get_mut().set_limit(LONGEST);
            let read = reader.read_byte_record(&mut record);
            held(&reader, path, before)?;
            if !read.map_err(|error| wrong(path, error))? {
                break;
            }
            let start = record.position().map_or(0, csv::Position::byte);
            rows.push(start);
            layout.numbers(&record, start, &layout.features, &mut Vec::new())?;
            match &layout.target {
                Place::Values(columns) => {
                    layout.numbers(&record, start, columns, &mut Vec::new())?;
                }
                Place::Class(column) => {
                    let name = text(&record[*column]);
                    match &known {
                        None => {
                            classes.insert(name);
                        }
                        Some(known) if known.contains_key(&name) => {}
                        Some(_) => {
                            let names = self.class_names.unwrap_or_default();
                            let expected = format!("one of {}", names.join(", "));
                            return Err(layout.field(start, *column, expected, name));
                        }
                    }
                }
            }
        }
        if classes.len() >= SUSPICIOUS && classes.len() == rows.len() {
            let expected =
                "a column of classes, of which some occur twice; say `class_names` if they are";
            let found = format!("{} in as many rows", classes.len());
            return Err(DataError::argument("classes", expected, found));
        }
        rows.push(reader.position().byte());
        let class_names = match self.class_names.clone() {
            Some(names) => names,
            None => in_order(classes),
        };
        Ok(CsvFile {
            csv: self,
            layout,
            classes: numbered(&class_names)?,
            class_names,
            rows,
            file,
        })
    }

    fn reader<R: Read>(&self, source: R) -> Reader<R> {
        ReaderBuilder::new()
            .has_headers(self.header)
            .delimiter(self.delimiter)
            .from_reader(source)
    }
}

/// The number of each class.
fn numbered(names: &[String]) -> Result<HashMap<String, usize>, DataError> {
    let mut classes = HashMap::new();
    for (class, name) in names.iter().enumerate() {
        if classes.insert(name.clone(), class).is_some() {
            return Err(DataError::argument(
                "class_names",
                "each of them once",
                name,
            ));
        }
    }
    Ok(classes)
}

/// Refuses a row, from `start` on or soon after, that took all that may be read for one.
fn held(reader: &Reader<Take<&File>>, path: &Path, start: u64) -> Result<(), DataError> {
    if reader.get_ref().limit() > 0 {
        return Ok(());
    }
    let line = line_at(path, start);
    let most = LONGEST >> 20;
    Err(DataError::Decode {
        path: path.to_owned(),
        source: format!(
            "line {line}: a row of {most} MiB or more, with a quote that is never closed?"
        )
        .into(),
    })
}

/// By their values if all are whole numbers, and by the alphabet if not.
fn in_order(names: BTreeSet<String>) -> Vec<String> {
    let numbers = names.iter().map(|name| name.parse::<i64>());
    match numbers.collect::<Result<Vec<_>, _>>() {
        Err(_) => names.into_iter().collect(),
        Ok(numbers) => {
            let mut both: Vec<_> = numbers.into_iter().zip(names).collect();
            both.sort();
            both.into_iter().map(|(_, name)| name).collect()
        }
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim().to_owned()
}

fn wrong(path: &Path, error: csv::Error) -> DataError {
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos: Some(start),
            expected_len,
            len,
        } => {
            let line = line_at(path, start.byte());
            format!("line {line}: expected {expected_len} fields, as before, found {len}")
        }
        _ => error.to_string(),
    };
    let path = path.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => DataError::Read { path, source },
        _ => DataError::Decode {
            path,
            source: message.into(),
        },
    }
}

/// The line of a row, counted from 1: of the first byte from `start` on that ends no line. The reader
/// itself counts a line that ends with two bytes too late. 0 if the file is gone.
fn line_at(path: &Path, start: u64) -> u64 {
    let Ok(file) = File::open(path) else {
        return 0;
    };
    let mut line = 1;
    for (place, byte) in (0..).zip(BufReader::new(file).bytes()) {
        match byte {
            Ok(b'\n') => line += 1,
            Ok(b'\r') => {}
            _ if place < start => {}
            _ => break,
        }
    }
    line
}

/// Where the columns of a file are.
#[derive(Debug)]
struct Layout {
    path: PathBuf,
    names: Vec<String>,
    features: Vec<usize>,
    target: Place,
}

#[derive(Debug)]
enum Place {
    Class(usize),
    Values(Vec<usize>),
}

impl Layout {
    fn new(csv: &Csv, path: &Path, names: Vec<String>) -> Result<Self, DataError> {
        let find = |column: &Column| {
            let mut places = (0..names.len()).filter(|&place| match column {
                Column::Name(name) => csv.header && names[place] == *name,
                Column::Index(index) => place == *index,
            });
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => {
                    let expected = "a name that one column has; say the column's number";
                    Err(DataError::argument("column", expected, column))
                }
                (None, _) => {
                    let range = format!("0 to {}", names.len().saturating_sub(1));
                    let expected = match csv.header {
                        true => format!("one of {}, or {range}", names.join(", ")),
                        false => format!("{range}, as there are no names"),
                    };
                    Err(DataError::argument("column", expected, column))
                }
            }
        };
        let (target, mut taken) = match &csv.target {
            Wanted::Classes(column) => {
                let place = find(column)?;
                (Place::Class(place), vec![place])
            }
            Wanted::Values(columns) => {
                let places = columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
                (Place::Values(places.clone()), places)
            }
        };
        let features = match &csv.features {
            Some(columns) => columns.iter().map(find).collect::<Result<_, _>>()?,
            None => (0..names.len())
                .filter(|place| !taken.contains(place))
                .collect::<Vec<_>>(),
        };
        if features.is_empty() || taken.is_empty() {
            let found = format!("{} and {}", features.len(), taken.len());
            let expected = "at least one for the features and one for the target";
            return Err(DataError::argument("columns", expected, found));
        }
        taken.extend(&features);
        let twice = (1..taken.len()).find(|&at| taken[..at].contains(&taken[at]));
        if let Some(twice) = twice {
            let expected = "each of them once, among features and targets";
            return Err(DataError::argument(
                "columns",
                expected,
                &names[taken[twice]],
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            names,
            features,
            target,
        })
    }

    /// Appends the numbers of some columns of a row.
    fn numbers(
        &self,
        record: &ByteRecord,
        start: u64,
        columns: &[usize],
        numbers: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        for &column in columns {
            let field = text(&record[column]);
            match field.parse::<f32>() {
                Ok(number) if number.is_finite() => numbers.push(number),
                _ => {
                    let expected = "a finite number".to_owned();
                    return Err(self.field(start, column, expected, field));
                }
            }
        }
        Ok(())
    }

    fn field(&self, start: u64, column: usize, expected: String, found: String) -> DataError {
        DataError::Field {
            path: self.path.clone(),
            line: line_at(&self.path, start),
            column: self.names[column].clone(),
            expected,
            found,
        }
    }
}

/// A table in a file, whose rows stay on disk: of each only its place, eight bytes, is in memory.
///
/// [`Csv`] opens it.
#[derive(Debug)]
pub struct CsvFile {
    csv: Csv,
    layout: Layout,
    class_names: Vec<String>,
    classes: HashMap<String, usize>,
    /// Where each row begins, and where the last one ends.
    rows: Vec<u64>,
    file: File,
}

impl CsvFile {
    /// The names of the classes; a class is a place in this list. Empty where targets are values.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The names of the features' columns.
    pub fn feature_names(&self) -> Vec<&str> {
        let features = self.layout.features.iter();
        features
            .map(|&column| self.layout.names[column].as_str())
            .collect()
    }

    /// The whole table, in memory.
    ///
    /// # Errors
    ///
    /// Those of [`gather`](Source::gather).
    pub fn load(&self) -> Result<Table, DataError> {
        let (mut features, mut values, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..self.len() {
            self.row(index, &mut features, &mut values, &mut labels)?;
        }
        let shape = [self.layout.features.len()];
        match &self.layout.target {
            Place::Class(_) => Table::classes(features, &shape, labels, self.class_names.len()),
            Place::Values(columns) => Table::values(features, &shape, values, &[columns.len()]),
        }
    }

    /// Appends what one row holds.
    fn row(
        &self,
        index: usize,
        features: &mut Vec<f32>,
        values: &mut Vec<f32>,
        labels: &mut Vec<usize>,
    ) -> Result<(), DataError> {
        let Layout {
            path,
            names,
            target,
            ..
        } = &self.layout;
        let start = self.rows[index];
        let mut bytes = vec![0; (self.rows[index + 1] - start) as usize];
        read_exact_at(&self.file, &mut bytes, start).map_err(|source| DataError::Read {
            path: path.clone(),
            source,
        })?;
        // The row was read before: whatever is wrong now has become so since.
        let changed = || DataError::Decode {
            path: path.clone(),
            source: format!(
                "the row of example {index} is not what it was when the file was opened"
            )
            .into(),
        };
        let mut reader = ReaderBuilder::new();
        let reader = reader
            .has_headers(false)
            .delimiter(self.csv.delimiter)
            .buffer_capacity(bytes.len());
        let mut record = ByteRecord::new();
        let read = reader
            .from_reader(bytes.as_slice())
            .read_byte_record(&mut record);
        if !read.is_ok_and(|read| read) || record.len() != names.len() {
            return Err(changed());
        }
        let numbers = |columns: &[usize], into: &mut Vec<f32>| {
            let read = self.layout.numbers(&record, start, columns, into);
            read.map_err(|_| changed())
        };
        numbers(&self.layout.features, features)?;
        match target {
            Place::Values(columns) => numbers(columns, values),
            Place::Class(column) => {
                let name = text(&record[*column]);
                labels.push(*self.classes.get(&name).ok_or_else(changed)?);
                Ok(())
            }
        }
    }
}

impl Source for CsvFile {
    fn len(&self) -> usize {
        self.rows.len() - 1
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![self.layout.features.len()]]
    }

    fn targets(&self) -> Vec<Target> {
        vec![match &self.layout.target {
            Place::Class(_) => Target::Classes(self.class_names.len(), Vec::new()),
            Place::Values(columns) => Target::Values(vec![columns.len()]),
        }]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let len = self.len();
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            return Err(DataError::Index { index, len });
        }
        let (mut features, mut values, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for &index in indices {
            self.row(index, &mut features, &mut values, &mut labels)?;
        }
        let target = match &self.layout.target {
            Place::Class(_) => {
                // There are not 2³¹ names of classes in memory.
                let labels = labels.into_iter().map(|label| label as i32);
                TensorData::new(labels.collect(), [indices.len()])
            }
            Place::Values(columns) => TensorData::new(values, [indices.len(), columns.len()]),
        };
        Ok(Examples {
            inputs: vec![TensorData::new(
                features,
                [indices.len(), self.layout.features.len()],
            )],
            targets: vec![target],
        })
    }
}
