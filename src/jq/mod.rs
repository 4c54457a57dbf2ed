//! Programs of the jq language over messages: `--jq`, `--where` and `--until`.
//!
//! The language is that of the crate `jaq`. A program's input is the record that `sub --json` writes, with the
//! payload parsed where it is JSON. What reads files, the environment or further inputs, and what ends or writes to the
//! outside, is left out: a program computes its results from one message and nothing else.
//!
//! A program may run for ever, and a message may make it do so. Its results are counted ([`MOST_RESULTS`],
//! [`MOST_RESULT_BYTES`]). What it does between two results cannot be interrupted, so a thread watches how much processor
//! time and memory that takes ([`Guard`]), and ends the process.

mod compile;
mod condition;
mod guard;
mod input;
mod json;
mod product;
mod program;

pub use compile::BadProgram;
pub use condition::Condition;
pub use guard::{Guard, MOST_MEMORY_BYTES, MOST_PROCESSOR_TIME, STACK_BYTES};
pub use input::{MOST_LEVELS, MOST_PAYLOAD_BYTES, MOST_VALUES, ProgramInput, ProgramPayload};
pub use jaq_json::Val;
pub use program::{Failure, MOST_RESULT_BYTES, MOST_RESULTS, Program, ProgramResults};
