// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids of cells as a record has them, taken apart: the lab that gave them may not know them any more.

/// `TREE/SERIES@N/FLAVOR`, or `TREE/none/FLAVOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellId<'a> {
    /// The tree.
    pub tree: &'a str,
    /// The series.
    pub series: &'a str,
    /// How many patches of it; nothing without a series.
    pub applied: Option<usize>,
    /// The flavor, with its variants.
    pub flavor: &'a str,
}

impl<'a> CellId<'a> {
    /// Takes an id apart; nothing for what is none.
    pub fn parse(id: &'a str) -> Option<Self> {
        let (tree, rest) = id.split_once('/')?;
        let (point, flavor) = rest.split_once('/')?;
        let (series, applied) = match point.rsplit_once('@') {
            Some((series, applied)) => (series, Some(applied.parse().ok()?)),
            None => (point, None),
        };
        (!flavor.contains('/')).then_some(Self { tree, series, applied, flavor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_three_parts_and_perhaps_a_number() {
        let parts = |id| CellId::parse(id).map(|id| (id.tree, id.series, id.applied, id.flavor));
        assert_eq!(parts("5.10/s@3/compat+debug"), Some(("5.10", "s", Some(3), "compat+debug")));
        assert_eq!(parts("6.1/none/i386"), Some(("6.1", "none", None, "i386")));
        for id in ["", "5.10", "5.10/s@3", "5.10/s@x/i386", "a/b/c/d"] {
            assert_eq!(parts(id), None, "{id}");
        }
    }
}
