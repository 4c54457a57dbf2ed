//! Everything that is tested from outside, as one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod command_line;
mod connect;
mod generated;
mod publish;
mod publish_lines;
mod subscribe;
mod support;
mod ways;
