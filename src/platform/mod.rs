//! What differs between operating systems. Each function says what it does where the system is not Unix; only Linux is
//! tested.

pub(crate) mod clocks;
pub(crate) mod descriptors;
pub(crate) mod files;
pub(crate) mod held;
pub(crate) mod machine;
pub(crate) mod processes;
pub(crate) mod readiness;
pub(crate) mod sockets;
pub(crate) mod standard_output;
pub(crate) mod terminal;
pub(crate) mod timer;
pub(crate) mod words;
