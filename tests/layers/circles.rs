//! Circles in a directed graph: for each knot of nodes that reach one another, the shortest way round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Edges by their start.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// One circle of each knot, as the nodes on it; the first is the least of them and is not repeated at the end.
pub(crate) fn find(graph: &Graph) -> Vec<Vec<String>> {
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for node in graph.keys() {
        if let Some(mut circle) = shortest(graph, node) {
            let least = (0..circle.len()).min_by_key(|place| &circle[*place]).unwrap_or(0);
            circle.rotate_left(least);
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The shortest way from `start` back to it.
fn shortest(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut pending = VecDeque::from([start]);
    while let Some(node) = pending.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                let mut way = vec![node.to_owned()];
                let mut step = node;
                while step != start {
                    step = came_from[step];
                    way.push(step.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, node);
                pending.push_back(next);
            }
        }
    }
    None
}
