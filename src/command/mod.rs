//! What each subcommand does: reads payloads, drives a client, hands results on. One file (or
//! folder) a subcommand with its `Config`, its `Report` where there is one, and `run()`.

mod attention;
pub mod bench;
pub mod broker;
mod lines;
pub mod ping;
pub mod publish;
mod record;
pub mod request;
pub mod retain_clear;
mod spool;
mod stored;
pub mod subscribe;
pub mod will_test;
