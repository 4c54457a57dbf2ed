//! The identifiers of connections and sessions in the core.

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(in crate::broker) struct $name(pub(super) u32);

        impl From<u32> for $name {
            fn from(index: u32) -> Self {
                Self(index)
            }
        }

        impl From<$name> for u32 {
            fn from(name: $name) -> u32 {
                name.0
            }
        }
    };
}

identifier!(
    /// A Network Connection; the number is reused after [`Core::close`](super::Core::close).
    ConnectionId
);

identifier!(
    /// A session; the number is reused after the session's end.
    SessionId
);

impl ConnectionId {
    /// The number, as an index into the driver's table.
    pub(in crate::broker) fn index(self) -> usize {
        self.0 as usize
    }
}
