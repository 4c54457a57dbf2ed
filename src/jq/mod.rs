//! Programs of the jq language over messages: `--jq`, `--where` and `--until`.
//!
//! The language is that of the crate `jaq`. A program's input is the record that `sub --json` writes, with a
//! JSON payload parsed. Functions that read files, the environment or further inputs, that write to the
//! outside or end the program are removed: a program computes its results from one message only.
//!
//! A program may run forever, depending on the message. The number and size of its results are limited
//! ([`MOST_RESULTS`], [`MOST_RESULT_BYTES`]). The work between two results cannot be interrupted, so a thread
//! watches its processor time and memory ([`Guard`]), and ends the process at the limit.

mod compile;
mod condition;
mod guard;
mod input;
mod json;
mod product;
mod program;

pub use compile::{BadProgram, Uncompiled};
pub use condition::Condition;
pub use guard::{Guard, MOST_MEMORY_BYTES, MOST_PROCESSOR_TIME, PROGRAM, STACK_BYTES};
pub use input::{MOST_LEVELS, MOST_PAYLOAD_BYTES, MOST_VALUES, ProgramInput, ProgramPayload};
pub use jaq_json::Val;
pub use program::{Failure, MOST_RESULT_BYTES, MOST_RESULTS, Program, ProgramResults};
