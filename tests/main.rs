//! Everything that is tested from outside, as one program.

mod architecture;
mod generated;
