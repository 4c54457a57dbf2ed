//! CSV files, record by record.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;

/// The reason why a file is rejected.
#[derive(Debug)]
pub(super) enum FileFault {
    Io(io::Error),
    Content(String),
}

impl From<String> for FileFault {
    fn from(why: String) -> Self {
        Self::Content(why)
    }
}

/// Maximum length of a string in MQTT.
pub(super) const MOST_VALUE_BYTES: usize = u16::MAX as usize;

/// The records of a CSV file, each read into the same buffers, so that an unclosed quote or a line of commas
/// takes no memory. That is why `csv-core` reads the file and not `csv`, which collects whole records of any
/// size.
pub(super) struct CsvRecords<R> {
    input: R,
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Line feeds read.
    line_feeds: usize,
}

/// The values of a record.
pub(super) struct Values<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl Values<'_> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(self.ends);
        starts.zip(self.ends).map(|(start, end)| &self.text[*start..*end])
    }
}

impl<R: BufRead> CsvRecords<R> {
    /// `most_values` is the maximum number of values in a record.
    pub(super) fn new(input: R, most_values: usize) -> Self {
        // A little more than a valid record needs: a record that does not fit is an error.
        Self {
            input,
            reader: csv_core::Reader::new(),
            text: vec![0; most_values * MOST_VALUE_BYTES + 1],
            ends: vec![0; most_values + 2],
            line_feeds: 0,
        }
    }

    /// The next record that is not blank, with its line number.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Values<'_>)>, FileFault> {
        loop {
            let Some((line, length, count)) = self.read()? else { return Ok(None) };
            let is_blank = count == 1 && length > 0 && self.text[..length].trim_ascii().is_empty();
            if !is_blank {
                let values = Values { text: &self.text[..length], ends: &self.ends[..count] };
                return Ok(Some((line, values)));
            }
        }
    }

    /// Reads a record; returns its line number, the length of its values and their number.
    fn read(&mut self) -> Result<Option<(usize, usize, usize)>, FileFault> {
        let (mut length, mut count) = (0, 0);
        loop {
            let input = self.input.fill_buf().map_err(FileFault::Io)?;
            let (result, used, written, ended) =
                self.reader.read_record(input, &mut self.text[length..], &mut self.ends[count..]);
            let used_bytes = &input[..used];
            self.line_feeds += memchr::memchr_iter(b'\n', used_bytes).count();
            let line = 1 + self.line_feeds - usize::from(used_bytes.last() == Some(&b'\n'));
            self.input.consume(used);
            (length, count) = (length + written, count + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => return Ok(Some((line, length, count))),
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let most = self.ends.len() - 2;
                    let why = format!("line {line}: more than {most} values, or longer than MQTT's strings");
                    return Err(why.into());
                }
            }
        }
    }
}
