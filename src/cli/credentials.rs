//! User name and password, and the sources of a password other than the command line, where other users can
//! read it.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::headings::CREDENTIALS;
use super::password_file::from_file;
use super::sources::{Origin, Rank, one_of};
use super::value::ShellCommand;
use super::{password_command, text, value};
use crate::client::options::Secret;
use crate::error::Error;
use crate::masking;
use crate::output;
use crate::quotation::cut;

/// The options for user name and password.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "host::credentials")]
#[command(next_help_heading = CREDENTIALS)]
pub(super) struct CredentialArgs {
    /// User name
    #[arg(short = 'u', long, env = "MQTT_USERNAME", value_name = "NAME",
          value_hint = ValueHint::Username)]
    username: Option<String>,

    #[arg(
        short = 'P',
        long,
        visible_alias = "pw",
        env = "MQTT_PASSWORD",
        value_name = "PASSWORD",
        value_parser = value::secret(),
        help = "Password; see --password-file and --password-prompt",
        long_help = "Password. Others on this machine may see it for a moment, until it is hidden (on Unix; \
                     elsewhere as long as the command runs), and never in MQTT_PASSWORD"
    )]
    password: Option<Secret>,

    /// File that holds the password; a line feed at its end and a byte-order mark are not part of it
    #[arg(long, env = "MQTT_PASSWORD_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<PathBuf>,

    /// Command that writes the password to its standard output, run by the shell; it may take as long as
    /// --connect-timeout says, but no longer than the run may; then it is ended with all its child processes.
    /// In a file that another user owns or can write it is refused
    #[arg(long, env = "MQTT_PASSWORD_COMMAND", value_name = "COMMAND",
          value_hint = ValueHint::CommandString, value_parser = value::shell_command())]
    password_command: Option<ShellCommand>,

    /// Ask for the password on the terminal, without showing it
    #[arg(long, env = "MQTT_PASSWORD_PROMPT", value_parser = BoolishValueParser::new())]
    password_prompt: bool,
}

/// The user name and the source of the password; nothing has been read or asked yet.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) user_name: Option<String>,
    /// The source, with the option that names it.
    password: Option<(PasswordSource, &'static str)>,
}

#[derive(Debug)]
enum PasswordSource {
    Given(Secret),
    File(PathBuf),
    Command(ShellCommand),
    Prompt,
}

impl CredentialArgs {
    /// The given options that do not apply, `url` for the password of the URL: another option has a higher
    /// rank.
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
        let given =
            || passwords.into_iter().filter(|(id, given)| *given || origin.is_broken(id)).map(|(id, _)| id);
        let most = given().map(|id| origin.rank(id)).max();
        let user_name = url_user_name && origin.rank("username") < origin.rank("url");
        let beaten = given().filter(|id| Some(origin.rank(id)) < most);
        beaten.chain(user_name.then_some("username")).collect()
    }

    /// Whether to ask for the password, unless another source has a higher rank.
    pub(super) fn asks(&self) -> bool {
        self.password_prompt
    }

    /// Chooses between the sources.
    pub(super) fn resolve(
        self,
        origin: &Origin,
        (url_user_name, url_password): (Option<String>, Option<Secret>),
    ) -> Result<Credentials, Error> {
        let url_rank = origin.rank("url");
        let in_url = url_password.is_some();
        let user_name =
            one_of(("username", "-u"), (self.username, origin.rank("username")), (url_user_name, url_rank))?;
        let user_name = user_name.map(|name| text::string_of("-u", "user name", name)).transpose()?;
        let password_rank = origin.rank("password");
        let rank = if in_url { url_rank.max(password_rank) } else { password_rank };
        let given = one_of(("password", "-P"), (self.password, password_rank), (url_password, url_rank))?;
        let sources = [
            (given.map(PasswordSource::Given), rank, if in_url { ("url", "-L") } else { ("password", "-P") }),
            (
                self.password_file.map(PasswordSource::File),
                origin.rank("password_file"),
                ("password_file", "--password-file"),
            ),
            (
                self.password_command.map(PasswordSource::Command),
                origin.rank("password_command"),
                ("password_command", "--password-command"),
            ),
            (
                self.password_prompt.then_some(PasswordSource::Prompt),
                origin.rank("password_prompt"),
                ("password_prompt", "--password-prompt"),
            ),
        ];
        let mut best: Option<(PasswordSource, Rank, (&'static str, &'static str))> = None;
        for (source, rank, option @ (id, name)) in sources {
            let Some(source) = source else { continue };
            match &best {
                Some((_, best, (other_id, other))) if *best == rank => {
                    let message = format!("{other} and {name} both give the password; give one");
                    return Err(Error::usage(message).about([*other_id, id]));
                }
                Some((_, best, _)) if *best > rank => {}
                _ => best = Some((source, rank, option)),
            }
        }
        let password = best.map(|(source, _, (_, name))| (source, name));
        match (&password, origin.refused_command()) {
            (Some((PasswordSource::Command(_), _)), Some(why)) => {
                let error = Error::usage(why).about(["password_command"]);
                Err(error.with_hint("chown and chmod 600 make it private"))
            }
            _ => Ok(Credentials { user_name, password }),
        }
    }
}

impl Credentials {
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether the password is available without asking the user, running a command, or reading a pipe.
    pub(super) fn are_at_hand(&self) -> bool {
        match self.password.as_ref().map(|(source, _)| source) {
            None | Some(PasswordSource::Given(_)) => true,
            Some(PasswordSource::File(path)) => path.is_file(),
            Some(PasswordSource::Command(_) | PasswordSource::Prompt) => false,
        }
    }

    /// Fetches the password from its source. Called after all other checks, so that no user types a password
    /// in vain. A command may take up to `limit`.
    pub(super) fn fetch(self, origin: &Origin, limit: Duration) -> Result<Option<Secret>, Error> {
        let Some((source, option)) = self.password else { return Ok(None) };
        let Secret(bytes) = match source {
            PasswordSource::Given(secret) => secret,
            PasswordSource::File(path) => from_file("--password-file", &path, origin)?,
            PasswordSource::Command(ShellCommand(command)) => {
                password_command::password(&command, limit, origin)?
            }
            PasswordSource::Prompt => {
                let whose =
                    self.user_name.as_ref().map_or_else(String::new, |name| format!(" for '{}'", cut(name)));
                ask(&whose)?
            }
        };
        if bytes.len() > usize::from(u16::MAX) {
            return Err(Error::usage(format!(
                "{option}: the password is {} bytes long; MQTT allows 65535",
                bytes.len()
            )));
        }
        masking::keep_credentials(self.user_name.as_deref(), &bytes);
        Ok(Some(Secret(bytes)))
    }
}

/// Asks for a password on the terminal. `whose` is empty, or begins with a blank.
pub(super) fn ask(whose: &str) -> Result<Secret, Error> {
    output::read_password(&format!("Password{whose}: ")).map(Secret)
}
