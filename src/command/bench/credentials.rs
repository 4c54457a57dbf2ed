//! Credentials of each client, from a CSV file with a heading line: `client_id`, `username`, `password`,
//! `cert` and `key` in any order. Clients take the lines in turn; lines with a client identifier are for
//! one client each, because a broker disconnects the older of two clients with one identifier.

use std::collections::HashMap;
use std::path::Path;

use crate::client::Identity;
use crate::client::options::{ClientOptions, Secret};
use crate::error::Error;
use crate::file::Written;
use crate::masking;

/// The longest file: lines for a million clients and more.
const MOST_BYTES: u64 = 256 << 20;

/// What a heading may name.
const COLUMNS: [&str; 5] = ["client_id", "username", "password", "cert", "key"];

/// What clients show to be let in, by their numbers.
#[derive(Debug)]
pub(super) struct Credentials {
    lines: Vec<Line>,
    /// Of each line, if it has a certificate.
    identities: Vec<Option<Identity>>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Line {
    /// In the file, from 1.
    number: usize,
    client_identifier: Option<String>,
    user_name: Option<String>,
    password: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Credentials {
    /// Reads the file for so many clients, and all certificates that it names. Their paths count from
    /// its folder.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what it should; certificates without TLS.
    pub(super) fn read(path: &Path, options: &ClientOptions, clients: u32) -> Result<Self, Error> {
        let text = Written::read(path, MOST_BYTES)
            .and_then(Written::into_text)
            .map_err(|error| Error::file(format!("cannot read {}", path.display()), error))?;
        let wrong = |why| Error::usage(format!("{}: {why}", path.display()));
        let lines = Line::parse(&text).map_err(wrong)?;
        check_identifiers(&lines, clients).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = |line: &Line| {
            let (Some(certificate), Some(key)) = (&line.certificate, &line.key) else { return Ok(None) };
            options.identity(folder.join(certificate), folder.join(key)).map(Some)
        };
        let identities = lines.iter().map(own).collect::<Result<_, Error>>()?;
        Ok(Self { lines, identities })
    }

    /// Gives a client the credentials of its line.
    pub(super) fn apply(&self, number: u32, options: &mut ClientOptions) {
        let place = number as usize % self.lines.len();
        let line = &self.lines[place];
        if let Some(identifier) = &line.client_identifier {
            options.client_identifier.clone_from(identifier);
        }
        if let Some(user_name) = &line.user_name {
            options.user_name = Some(user_name.clone());
        }
        if let Some(password) = &line.password {
            options.password = Some(Secret(password.clone().into_bytes()));
        }
        if let Some(identity) = &self.identities[place] {
            options.show(identity);
        }
    }
}

/// Whether no two clients would share an identifier: the server would close the connection of the
/// first when the second comes ([MQTT-3.1.4-3]).
fn check_identifiers(lines: &[Line], clients: u32) -> Result<(), String> {
    let mut seen = HashMap::new();
    for line in lines.iter().take(clients as usize) {
        let Some(identifier) = &line.client_identifier else { continue };
        if let Some(first) = seen.insert(identifier, line.number) {
            return Err(format!("client_id '{identifier}' is in line {first} and in line {}", line.number));
        }
    }
    if lines.len() < clients as usize && !seen.is_empty() {
        let lines = lines.len();
        return Err(format!("{lines} lines for {clients} clients, and a client_id is for one client only"));
    }
    Ok(())
}

impl Line {
    /// All lines below the heading.
    fn parse(text: &str) -> Result<Vec<Self>, String> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let heading = lines.next().map(|(_, line)| fields(line)).unwrap_or_default();
        // What stands there is not shown: where the heading is missing, it is somebody's password.
        if let Some(column) = heading.iter().position(|name| !COLUMNS.contains(&name.as_str())) {
            let column = column + 1;
            let names = COLUMNS.join(", ");
            return Err(format!("line 1: column {column} of the heading is none of {names}"));
        }
        let mut all = Vec::new();
        for (number, line) in lines {
            let values = fields(line);
            if values.len() != heading.len() {
                let (found, expected) = (values.len(), heading.len());
                return Err(format!("line {}: {found} values for {expected} columns", number + 1));
            }
            let mut entry = Line { number: number + 1, ..Line::default() };
            for (name, value) in heading.iter().zip(values) {
                if value.len() > usize::from(u16::MAX) || value.contains('\0') {
                    let why = "MQTT has no string with U+0000 or of more than 65,535 bytes";
                    return Err(format!("line {}: {name}: {why}", number + 1));
                }
                let value = Some(value).filter(|value| !value.is_empty());
                match name.as_str() {
                    "client_id" => entry.client_identifier = value,
                    "username" => entry.user_name = value,
                    "password" => {
                        masking::keep(value.as_deref().unwrap_or_default().as_bytes());
                        entry.password = value;
                    }
                    "cert" => entry.certificate = value,
                    _ => entry.key = value,
                }
            }
            if entry.certificate.is_some() != entry.key.is_some() {
                return Err(format!("line {}: cert and key go together", number + 1));
            }
            all.push(entry);
        }
        if all.is_empty() { Err("no line with credentials".into()) } else { Ok(all) }
    }
}

/// The values of a line; quotes enclose commas, doubled quotes are quotes (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields.last_mut().into_iter().for_each(|field| field.push('"'));
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_any_order() {
        let lines = Line::parse("password,client_id\r\n\"a,\"\"b\",one\n,two\n").unwrap();
        assert_eq!(lines[0].password.as_deref(), Some("a,\"b"));
        assert_eq!(lines[0].client_identifier.as_deref(), Some("one"));
        assert_eq!(lines[1], Line { number: 3, client_identifier: Some("two".into()), ..Line::default() });
    }

    #[test]
    fn no_two_clients_share_an_identifier() {
        let check = |text, clients| check_identifiers(&Line::parse(text).unwrap(), clients);
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
    fn a_missing_heading_gives_no_password_away() {
        for text in ["me,hunter2\n", "username,hunter2\nme,x\n", "hunter2", "\"hunter2\",password\na,b\n"] {
            let error = Line::parse(text).unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("heading"), "{error}");
        }
    }

    /// What no CONNECT can carry.
    #[test]
    fn a_string_that_is_none_of_mqtt_is_refused() {
        let long = "x".repeat(65_536);
        for value in [long.as_str(), "a\0b"] {
            let error = Line::parse(&format!("client_id\na\n{value}\n")).unwrap_err();
            assert!(error.starts_with("line 3: client_id: "), "{error}");
        }
        assert!(Line::parse(&format!("client_id\n{}\n", &long[1..])).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("", "no line"),
            ("username\n", "no line"),
            ("user\nx", "column 1 of the heading"),
            ("username,Password\nx,y", "column 2 of the heading"),
            ("username,password\na", "line 2"),
            ("cert,key\na.pem,", "cert and key"),
            ("client_id,cert\none,a.pem\n", "line 2"),
        ] {
            let error = Line::parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
