//! Tests from arguments to `Config` or to a one-line error. The environment of the test process is not used;
//! `from_environment` replaces it.

mod bench;
#[cfg(feature = "broker")]
mod broker;
mod connection;
mod foreign;
mod properties;
mod publish;
mod request;
mod retain_clear;
mod scenario;
mod slips;
mod subscribe;
mod table;
mod tls;
mod usage;
mod will_test;

use std::any::Any;
use std::ffi::OsString;

use super::read::read;
use super::sources::Rank;
use super::subcommand::{Called, CommandLine, Entry, Resolved};
use crate::client::options::ClientOptions;
use crate::command::{Invocation, publish::Config as Publish, subscribe::Config as Subscribe};
use crate::error::Error;
use crate::exit::Exit;

/// Stage one alone.
fn stage_one(arguments: &[OsString]) -> Result<Result<Box<dyn Called>, String>, Error> {
    let without_environment = |entry: &Entry| entry.definition().mut_args(|arg| arg.env(None::<&str>));
    let arguments = super::bench_words::mode_first(arguments.to_vec());
    Ok(read(&arguments, without_environment, |_, _| ())?.map(|read| read.subcommand))
}

fn words(line: &[&str]) -> Vec<OsString> {
    std::iter::once("mqtt").chain(line.iter().copied()).map(OsString::from).collect()
}

/// Both stages; options with the identifiers `ids` are taken as set in the environment.
fn from_environment(line: &[&str], ids: &[&str]) -> Result<Box<dyn Invocation>, Error> {
    run(&words(line), ids)
}

fn run(arguments: &[OsString], ids: &[&str]) -> Result<Box<dyn Invocation>, Error> {
    let mut subcommand = stage_one(arguments)?.expect("a run, not a text");
    if let Some(connection) = subcommand.connection_mut() {
        connection.origin.demote(ids.iter().copied(), Rank::Environment);
    }
    let (definition, matches) = Default::default();
    match subcommand.resolve(&CommandLine {
        definition: &definition,
        matches: &matches,
        given: &[],
        left_out: None,
    })? {
        Resolved::Run(invocation) => Ok(invocation),
        Resolved::Print { text, .. } => panic!("a run, not a text: {text}"),
    }
}

/// Resolves a valid line.
fn good(line: &[&str]) -> Box<dyn Invocation> {
    from_environment(line, &[]).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

/// The configuration of the subcommand under test.
fn config<C: Invocation>(invocation: Box<dyn Invocation>) -> C {
    let any: Box<dyn Any> = invocation;
    *any.downcast().expect("the subcommand of the line")
}

fn publish(line: &[&str]) -> Publish {
    config(good(&[&["pub"], line].concat()))
}

fn subscribe(line: &[&str]) -> Subscribe {
    config(good(&[&["sub"], line].concat()))
}

/// The connection of `pub`, with these options and a message.
fn client(line: &[&str]) -> ClientOptions {
    client_from_environment(line, &[])
}

fn client_from_environment(line: &[&str], ids: &[&str]) -> ClientOptions {
    let line = [&["pub", "-t", "a", "-n"], line].concat();
    let config: Publish =
        config(from_environment(&line, ids).unwrap_or_else(|error| panic!("{line:?}: {error}")));
    config.client
}

/// The message of an invalid line: a usage error on one line.
fn wrong(line: &[&str]) -> String {
    wrong_from_environment(line, &[])
}

fn wrong_from_environment(line: &[&str], ids: &[&str]) -> String {
    usage_error(from_environment(line, ids).map(|config| format!("{line:?}: {config:?}")))
}

fn usage_error(outcome: Result<String, Error>) -> String {
    let error = outcome.expect_err("a usage error");
    assert_eq!(error.exit(), Exit::Usage, "{error}");
    let message = error.to_string();
    assert!(!message.contains('\n') && message.len() < 600, "{message}");
    assert!(!error.hint().unwrap_or_default().contains('\n'));
    message
}

/// Checks invalid lines, each with words that its message must contain.
fn all_wrong(cases: &[(&[&str], &str)]) {
    for (line, words) in cases {
        let message = wrong(line);
        assert!(message.contains(words), "{line:?}\n  says  {message}\n  not   {words}");
    }
}
