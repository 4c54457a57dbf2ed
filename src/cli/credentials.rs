//! As whom: user name and password, and the places a password comes from besides the command line,
//! where others can read it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::hidden;
use super::origin::{Origin, Rank};
use super::target::one_of;
use super::{text, value};
use crate::client::options::Secret;
use crate::error::Error;
use crate::file::read_at_most;
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

    /// Command that writes the password to its standard output, run by the shell; it may take as long
    /// as --connect-timeout says
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
    /// A command may take as long as `limit`.
    pub(super) fn fetch(self, limit: Duration) -> Result<Option<Secret>, Error> {
        let Some(source) = self.password else { return Ok(None) };
        let Secret(bytes) = match source {
            Source::Given(secret) => secret,
            Source::File(path) => from_file(&path)?,
            Source::Command(command) => from_command(&command, limit)?,
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

/// The most that is read for a password: more than MQTT takes.
const LONGEST_PASSWORD_BYTES: u64 = 64 << 10;

/// The content of a file that holds one secret.
pub(super) fn from_file(path: &Path) -> Result<Secret, Error> {
    match read_at_most(path, LONGEST_PASSWORD_BYTES) {
        Ok(content) => Ok(without_line_feed(content)),
        Err(error) => Err(Error::file(format!("cannot read the password in {}", path.display()), error)),
    }
}

/// The command itself may hold a secret, so errors do not show it.
fn from_command(command: &str, limit: Duration) -> Result<Secret, Error> {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let failed = |error| Error::file("--password-command failed", error);
    let deadline = Instant::now() + limit;
    let mut child = Command::new(shell)
        .arg(option)
        .arg(command)
        .env_remove(hidden::VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    let outcome = output_until(deadline, &mut child);
    if !matches!(outcome, Ok(Some(_))) {
        // It may have ended meanwhile; that it is over is all that is wanted.
        let _ = child.kill();
        let _ = child.wait();
    }
    let Some((status, text)) = outcome.map_err(failed)? else {
        let text = format!("after {}, waiting for --password-command", output::duration(limit));
        return Err(Error::timed_out(text));
    };
    if !status.success() {
        return Err(failed(io::Error::other(status.to_string())));
    }
    if text.is_empty() {
        return Err(failed(io::Error::other("it wrote nothing to its standard output")));
    }
    Ok(without_line_feed(text))
}

/// How a command ended and what it wrote; nothing if it takes longer.
fn output_until(deadline: Instant, child: &mut Child) -> io::Result<Option<(ExitStatus, Vec<u8>)>> {
    /// Between two looks at a command that has closed its output and goes on.
    const PAUSE: Duration = Duration::from_millis(5);
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    let (sender, receiver) = mpsc::channel();
    // Left to itself where a child of the command keeps the pipe open.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.take(LONGEST_PASSWORD_BYTES + 1).read_to_end(&mut text);
        let _ = sender.send(read.map(|_| text));
    });
    let Ok(read) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
        return Ok(None);
    };
    let text = read?;
    if text.len() as u64 > LONGEST_PASSWORD_BYTES {
        return Err(io::Error::other(format!("it wrote more than {} KiB", LONGEST_PASSWORD_BYTES / 1024)));
    }
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some((status, text)));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
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
        let from_command = |command: &str| from_command(command, Duration::from_secs(60));
        assert_eq!(from_command("printf 'a b\\n'").unwrap(), Secret(b"a b".to_vec()));
        let error = from_command("exit 3 # hunter2").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
        assert!(from_command("true").unwrap_err().to_string().contains("nothing"));
        let error = from_command("yes hunter2").unwrap_err().to_string();
        assert!(error.ends_with("it wrote more than 64 KiB"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_has_a_time_limit() {
        for command in ["exec sleep 1000", "echo hunter2; exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let error = from_command(command, Duration::from_millis(200)).unwrap_err();
            assert_eq!(error.to_string(), "timed out after 200ms, waiting for --password-command");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_none() {
        let error = from_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.ends_with("/dev/zero: it is longer than 64 KiB"), "{error}");
    }
}
