//! Values of each client from a CSV file with a heading line, for `{csv:NAME}`.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use super::csv_records::{CsvRecords, FileFault};
use crate::command::input::ClientRow;
use crate::error::Error;
use crate::file;
use crate::quantity::counted;
use crate::quotation::list;

/// Maximum size of the file. Memory use does not grow with it: only the lines of clients are kept.
const MOST_BYTES: u64 = 256 << 20;
const MOST_COLUMNS: usize = 64;

/// The lines of a file, assigned to clients in turn.
#[derive(Debug, Default)]
pub(super) struct ClientValues {
    names: Vec<String>,
    rows: Vec<Arc<[Box<str>]>>,
    /// The line of each row.
    lines: Vec<u32>,
}

impl ClientValues {
    /// Reads the file for this number of clients.
    ///
    /// # Errors
    /// A file that cannot be read or has invalid content.
    pub(super) fn read(path: &Path, clients: u32) -> Result<Self, Error> {
        let unread = |error| Error::file(format!("cannot read {}", path.display()), error);
        let read = move |path: &Path| Ok(Self::of(file::open_written(path, MOST_BYTES)?, clients));
        file::patiently(path, read).map_err(unread)?.map_err(|fault| match fault {
            FileFault::Io(error) => unread(error),
            FileFault::Content(why) => Error::usage(format!("{}: {why}", path.display())),
        })
    }

    pub(super) fn of(input: impl BufRead, clients: u32) -> Result<Self, FileFault> {
        let mut records = CsvRecords::new(input, MOST_COLUMNS);
        let mut values = Self::default();
        while let Some((number, record)) = records.next()? {
            let texts = record.iter().map(std::str::from_utf8).collect::<Result<Vec<_>, _>>();
            let texts = texts.map_err(|_| format!("line {number}: it is not UTF-8"))?;
            if values.names.is_empty() {
                values.names = texts.into_iter().map(str::to_owned).collect();
                continue;
            }
            if texts.len() != values.names.len() {
                let found = counted(texts.len() as u64, "value");
                let expected = counted(values.names.len() as u64, "column");
                return Err(format!("line {number}: {found} for {expected}").into());
            }
            if values.rows.len() < clients as usize {
                values.rows.push(texts.into_iter().map(Box::from).collect());
                values.lines.push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        if values.rows.is_empty() { Err("no line with values".to_owned().into()) } else { Ok(values) }
    }

    /// The index of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The names of the columns, for errors.
    pub(super) fn columns(&self) -> String {
        list(&self.names)
    }

    /// The values of a column, with their lines.
    pub(super) fn values(&self, place: usize) -> impl Iterator<Item = (u32, &str)> {
        let values = self.rows.iter().filter_map(move |row| row.get(place));
        self.lines.iter().copied().zip(values.map(|value| &**value))
    }

    /// The line of a client; with fewer lines than clients, several clients share a line.
    pub(super) fn row(&self, client: u32) -> ClientRow {
        self.rows.get(client as usize % self.rows.len().max(1)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, clients: u32) -> Result<ClientValues, String> {
        ClientValues::of(text.as_bytes(), clients).map_err(|fault| match fault {
            FileFault::Content(why) => why,
            FileFault::Io(error) => error.to_string(),
        })
    }

    #[test]
    fn clients_take_the_lines_in_turn() {
        let values = parse("room,\"serial no\"\nkitchen,1\n\"hall, west\",2\n", 5).unwrap();
        let place = values.column("serial no").unwrap();
        let of = |client| values.row(client).unwrap()[place].to_string();
        assert_eq!([of(0), of(1), of(2)], ["1", "2", "1"]);
        assert_eq!(&*values.row(1).unwrap()[0], "hall, west");
        assert_eq!(values.column("serial"), None);
    }

    #[test]
    fn only_lines_of_clients_are_kept() {
        assert_eq!(parse("a\n1\n2\n3\n", 2).unwrap().rows.len(), 2);
    }

    #[test]
    fn wrong_files_are_refused_with_their_line() {
        for (text, words) in [
            ("", "no line with values"),
            ("a,b\n", "no line with values"),
            ("a,b\n1,2\n3\n", "line 3: 1 value for 2 columns"),
        ] {
            assert!(parse(text, 9).unwrap_err().contains(words), "{text}");
        }
    }
}
