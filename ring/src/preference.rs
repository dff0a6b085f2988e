use quorate_core::{InlineList, List, NodeId};

use crate::Zone;

/// The most nodes of a [`PreferenceList`].
pub const MAX_PREFERENCE: usize = 32;

/// The nodes of a key: its replicas, the owner first, and then the fallbacks that stand in for replicas that are down (DeCandia et
/// al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, section 4.3). No node is in it twice.
///
/// ```
/// use quorate_core::NodeId;
/// use quorate_ring::{PreferenceList, Zone};
/// let [a, b, c] = [1, 2, 3].map(NodeId::new);
/// let [here, there] = [1, 2].map(Zone::new);
/// // the nodes as a walk finds them: the first two are in one zone
/// let walk = || [(a, here), (b, here), (a, here), (c, there)].into_iter();
/// let list = PreferenceList::select(walk, 2, 2, 1);
/// assert_eq!((list.replicas(), list.fallbacks()), (&[a, c][..], &[b][..]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PreferenceList {
    nodes: InlineList<NodeId, MAX_PREFERENCE>,
    replicas: usize,
}

impl PreferenceList {
    /// Chooses `replicas` nodes from a walk, and `fallbacks` more: the nodes in the order in which a placement names them, any of them
    /// more than once. Each [`Placement`](crate::Placement) does this for its keys; the rule is here for placements of your own.
    ///
    /// The replicas are spread over the zones: a node in a zone that has one already is passed over as long as the nodes that are
    /// still to be chosen are needed for other zones (as Cassandra's `NetworkTopologyStrategy` does). So a zone of few nodes holds as
    /// many replicas as one of many, and each of its nodes more. `zones` is how many zones have nodes. The
    /// fallbacks are the nodes of the walk that are no replicas, whatever their zones.
    ///
    /// Where there are fewer nodes than asked for, the list is shorter. It never has more than [`MAX_PREFERENCE`] nodes, replicas
    /// and fallbacks together. The walk is made twice, and must be the same each time.
    #[must_use]
    pub fn select<W>(walk: impl Fn() -> W, zones: usize, replicas: usize, fallbacks: usize) -> Self
    where
        W: Iterator<Item = (NodeId, Zone)>,
    {
        let mut list = Self::default();
        // more would take nodes from the zones that come last
        let replicas = replicas.min(MAX_PREFERENCE);
        let mut used = InlineList::<Zone, MAX_PREFERENCE>::with_limit(MAX_PREFERENCE);
        // how many may be in zones that have one
        let mut repeats = replicas.saturating_sub(zones);
        let mut nodes = walk();
        while list.nodes.len() < replicas {
            let Some((node, zone)) = nodes.next() else { break };
            if list.nodes.contains(&node) {
                continue;
            }
            if used.contains(&zone) {
                let Some(left) = repeats.checked_sub(1) else { continue };
                repeats = left;
            }
            if list.nodes.push(node).is_err() || used.push(zone).is_err() {
                break; // the longest list there is
            }
        }
        list.replicas = list.nodes.len();
        let wanted = list.replicas.saturating_add(fallbacks);
        let mut nodes = walk();
        while list.nodes.len() < wanted {
            let Some((node, _)) = nodes.next() else { break };
            if !list.nodes.contains(&node) && list.nodes.push(node).is_err() {
                break;
            }
        }
        list
    }

    /// The nodes that hold the key: the owner first.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{PreferenceList, Zone};
    /// let walk = || [(NodeId::new(4), Zone::default())].into_iter();
    /// assert_eq!(PreferenceList::select(walk, 1, 3, 0).replicas(), [NodeId::new(4)]);
    /// ```
    #[must_use]
    pub fn replicas(&self) -> &[NodeId] {
        self.nodes.get(..self.replicas).unwrap_or_default()
    }

    /// The nodes that take writes for replicas that are down, in the order in which to ask them.
    ///
    /// ```
    /// # use quorate_ring::PreferenceList;
    /// assert!(PreferenceList::default().fallbacks().is_empty());
    /// ```
    #[must_use]
    pub fn fallbacks(&self) -> &[NodeId] {
        self.nodes.get(self.replicas..).unwrap_or_default()
    }

    /// The replicas and then the fallbacks.
    ///
    /// ```
    /// # use quorate_ring::PreferenceList;
    /// assert!(PreferenceList::default().nodes().is_empty());
    /// ```
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The first of the replicas; `None` where there are no nodes.
    ///
    /// ```
    /// # use quorate_ring::PreferenceList;
    /// assert_eq!(PreferenceList::default().owner(), None);
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<NodeId> {
        self.replicas().first().copied()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PreferenceList {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("PreferenceList", 2)?;
        fields.serialize_field("replicas", self.replicas())?;
        fields.serialize_field("fallbacks", self.fallbacks())?;
        fields.end()
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for PreferenceList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use crate::serde_list::deserialize;
        type Nodes = InlineList<NodeId, MAX_PREFERENCE>;
        #[derive(serde::Deserialize)]
        #[serde(rename = "PreferenceList")]
        struct Fields {
            #[serde(deserialize_with = "deserialize::<MAX_PREFERENCE, NodeId, _, _>")]
            replicas: Nodes,
            #[serde(deserialize_with = "deserialize::<MAX_PREFERENCE, NodeId, _, _>")]
            fallbacks: Nodes,
        }
        let Fields { replicas, fallbacks } = Fields::deserialize(deserializer)?;
        let mut list = Self { nodes: Nodes::with_limit(MAX_PREFERENCE), replicas: replicas.len() };
        for node in replicas.iter().chain(fallbacks.iter()) {
            if list.nodes.contains(node) || list.nodes.push(*node).is_err() {
                return Err(serde::de::Error::custom(
                    "a node is listed twice, or there are too many",
                ));
            }
        }
        Ok(list)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for PreferenceList {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}, then {}", self.replicas(), self.fallbacks());
    }
}
