//! The numbers by which the core names connections and sessions.

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
    /// A network connection; the number is used again after [`Core::close`](super::Core::close).
    ConnectionId
);

identifier!(
    /// A session; the number is used again after the session's end.
    SessionId
);

impl ConnectionId {
    /// The number, to index the driver's own table.
    pub(in crate::broker) fn index(self) -> usize {
        self.0 as usize
    }
}
