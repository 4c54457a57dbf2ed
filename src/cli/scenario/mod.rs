//! Scenarios of `mqtt bench`, as files.
//!
//! | file | holds |
//! |---|---|
//! | `table` | a table of a TOML file, read key by key |
//! | `description` | what a scenario's file says, and the load that it is |
//! | `read`, `write` | a scenario from its text, and the text of one |
//! | `built_in` | the scenarios of this program |

mod built_in;
mod description;
mod read;
mod table;
mod write;

pub(super) use self::built_in::{BUILT_IN, BuiltIn};
pub(super) use self::description::{Description, SET_BY_FILES};
pub(super) use self::read::read;
pub(super) use self::table::FileText;
pub(super) use self::write::write;
