//! The subscriptions as a tree of topic levels: the cost of a message depends on the levels of its topic, not
//! on the number of subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use super::SessionId;
use crate::protocol::{QoS, topic};

/// Maximum number of levels in a topic name or filter: a filter of 65,535 slashes would need as many nodes.
/// mosquitto has the same limit: 200 slashes.
const MOST_LEVELS: usize = 201;
/// Memory of a node, and of a subscription besides its filter. The filter may be stored up to six times: in
/// the tree, in the session, in the list of shared subscriptions, and while its retained messages are sent.
const NODE_BYTES: usize = 320;
const SUBSCRIPTION_BYTES: usize = 200;
const FILTER_COPIES: usize = 6;
/// Maximum number of nodes in the tree.
const MOST_NODES: usize = 1_000_000;
/// Maximum size of all filters.
const MOST_BYTES: usize = 64 << 20;

/// A session's subscription to one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubscribedSession {
    pub(super) session: SessionId,
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    /// The Subscription Identifier; 0 for none.
    pub(super) identifier: u32,
}

/// Whether the client of a subscription is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Connected,
    Away,
    /// The session has ended, and its subscriptions are being removed.
    Ended,
}

/// A subscriber that gets a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) subscriber: SubscribedSession,
    /// The shared subscription it was selected from: not merged with other matches of the session.
    pub(super) share: Option<ShareId>,
}

/// The number of a shared subscription that has members; numbers are not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ShareId(NonZeroU64);

struct ShareGroup {
    id: ShareId,
    members: Vec<SubscribedSession>,
    /// The index of the next member.
    next: usize,
}

#[derive(Default)]
struct Subscribers {
    each: Vec<SubscribedSession>,
    /// By share name.
    groups: BTreeMap<Box<str>, ShareGroup>,
}

impl Subscribers {
    fn is_empty(&self) -> bool {
        self.each.is_empty() && self.groups.is_empty()
    }

    /// Adds or replaces a subscription; returns whether it is new.
    fn insert(
        &mut self,
        share: Option<&str>,
        subscriber: SubscribedSession,
        new_share: impl FnOnce() -> ShareId,
    ) -> bool {
        let list = match share {
            None => &mut self.each,
            Some(share) => {
                let new = || ShareGroup { id: new_share(), members: Vec::new(), next: 0 };
                &mut self.groups.entry(share.into()).or_insert_with(new).members
            }
        };
        if let Some(known) = list.iter_mut().find(|known| known.session == subscriber.session) {
            *known = subscriber;
            return false;
        }
        list.push(subscriber);
        true
    }

    /// Removes a subscription. Returns the number of subscribers checked, and the shared subscription that lost
    /// its last member; `None` if there was no such subscription.
    fn remove(&mut self, share: Option<&str>, session: SessionId) -> Option<(usize, Option<ShareId>)> {
        let remove = |list: &mut Vec<SubscribedSession>| {
            let at = list.iter().position(|known| known.session == session)?;
            let work = list.len();
            list.remove(at);
            Some(work)
        };
        let Some(share) = share else { return remove(&mut self.each).map(|work| (work, None)) };
        let group = self.groups.get_mut(share)?;
        let work = remove(&mut group.members)?;
        let id = group.members.is_empty().then_some(group.id);
        if id.is_some() {
            self.groups.remove(share);
        }
        Some((work, id))
    }

    /// Collects all subscribers, and for each shared subscription the next connected member, otherwise the
    /// next member with a session. Returns the number of subscribers checked.
    fn collect(&mut self, presence: &impl Fn(SessionId) -> Presence, out: &mut Vec<Match>) -> usize {
        let mut work = self.each.len();
        out.extend(self.each.iter().map(|subscriber| Match { subscriber: *subscriber, share: None }));
        for group in self.groups.values_mut() {
            let chosen = group.choose(presence, &mut work);
            out.extend(chosen.map(|subscriber| Match { subscriber, share: Some(group.id) }));
        }
        work
    }
}

impl ShareGroup {
    /// The next connected member, otherwise the next member with a session.
    fn choose(
        &mut self,
        presence: &impl Fn(SessionId) -> Presence,
        work: &mut usize,
    ) -> Option<SubscribedSession> {
        let count = self.members.len();
        let mut turn = None;
        for at in (0..count).map(|step| (self.next + step) % count) {
            *work += 1;
            match presence(self.members[at].session) {
                Presence::Connected => {
                    turn = Some(at);
                    break;
                }
                Presence::Away => turn = turn.or(Some(at)),
                Presence::Ended => {}
            }
        }
        let turn = turn?;
        self.next = turn + 1;
        Some(self.members[turn])
    }
}

#[derive(Default)]
struct Node {
    parent: usize,
    level: Box<str>,
    children: HashMap<Box<str>, usize>,
    /// The child `+`.
    any: Option<usize>,
    /// Filters that end here.
    here: Subscribers,
    /// Filters that end here with `/#`.
    below: Subscribers,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.any.is_none() && self.here.is_empty() && self.below.is_empty()
    }
}

/// All subscriptions. Node 0 is the root; nodes are linked by indices, so that dropping a deep tree does not
/// recurse.
pub(super) struct Subscriptions {
    nodes: Vec<Node>,
    free: Vec<usize>,
    count: usize,
    /// The number of shared subscriptions.
    shared: usize,
    /// Shared subscriptions by number, each with its share name and filter.
    shares: HashMap<ShareId, Box<str>>,
    /// The number of the next shared subscription.
    next_share: ShareId,
    /// The length of all filters.
    bytes: usize,
    /// Reused by `matching`: node, and the position of its next level in the name.
    stack: Vec<(usize, Option<usize>)>,
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        let nodes = vec![Node::default()];
        Self {
            nodes,
            free: Vec::new(),
            count: 0,
            shared: 0,
            shares: HashMap::new(),
            next_share: ShareId(NonZeroU64::MIN),
            bytes: 0,
            stack: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The memory of all subscriptions, precise enough for limits.
    pub(super) fn memory(&self) -> usize {
        self.nodes.len() * NODE_BYTES + self.bytes * FILTER_COPIES + self.count * SUBSCRIPTION_BYTES
    }

    /// Maximum memory of a new subscription.
    pub(super) fn most_memory(filter: &str) -> usize {
        levels(filter) * NODE_BYTES + filter.len() * FILTER_COPIES + SUBSCRIPTION_BYTES
    }

    /// The number of shared subscriptions.
    pub(super) fn shared_len(&self) -> usize {
        self.shared
    }

    /// Adds a subscription to a valid filter, or replaces the session's earlier one; returns whether it is
    /// new, or `None` if the tree is full.
    pub(super) fn insert(&mut self, whole: &str, subscriber: SubscribedSession) -> Option<bool> {
        let (share, filter) = split(whole);
        let levels = levels(filter);
        if self.nodes.len() - self.free.len() + levels > MOST_NODES || self.bytes + filter.len() > MOST_BYTES
        {
            return None;
        }
        let mut at = 0;
        let mut below = false;
        for level in filter.split('/') {
            match level {
                "#" => below = true,
                "+" => at = self.nodes[at].any.unwrap_or_else(|| self.add(at, level)),
                _ => {
                    at = self.nodes[at].children.get(level).copied().unwrap_or_else(|| self.add(at, level));
                }
            }
        }
        let node = &mut self.nodes[at];
        let subscribers = if below { &mut node.below } else { &mut node.here };
        let new = subscribers.insert(share, subscriber, || {
            let id = self.next_share;
            self.next_share = ShareId(id.0.saturating_add(1));
            self.shares.insert(id, whole.into());
            id
        });
        if new {
            self.count += 1;
            self.shared += usize::from(share.is_some());
            self.bytes += filter.len();
        }
        Some(new)
    }

    fn add(&mut self, parent: usize, level: &str) -> usize {
        let node = Node { parent, level: level.into(), ..Node::default() };
        let index = self.free.pop().unwrap_or(self.nodes.len());
        if index == self.nodes.len() {
            self.nodes.push(node);
        } else {
            self.nodes[index] = node;
        }
        if level == "+" {
            self.nodes[parent].any = Some(index);
        } else {
            self.nodes[parent].children.insert(level.into(), index);
        }
        index
    }

    /// Removes a session's subscription; returns the number of levels and subscribers checked, or `None` if
    /// there was none.
    pub(super) fn remove(&mut self, filter: &str, session: SessionId) -> Option<usize> {
        let (share, filter) = split(filter);
        let (mut at, subscribers) = self.find(filter)?;
        let (looked_at, ended) = subscribers.remove(share, session)?;
        let work = levels(filter) + looked_at;
        if let Some(ended) = ended {
            self.shares.remove(&ended);
        }
        self.count -= 1;
        self.shared -= usize::from(share.is_some());
        self.bytes -= filter.len();
        while at != 0 && self.nodes[at].is_empty() {
            let Node { parent, level, .. } = std::mem::take(&mut self.nodes[at]);
            if &*level == "+" {
                self.nodes[parent].any = None;
            } else {
                self.nodes[parent].children.remove(&level);
            }
            self.free.push(at);
            at = parent;
        }
        Some(work)
    }

    /// The subscribers to a filter without a share name, and their node.
    fn find(&mut self, filter: &str) -> Option<(usize, &mut Subscribers)> {
        let mut at = 0;
        let mut below = false;
        for level in filter.split('/') {
            match level {
                "#" => below = true,
                "+" => at = self.nodes[at].any?,
                _ => at = *self.nodes[at].children.get(level)?,
            }
        }
        let node = &mut self.nodes[at];
        Some((at, if below { &mut node.below } else { &mut node.here }))
    }

    /// The next member of a shared subscription; `None` if it has none. Adds the number of levels and members
    /// checked to `work`.
    pub(super) fn choose(
        &mut self,
        share: ShareId,
        presence: impl Fn(SessionId) -> Presence,
        work: &mut usize,
    ) -> Option<SubscribedSession> {
        let whole = self.shares.get(&share)?.clone();
        let (name, filter) = split(&whole);
        *work += levels(filter);
        let (_, subscribers) = self.find(filter)?;
        subscribers.groups.get_mut(name?)?.choose(&presence, work)
    }

    /// Appends every subscriber for a message with this topic name; a session may occur several times.
    /// `presence` selects the members of shared subscriptions. Returns the number of nodes and subscribers
    /// checked.
    pub(super) fn matching(
        &mut self,
        name: &str,
        presence: impl Fn(SessionId) -> Presence,
        out: &mut Vec<Match>,
    ) -> usize {
        let mut work = 0;
        let system = name.starts_with('$'); // wildcards in the first level do not match it [MQTT-4.7.2-1]
        let mut stack = std::mem::take(&mut self.stack);
        stack.push((0, Some(0)));
        while let Some((at, rest)) = stack.pop() {
            let node = &mut self.nodes[at];
            work += 1;
            let passed_by = at == 0 && system;
            if !passed_by {
                work += node.below.collect(&presence, out);
            }
            let Some(start) = rest else {
                work += node.here.collect(&presence, out);
                continue;
            };
            let tail = &name[start..];
            let slash = memchr::memchr(b'/', tail.as_bytes());
            let (level, rest) = match slash {
                Some(slash) => (&tail[..slash], Some(start + slash + 1)),
                None => (tail, None),
            };
            if let Some(child) = node.children.get(level) {
                stack.push((*child, rest));
            }
            if let Some(child) = node.any
                && !passed_by
            {
                stack.push((child, rest));
            }
        }
        self.stack = stack;
        work
    }
}

/// The number of levels of a topic name or filter.
pub(super) fn levels(topic: &str) -> usize {
    memchr::memchr_iter(b'/', topic.as_bytes()).count() + 1
}

/// Whether a topic name, or a filter of which the share name does not count, has more levels than it may have.
pub(super) fn is_too_deep(topic: &str) -> bool {
    // Most are too short for it.
    topic.len() >= MOST_LEVELS && levels(split(topic).1) > MOST_LEVELS
}

fn split(filter: &str) -> (Option<&str>, &str) {
    match topic::shared(filter) {
        Some((share, filter)) => (Some(share), filter),
        None => (None, filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subscriber(session: u32) -> SubscribedSession {
        SubscribedSession {
            session: SessionId(session),
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            identifier: 0,
        }
    }

    fn sessions(tree: &mut Subscriptions, name: &str) -> Vec<u32> {
        let mut out = Vec::new();
        tree.matching(name, |_| Presence::Connected, &mut out);
        let mut sessions: Vec<u32> = out.iter().map(|m| m.subscriber.session.0).collect();
        sessions.sort_unstable();
        sessions
    }

    #[test]
    fn deep_filter_is_detected_and_removal_frees_all_nodes() {
        let mut tree = Subscriptions::new();
        assert!(is_too_deep(&"/".repeat(201)));
        assert!(!is_too_deep(&"/".repeat(200)));
        assert_eq!(tree.insert(&"/".repeat(199), subscriber(1)), Some(true));
        assert_eq!(tree.insert("a/+/#", subscriber(1)), Some(true));
        assert_eq!(tree.insert("a/+/#", subscriber(1)), Some(false));
        assert_eq!(tree.len(), 2);
        assert_eq!(tree.remove("a/+", SessionId(1)), None);
        assert_eq!(tree.remove("a/+/#", SessionId(1)), Some(4));
        assert_eq!(tree.remove(&"/".repeat(199), SessionId(1)), Some(201));
        assert_eq!((tree.len(), tree.bytes, tree.nodes.len() - tree.free.len()), (0, 0, 1));
    }

    #[test]
    fn shared_subscription_takes_turns_and_prefers_connected_clients() {
        let mut tree = Subscriptions::new();
        for session in 1..4 {
            tree.insert("$share/g/a", subscriber(session));
        }
        let mut turns = Vec::new();
        for _ in 0..6 {
            turns.extend(sessions(&mut tree, "a"));
        }
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
        let mut out = Vec::new();
        for _ in 0..4 {
            let second = |session| if session == SessionId(2) { Presence::Connected } else { Presence::Away };
            tree.matching("a", second, &mut out);
        }
        assert!(out.iter().all(|m| m.subscriber.session == SessionId(2) && m.share.is_some()));
        out.clear();
        tree.matching("a", |_| Presence::Away, &mut out);
        assert_eq!(out.len(), 1);
        out.clear();
        let third = |session| if session == SessionId(3) { Presence::Away } else { Presence::Ended };
        for _ in 0..3 {
            tree.matching("a", third, &mut out);
        }
        tree.matching("a", |_| Presence::Ended, &mut out);
        assert_eq!(out.iter().map(|m| m.subscriber.session.0).collect::<Vec<_>>(), [3, 3, 3]);
    }

    proptest! {
        /// The tree returns the same as matching each filter, also after removals.
        #[test]
        fn agrees_with_matching_one_by_one(
            filters in proptest::collection::vec(("(\\+|[ab$]|)(/(\\+|[ab]|)){0,3}(/#)?|#", any::<bool>()), 1..20),
            names in proptest::collection::vec("([ab$]|)(/([ab]|)){0,3}", 1..10),
        ) {
            let mut tree = Subscriptions::new();
            let mut kept = Vec::new();
            let filters: Vec<_> = filters.iter().filter(|(filter, _)| !filter.is_empty()).collect();
            for (number, (filter, _)) in (0..).zip(&filters) {
                tree.insert(filter, subscriber(number));
            }
            for (number, (filter, keep)) in (0..).zip(&filters) {
                if *keep {
                    kept.push((number, filter));
                } else {
                    prop_assert!(tree.remove(filter, SessionId(number)).is_some());
                }
            }
            prop_assert_eq!(tree.len(), kept.len());
            for name in names.iter().filter(|name| !name.is_empty()) {
                let one_by_one: Vec<u32> = kept.iter()
                    .filter(|(_, filter)| topic::matches(filter.as_bytes(), name.as_bytes()))
                    .map(|(number, _)| *number).collect();
                prop_assert_eq!(sessions(&mut tree, name), one_by_one);
            }
        }
    }
}
