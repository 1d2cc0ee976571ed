//! The tree against the definitions of RFC 6962, recursive and over the leaves alone: they are the judge here.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const LEAVES: u64 = 65_536 + 300;

/// What a store keeps: one list of hashes a tile level.
#[derive(Default)]
struct Stored(Vec<Vec<Hash>>);

impl Hashes for Stored {
    type Error = Infallible;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, Infallible> {
        assert_eq!(start / 256, (start + u64::from(count) - 1) / 256, "a read stays within one tile");
        let level = &self.0[usize::from(level)];
        let end = level.len().min((start + u64::from(count)) as usize);
        Ok(level[(start as usize).min(end)..end].to_vec())
    }
}

fn leaf(index: u64) -> Hash {
    Hash::of_leaf(&index.to_be_bytes())
}

static TREE: LazyLock<Stored> = LazyLock::new(|| {
    let (mut stored, mut frontier) = (Stored::default(), Frontier::default());
    for index in 0..LEAVES {
        frontier.push_with(leaf(index), |level, index, hash| {
            stored.0.resize(stored.0.len().max(usize::from(level) + 1), Vec::new());
            let row = &mut stored.0[usize::from(level)];
            assert_eq!(row.len() as u64, index, "hashes come in their order");
            row.push(hash);
        });
    }
    stored
});

/// The judge of this module: the definitions of RFC 6962 §2.1, §2.1.1 and §2.1.2, over the leaves alone.
mod model {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::*;

    /// Large subtrees come up thousands of times; by place, since the leaves never move.
    static KNOWN: LazyLock<Mutex<HashMap<(usize, usize), Hash>>> = LazyLock::new(Mutex::default);

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [leaf] => *leaf,
            _ => {
                let place = (leaves.as_ptr() as usize, leaves.len());
                if let Some(known) = KNOWN.lock().unwrap().get(&place) {
                    return *known;
                }
                let (left, right) = leaves.split_at(half(leaves));
                let root = Hash::of_node(&root(left), &root(right));
                KNOWN.lock().unwrap().insert(place, root);
                root
            }
        }
    }

    pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(half(leaves));
        let (mut path, sibling) = if index < left.len() {
            (path(index, left), root(right))
        } else {
            (path(index - left.len(), right), root(left))
        };
        path.push(sibling);
        path
    }

    pub(super) fn proof(old: usize, leaves: &[Hash]) -> Vec<Hash> {
        subproof(old, leaves, true)
    }

    fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(half(leaves));
        let (mut proof, sibling) = if old <= left.len() {
            (subproof(old, left, whole), root(right))
        } else {
            (subproof(old - left.len(), right, false), root(left))
        };
        proof.push(sibling);
        proof
    }

    fn half(leaves: &[Hash]) -> usize {
        let mut half = 1;
        while half * 2 < leaves.len() {
            half *= 2;
        }
        half
    }
}

fn leaves(size: u64) -> &'static [Hash] {
    &TREE.0[0][..size as usize]
}

/// Everything that can be asked of one pair of sizes and one leaf, against the model.
fn check(index: u64, old: u64, size: u64) {
    let root = model::root(leaves(size));
    assert_eq!(root_at(&*TREE, size), Ok(root));
    assert_eq!(frontier_at(&*TREE, size).unwrap().root(), root);

    let path = inclusion_proof(&*TREE, index, size).unwrap();
    assert_eq!(path, model::path(index as usize, leaves(size)), "leaf {index} of {size}");
    assert_eq!(root_from_inclusion(&leaf(index), index, size, &path), Ok(root));
    assert_eq!(verify_inclusion(&leaf(index), index, size, &root, &path), Ok(()));

    let old_root = model::root(leaves(old));
    let proof = consistency_proof(&*TREE, old, size).unwrap();
    assert_eq!(proof, model::proof(old as usize, leaves(size)), "{old} to {size}");
    assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
}

#[test]
fn every_small_tree_is_the_model_s() {
    for size in 1..=34 {
        for index in 0..size {
            check(index, index + 1, size);
        }
    }
}

#[test]
fn trees_around_a_full_tile_are_the_model_s() {
    for size in [255, 256, 257, 258, 511, 512, 513, 65_535, 65_536, 65_537, LEAVES] {
        for index in [0, 1, 127, 128, 254, 255, 256, 257, 65_535, 65_536, size - 1].into_iter().filter(|i| *i < size) {
            check(index, index + 1, size);
        }
    }
}

#[test]
fn the_frontier_grows_as_the_tree_does() {
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), model::root(&[]));
    for size in 1..=600 {
        frontier.push(leaf(size - 1));
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), root_at(&*TREE, size).unwrap());
        assert_eq!(frontier, frontier_at(&*TREE, size).unwrap());
        assert_eq!(Frontier::from_parts(size, frontier.hashes().to_vec()), Ok(frontier.clone()));
    }
}

#[test]
fn a_frontier_of_another_size_is_refused() {
    let check = |size, count: usize, good: bool| {
        assert_eq!(Frontier::from_parts(size, vec![leaf(0); count]).is_ok(), good, "{size} {count}");
    };
    check(0, 0, true);
    check(0, 1, false);
    check(3, 2, true);
    check(3, 1, false);
    check(3, 3, false);
    check(SIZE_MAX, 63, true);
    check(SIZE_MAX + 1, 1, false);
    check(u64::MAX, 64, false);
}

#[test]
fn what_has_no_proof_is_refused_by_both_sides() {
    let root = root_at(&*TREE, 5).unwrap();
    let out_of_tree = |index, size| {
        assert_eq!(inclusion_proof(&*TREE, index, size), Err(TreeError::OutOfTree { index, size }));
        let refused = ProofError::OutOfTree { index, size };
        assert_eq!(verify_inclusion(&root, index, size, &root, &[]), Err(refused));
    };
    out_of_tree(0, 0);
    out_of_tree(5, 5);
    out_of_tree(u64::MAX, 5);
    let not_older = |old, new| {
        assert_eq!(consistency_proof(&*TREE, old, new), Err(TreeError::NotOlder { old, new }));
        assert_eq!(verify_consistency(old, &root, new, &root, &[]), Err(ProofError::NotOlder { old, new }));
    };
    not_older(0, 0);
    not_older(0, 5);
    not_older(6, 5);
    not_older(u64::MAX, 5);
}

#[test]
fn equal_sizes_want_equal_roots_and_no_proof() {
    let (root, other) = (leaf(1), leaf(2));
    assert_eq!(verify_consistency(5, &root, 5, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(5, &root, 5, &other, &[]), Err(ProofError::OtherRoot));
    assert_eq!(verify_consistency(5, &root, 5, &root, &[root]), Err(ProofError::TooLong));
}

#[test]
fn a_store_that_lacks_hashes_is_named_not_believed() {
    let size = LEAVES + 1;
    let short = TreeError::Short { level: 0, start: LEAVES, count: 1, got: 0 };
    assert_eq!(root_at(&*TREE, size), Err(short.clone()));
    assert_eq!(inclusion_proof(&*TREE, 0, size), Err(short));
    let partly = TreeError::Short { level: 0, start: LEAVES - 44, count: 64, got: 44 };
    assert_eq!(root_at(&*TREE, LEAVES + 20), Err(partly));
}

#[test]
fn a_true_path_does_not_make_another_size_true() {
    let root = |size| root_at(&*TREE, size).unwrap();
    let proof = consistency_proof(&*TREE, 1, 2).unwrap();
    assert_eq!(verify_consistency(1, &leaf(0), 4, &root(2), &proof), Err(ProofError::TooShort));
    assert_eq!(verify_inclusion(&leaf(0), 0, 4, &root(2), &proof), Err(ProofError::TooShort));
    let proof = consistency_proof(&*TREE, 1, 4).unwrap();
    assert_eq!(verify_consistency(1, &leaf(0), 2, &root(4), &proof), Err(ProofError::TooLong));
    assert_eq!(verify_inclusion(&leaf(0), 0, 2, &root(4), &proof), Err(ProofError::TooLong));
}

/// The stored tree, and how many hashes of which tiles were asked for.
struct Counted(RefCell<BTreeMap<(u8, u64), u32>>);

impl Hashes for Counted {
    type Error = Infallible;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, Infallible> {
        *self.0.borrow_mut().entry((level, start / 256)).or_default() += count;
        TREE.hashes(level, start, count)
    }
}

/// What one question reads: at most two tiles a level, no hash of them twice.
fn check_reads(question: impl FnOnce(&Counted)) {
    let counted = Counted(RefCell::default());
    question(&counted);
    let tiles = counted.0.into_inner();
    for level in 0..3 {
        let reads: Vec<_> = tiles.iter().filter(|((of, _), _)| *of == level).map(|(_, count)| *count).collect();
        assert!(reads.len() <= 2 && reads.iter().all(|count| *count <= 256), "level {level}: {reads:?}");
    }
}

/// Every way to change one hash of a proof, or their number.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut mutations = Vec::new();
    for at in 0..proof.len() {
        for (byte, bit) in [(0, 0x80), (13, 0x10), (31, 0x01)] {
            let mut flipped = proof.to_vec();
            flipped[at].0[byte] ^= bit;
            mutations.push(flipped);
        }
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        mutations.push(shorter);
        let mut swapped = proof.to_vec();
        swapped.swap(0, at);
        mutations.push(swapped);
    }
    for at in 0..=proof.len() {
        for extra in [proof.first().copied().unwrap_or(leaf(0)), empty_root()] {
            let mut longer = proof.to_vec();
            longer.insert(at, extra);
            mutations.push(longer);
        }
    }
    mutations.retain(|mutation| mutation != proof);
    mutations
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn proofs_of_any_tree_are_the_model_s((size, index, old) in (1..1_100_u64).prop_flat_map(|size|
        (Just(size), 0..size, 1..=size)
    )) {
        check(index, old, size);
    }

    #[test]
    fn a_proof_is_read_from_at_most_two_tiles_a_level((size, index) in (1..=LEAVES).prop_flat_map(|size|
        (Just(size), 0..size)
    )) {
        check_reads(|tree| assert!(root_at(tree, size).is_ok()));
        check_reads(|tree| drop(inclusion_proof(tree, index, size).unwrap()));
        check_reads(|tree| drop(consistency_proof(tree, index + 1, size).unwrap()));
    }

    #[test]
    fn a_mutated_inclusion_proof_never_verifies((size, index) in (1..1_100_u64).prop_flat_map(|size|
        (Just(size), 0..size)
    ), other in any::<u64>()) {
        let root = root_at(&*TREE, size).unwrap();
        let proof = inclusion_proof(&*TREE, index, size).unwrap();
        for mutation in mutations(&proof) {
            prop_assert!(verify_inclusion(&leaf(index), index, size, &root, &mutation).is_err());
        }
        for other in (0..size).chain([other, u64::MAX]).filter(|other| *other != index) {
            prop_assert!(verify_inclusion(&leaf(index), other, size, &root, &proof).is_err());
        }
        prop_assert!(verify_inclusion(&leaf(size), index, size, &root, &proof).is_err());
        prop_assert!(verify_inclusion(&leaf(index), index, size, &leaf(index + 1), &proof).is_err());
    }

    #[test]
    fn a_mutated_consistency_proof_never_verifies((new, old) in (1..1_100_u64).prop_flat_map(|new|
        (Just(new), 1..=new)
    )) {
        let (old_root, new_root) = (root_at(&*TREE, old).unwrap(), root_at(&*TREE, new).unwrap());
        let proof = consistency_proof(&*TREE, old, new).unwrap();
        for mutation in mutations(&proof) {
            prop_assert!(verify_consistency(old, &old_root, new, &new_root, &mutation).is_err());
        }
        prop_assert!(verify_consistency(old, &empty_root(), new, &new_root, &proof).is_err());
        prop_assert!(verify_consistency(old, &old_root, new, &empty_root(), &proof).is_err());
    }

    #[test]
    fn hostile_sizes_end_in_a_verdict(
        sizes in any::<(u64, u64)>(), count in 0..70_usize, top in any::<bool>(),
    ) {
        let (index, size) = if top { (u64::MAX - sizes.0 % 3, u64::MAX - sizes.1 % 3) } else { sizes };
        let proof = vec![leaf(0); count];
        let _ = verify_inclusion(&leaf(0), index, size, &leaf(1), &proof);
        prop_assert!(verify_consistency(index, &leaf(1), size, &leaf(2), &proof).is_err());
    }
}
