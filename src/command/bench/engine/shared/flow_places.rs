//! The flows of each client on a thread.

use crate::command::bench::topology::{GroupPlan, Inlet};

/// The messages that a group's clients on one thread receive from another group.
#[derive(Debug)]
pub(super) struct ShardInlet {
    pub(super) inlet: Inlet,
    /// The first flow of each shared-subscription group; empty if there are none.
    pub(super) shared: Vec<usize>,
    /// There is no order between members of a shared-subscription group, and none between topics.
    pub(super) unordered: bool,
}

/// Assigns flows to a group's clients on one thread.
#[derive(Debug)]
pub(crate) struct FlowPlaces {
    pub(super) inlets: Vec<ShardInlet>,
    /// The first flow of the next client.
    pub(super) next: usize,
}

impl FlowPlaces {
    pub(crate) fn new(plan: &GroupPlan, thread: u32, threads: u32) -> Self {
        let mut next = 0;
        let with_shared = |inlet: &Inlet| {
            let first = |group: u32| {
                let first = next;
                next += if group % threads == thread { inlet.plan.flows_of(group) } else { 0 };
                first
            };
            let unordered = inlet.plan.groups > 0 || inlet.plan.varies();
            ShardInlet {
                inlet: inlet.clone(),
                shared: (0..inlet.plan.groups).map(first).collect(),
                unordered,
            }
        };
        let inlets = plan.inlets.iter().map(with_shared).collect();
        Self { inlets, next }
    }

    /// The first flow of the next client.
    pub(crate) fn place(&mut self, client: u32) -> usize {
        let first = self.next;
        self.next += self.inlets.iter().map(|own| own.inlet.own_flows(client)).sum::<usize>();
        first
    }
}
