//! Credentials of each client, from a CSV file with a heading line: `client_id`, `username`, `password`,
//! `cert` and `key` in any order. Clients take the lines in turn; lines with a client identifier are for
//! one client each, because a broker disconnects the older of two clients with one identifier.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::csv_records::{CsvRecords, FileFault, MOST_VALUE_BYTES};
use crate::client::Identity;
use crate::client::options::{ClientOptions, Secret};
use crate::error::Error;
use crate::file;
use crate::masking;
use crate::quantity::counted;
use crate::quotation::cut;

/// Maximum size of the file. Memory use does not grow with it: it is read record by record, and only the
/// lines of clients are kept.
const MOST_BYTES: u64 = 256 << 20;

/// Known column names.
const COLUMNS: [&str; 5] = ["client_id", "username", "password", "cert", "key"];

/// The credentials of the clients, by client number.
#[derive(Debug)]
pub(super) struct ClientCredentials {
    lines: Vec<CsvLine>,
    /// The certificate and key of each line, if it has them.
    identities: Vec<Option<Identity>>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct CsvLine {
    /// The line number in the file, from 1.
    number: usize,
    client_identifier: Option<Box<str>>,
    user_name: Option<Box<str>>,
    password: Option<Box<str>>,
    certificate: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl ClientCredentials {
    /// Reads the file for this number of clients, and all certificates that it names. Their paths are
    /// relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read or has invalid content; certificates without TLS.
    pub(super) fn read(path: &Path, options: &ClientOptions, clients: u32) -> Result<Self, Error> {
        let unread = |error| Error::file(format!("cannot read {}", path.display()), error);
        let wrong = |why| Error::usage(format!("{}: {why}", path.display()));
        let read = move |path: &Path| Ok(CsvLine::read(file::open_written(path, MOST_BYTES)?, clients));
        let lines = file::patiently(path, read).map_err(unread)?.map_err(|fault| match fault {
            FileFault::Io(error) => unread(error),
            FileFault::Content(why) => wrong(why),
        })?;
        check_identifiers(&lines, clients).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = |line: &CsvLine| {
            let (Some(certificate), Some(key)) = (&line.certificate, &line.key) else { return Ok(None) };
            options.identity(folder.join(&**certificate), folder.join(&**key)).map(Some)
        };
        let identities = lines.iter().map(own).collect::<Result<_, Error>>()?;
        Ok(Self { lines, identities })
    }

    /// Sets the credentials of a client.
    pub(super) fn apply(&self, number: u32, options: &mut ClientOptions) {
        let place = number as usize % self.lines.len();
        let line = &self.lines[place];
        if let Some(identifier) = &line.client_identifier {
            options.client_identifier = identifier.to_string();
        }
        if let Some(user_name) = &line.user_name {
            options.user_name = Some(user_name.to_string());
        }
        if let Some(password) = &line.password {
            options.password = Some(Secret(password.as_bytes().to_vec()));
        }
        if let Some(identity) = &self.identities[place] {
            options.show(identity);
        }
    }
}

/// Checks that no two clients share an identifier: the broker would close the connection of the first when
/// the second connects ([MQTT-3.1.4-3]).
fn check_identifiers(lines: &[CsvLine], clients: u32) -> Result<(), String> {
    let mut seen = HashMap::new();
    for line in lines {
        let Some(identifier) = &line.client_identifier else { continue };
        if let Some(first) = seen.insert(identifier, line.number) {
            let (identifier, second) = (cut(identifier), line.number);
            return Err(format!("client_id '{identifier}' is in line {first} and in line {second}"));
        }
    }
    if lines.len() < clients as usize && !seen.is_empty() {
        let (lines, clients) = (counted(lines.len() as u64, "line"), counted(clients.into(), "client"));
        return Err(format!("{lines} for {clients}, and a client_id is for one client only"));
    }
    Ok(())
}

impl CsvLine {
    /// Reads and checks all lines after the heading, and keeps those of the clients.
    fn read(input: impl BufRead, clients: u32) -> Result<Vec<Self>, FileFault> {
        let mut records = CsvRecords::new(input, COLUMNS.len());
        let heading: Vec<&str> = match records.next()? {
            Some((_, names)) => names.iter().enumerate().map(column).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let mut kept = Vec::new();
        let mut count = 0;
        while let Some((number, values)) = records.next()? {
            if values.len() != heading.len() {
                let found = counted(values.len() as u64, "value");
                let expected = counted(heading.len() as u64, "column");
                return Err(format!("line {number}: {found} for {expected}").into());
            }
            let mut line = Self { number, ..Self::default() };
            for (name, value) in heading.iter().zip(values.iter()) {
                let value = checked(value).map_err(|why| format!("line {number}: {name}: {why}"))?;
                line.set(name, value);
            }
            if line.certificate.is_some() != line.key.is_some() {
                return Err(format!("line {number}: cert needs key, and key needs cert").into());
            }
            count += 1;
            if count <= clients {
                if let Some(password) = &line.password {
                    masking::keep(password.as_bytes());
                }
                kept.push(line);
            }
        }
        if kept.is_empty() { Err("no line with credentials".to_owned().into()) } else { Ok(kept) }
    }

    fn set(&mut self, column: &str, value: &str) {
        let value = Some(value).filter(|value| !value.is_empty()).map(Into::into);
        match column {
            "client_id" => self.client_identifier = value,
            "username" => self.user_name = value,
            "password" => self.password = value,
            "cert" => self.certificate = value,
            _ => self.key = value,
        }
    }
}

/// A column name of the heading.
fn column((index, name): (usize, &[u8])) -> Result<&'static str, String> {
    let known = COLUMNS.into_iter().find(|known| known.as_bytes() == name);
    // The text is not shown: in a file without a heading it may be a password.
    known.ok_or_else(|| {
        let names = COLUMNS.join(", ");
        format!("line 1: column {} of the heading is unknown; the columns are {names}", index + 1)
    })
}

fn checked(value: &[u8]) -> Result<&str, &'static str> {
    if value.len() > MOST_VALUE_BYTES || value.contains(&0) {
        return Err("MQTT strings must not contain U+0000 or exceed 65,535 bytes");
    }
    if value.contains(&b'\n') {
        return Err("it has several lines: is a closing quote missing?");
    }
    std::str::from_utf8(value).map_err(|_| "it is not UTF-8")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn parse(text: &str) -> Result<Vec<CsvLine>, String> {
        parse_for(text, u32::MAX)
    }

    fn parse_for(text: &str, clients: u32) -> Result<Vec<CsvLine>, String> {
        // A small buffer, so that records cross the ends of reads.
        let input = io::BufReader::with_capacity(7, text.as_bytes());
        CsvLine::read(input, clients).map_err(|fault| match fault {
            FileFault::Content(why) => why,
            FileFault::Io(error) => error.to_string(),
        })
    }

    #[test]
    fn columns_in_any_order() {
        let lines = parse("password,client_id\r\n\"a,\"\"b\",one\n,two\n").unwrap();
        assert_eq!(lines[0].password.as_deref(), Some("a,\"b"));
        assert_eq!(lines[0].client_identifier.as_deref(), Some("one"));
        assert_eq!(
            lines[1],
            CsvLine { number: 3, client_identifier: Some("two".into()), ..CsvLine::default() }
        );
    }

    #[test]
    fn no_two_clients_share_an_identifier() {
        let check = |text, clients| check_identifiers(&parse_for(text, clients).unwrap(), clients);
        assert_eq!(check("username,password\na,b\n", 100), Ok(()), "a user may have many clients");
        assert_eq!(check("client_id\na\nb\n", 2), Ok(()));
        assert_eq!(check("client_id\na\nb\na\n", 2), Ok(()), "the third line is not used");
        let short = check("client_id\na\nb\n", 20).unwrap_err();
        assert!(short.starts_with("2 lines for 20 clients"), "{short}");
        assert!(check("client_id,username\na,u\n,v\n", 3).is_err());
        let twice = check("client_id\na\n\na\n", 2).unwrap_err();
        assert_eq!(twice, "client_id 'a' is in line 2 and in line 4");
    }

    #[test]
    fn error_for_a_missing_heading_shows_no_password() {
        for text in ["me,hunter2\n", "username,hunter2\nme,x\n", "hunter2", "\"hunter2\",password\na,b\n"] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("heading"), "{error}");
        }
    }

    /// Strings that CONNECT does not allow.
    #[test]
    fn string_that_mqtt_does_not_allow_is_refused() {
        let long = "x".repeat(65_536);
        for value in [long.as_str(), "a\0b"] {
            let error = parse(&format!("client_id\na\n{value}\n")).unwrap_err();
            assert!(error.starts_with("line 3: client_id: "), "{error}");
        }
        assert!(parse(&format!("client_id\n{}\n", &long[1..])).is_ok());
    }

    #[test]
    fn errors_name_the_fault() {
        for (text, words) in [
            ("", "no line"),
            ("username\n", "no line"),
            ("user\nx", "column 1 of the heading"),
            ("username,Password\nx,y", "column 2 of the heading"),
            ("username,password\na", "line 2"),
            ("cert,key\na.pem,", "cert needs key"),
            ("client_id,cert\none,a.pem\n", "line 2"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn quotes_are_part_of_values_that_do_not_begin_with_one() {
        let lines = parse("password\nhun\"ter2\n").unwrap();
        assert_eq!(lines[0].password.as_deref(), Some("hun\"ter2"));
    }

    #[test]
    fn only_the_lines_of_clients_are_kept_and_all_are_checked() {
        let text = "username\n".to_owned() + &"me\n".repeat(1000);
        assert_eq!(parse_for(&text, 3).unwrap().len(), 3);
        assert_eq!(parse_for(&(text + "a,b\n"), 3).unwrap_err(), "line 1002: 2 values for 1 column");
    }

    /// Records that would fill the memory if they were collected.
    #[test]
    fn records_without_an_end_are_refused() {
        for (text, line) in [
            (",".repeat(1_000_000), "line 1: "),
            ("x".repeat(1_000_000), "line 1: "),
            (format!("username\nme\n\"{}", "x\n".repeat(500_000)), "line "),
            (format!("username\nme\n{}", ",".repeat(1_000_000)), "line 3: "),
            ("username\nme\n\"you\nthey\n".to_owned(), "line "),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(line) && error.len() < 200, "{error}");
        }
    }

    #[test]
    fn blank_lines_and_line_ends_do_not_change_the_count() {
        let error = parse("\r\nusername\r\n\r\n  \r\nme\r\na,b\r\n").unwrap_err();
        assert_eq!(error, "line 6: 2 values for 1 column");
        let error = CsvLine::read(&b"username\na\xff\n"[..], 1).unwrap_err();
        assert!(matches!(error, FileFault::Content(why) if why == "line 2: username: it is not UTF-8"));
    }
}
