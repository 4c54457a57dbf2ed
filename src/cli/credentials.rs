//! As whom: user name and password, and the places a password comes from besides the command line,
//! where others can read it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::hidden;
use super::origin::{Origin, Rank};
use super::target::one_of;
use super::{text, value};
use crate::client::options::Secret;
use crate::error::Error;
use crate::output;

/// The options of user name and password.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct CredentialArgs {
    /// User name
    #[arg(short = 'u', long, env = "MQTT_USERNAME", value_name = "NAME", allow_hyphen_values = true,
          value_hint = ValueHint::Username)]
    username: Option<String>,

    #[arg(
        short = 'P',
        long,
        visible_alias = "pw",
        env = "MQTT_PASSWORD",
        value_name = "PASSWORD",
        allow_hyphen_values = true,
        value_parser = value::secret(),
        help = "Password; others on this machine may see it for a moment, until it is hidden (on Unix; \
                elsewhere as long as the command runs), and never in MQTT_PASSWORD"
    )]
    password: Option<Secret>,

    /// File that holds the password; a line feed at its end is not part of it
    #[arg(long, env = "MQTT_PASSWORD_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<PathBuf>,

    /// Command that writes the password to its standard output, run by the shell
    #[arg(long, env = "MQTT_PASSWORD_COMMAND", value_name = "COMMAND",
          value_hint = ValueHint::CommandString)]
    password_command: Option<String>,

    /// Ask for the password on the terminal, without showing it
    #[arg(long, env = "MQTT_PASSWORD_PROMPT", value_parser = BoolishValueParser::new())]
    password_prompt: bool,
}

/// User name and where the password is; nothing has been read or asked yet.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) user_name: Option<String>,
    password: Option<Source>,
}

#[derive(Debug)]
enum Source {
    Given(Secret),
    File(PathBuf),
    Command(String),
    Prompt,
}

impl CredentialArgs {
    /// The options that do not hold where they are given, `url` for the password of the URL: another
    /// of them counts more.
    pub(super) fn overruled(
        &self,
        origin: &Origin,
        (url_user_name, url_password): (bool, bool),
    ) -> Vec<&'static str> {
        let passwords = [
            ("url", url_password),
            ("password", self.password.is_some()),
            ("password_file", self.password_file.is_some()),
            ("password_command", self.password_command.is_some()),
            ("password_prompt", self.password_prompt),
        ];
        let given = || passwords.into_iter().filter(|(_, given)| *given).map(|(id, _)| id);
        let most = given().map(|id| origin.rank(id)).max();
        let user_name = url_user_name && origin.rank("username") < origin.rank("url");
        let beaten = given().filter(|id| Some(origin.rank(id)) < most);
        beaten.chain(user_name.then_some("username")).collect()
    }

    /// Decides between the sources.
    pub(super) fn resolve(
        self,
        origin: &Origin,
        (url_user_name, url_password): (Option<String>, Option<Secret>),
    ) -> Result<Credentials, Error> {
        let url_rank = origin.rank("url");
        let in_url = url_password.is_some();
        let user_name = one_of("-u", (self.username, origin.rank("username")), (url_user_name, url_rank))?;
        let user_name = user_name.map(|name| text::string("user name", name)).transpose()?;
        let password_rank = origin.rank("password");
        let rank = if in_url { url_rank.max(password_rank) } else { password_rank };
        let given = one_of("-P", (self.password, password_rank), (url_password, url_rank))?;
        let sources = [
            (given.map(Source::Given), rank, if in_url { "-L" } else { "-P" }),
            (self.password_file.map(Source::File), origin.rank("password_file"), "--password-file"),
            (
                self.password_command.map(Source::Command),
                origin.rank("password_command"),
                "--password-command",
            ),
            (
                self.password_prompt.then_some(Source::Prompt),
                origin.rank("password_prompt"),
                "--password-prompt",
            ),
        ];
        let mut best: Option<(Source, Rank, &str)> = None;
        for (source, rank, name) in sources {
            let Some(source) = source else { continue };
            match &best {
                Some((_, best, other)) if *best == rank => {
                    return Err(Error::usage(format!("{other} and {name} both give the password; give one")));
                }
                Some((_, best, _)) if *best > rank => {}
                _ => best = Some((source, rank, name)),
            }
        }
        Ok(Credentials { user_name, password: best.map(|(source, ..)| source) })
    }
}

impl Credentials {
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Gets the password from where it is. To be called when nothing else can be wrong any more:
    /// nobody likes to type a password for nothing.
    pub(super) fn fetch(self) -> Result<Option<Secret>, Error> {
        let Some(source) = self.password else { return Ok(None) };
        let Secret(bytes) = match source {
            Source::Given(secret) => secret,
            Source::File(path) => from_file(&path)?,
            Source::Command(command) => from_command(&command)?,
            Source::Prompt => {
                let whose = self.user_name.map_or_else(String::new, |name| format!(" for '{name}'"));
                Secret(output::read_password(&format!("Password{whose}: "))?)
            }
        };
        if bytes.len() > usize::from(u16::MAX) {
            return Err(Error::usage(format!(
                "the password is {} bytes long; MQTT takes 65535",
                bytes.len()
            )));
        }
        Ok(Some(Secret(bytes)))
    }
}

/// The content of a file that holds one secret.
pub(super) fn from_file(path: &Path) -> Result<Secret, Error> {
    match std::fs::read(path) {
        Ok(content) => Ok(without_line_feed(content)),
        Err(error) => Err(Error::file(format!("cannot read the password in {}", path.display()), error)),
    }
}

/// The command itself may hold a secret, so errors do not show it.
fn from_command(command: &str) -> Result<Secret, Error> {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let failed = |error| Error::file("--password-command failed", error);
    let output = Command::new(shell)
        .arg(option)
        .arg(command)
        .env_remove(hidden::VARIABLE)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(failed(std::io::Error::other(output.status.to_string())));
    }
    if output.stdout.is_empty() {
        return Err(failed(std::io::Error::other("it wrote nothing to its standard output")));
    }
    Ok(without_line_feed(output.stdout))
}

fn without_line_feed(mut text: Vec<u8>) -> Secret {
    if text.last() == Some(&b'\n') {
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
    }
    Secret(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_feed_at_the_end_is_not_part_of_a_password() {
        for (text, password) in
            [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("", "")]
        {
            assert_eq!(without_line_feed(text.into()), Secret(password.into()), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_a_password_or_says_why_not() {
        assert_eq!(from_command("printf 'a b\\n'").unwrap(), Secret(b"a b".to_vec()));
        let error = from_command("exit 3 # hunter2").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
        assert!(from_command("true").unwrap_err().to_string().contains("nothing"));
    }
}
