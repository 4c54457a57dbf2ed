//! Scenarios of `mqtt bench`, as files.
//!
//! | file | holds |
//! |---|---|
//! | `table` | a table of a TOML file, read key by key |
//! | `description` | the content of a scenario file, and the load it describes |
//! | `read`, `write` | parses and writes the text of a scenario |
//! | `built_in` | the built-in scenarios |

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
