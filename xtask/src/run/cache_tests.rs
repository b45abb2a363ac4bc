// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::plan::key::KeyBuilder;

fn stored() -> (tempfile::TempDir, Cache, Key, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path().join("cache")).unwrap();
    let made = cache.temporary().unwrap();
    fs::create_dir(made.path().join("sub")).unwrap();
    fs::write(made.path().join("sub/vmlinux"), "kernel").unwrap();
    let key = KeyBuilder::new("test").finish();
    let path = cache.store(Kind::Kernel, &key, made).unwrap();
    (root, cache, key, path)
}

#[test]
fn a_stored_object_is_found_whole() {
    let (_root, cache, key, path) = stored();
    assert_eq!(cache.find(Kind::Kernel, &key).unwrap(), Found::Whole(path));
    assert_eq!(cache.find(Kind::Image, &key).unwrap(), Found::Nothing);
}

#[test]
fn a_damaged_object_is_removed_and_said() {
    let damages: [&dyn Fn(&Path); 4] = [
        &|path| fs::write(path.join("sub/vmlinux"), "kernal").unwrap(),
        &|path| fs::remove_file(path.join("sub/vmlinux")).unwrap(),
        &|path| fs::write(path.join("extra"), "").unwrap(),
        &|path| fs::write(path.join(DIGESTS), "{").unwrap(),
    ];
    for damage in damages {
        let (_root, cache, key, path) = stored();
        damage(&path);
        assert!(matches!(cache.find(Kind::Kernel, &key).unwrap(), Found::Damaged(_)));
        assert_eq!(cache.find(Kind::Kernel, &key).unwrap(), Found::Nothing);
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_an_answer_is_seen() {
    let (_root, cache, key, _) = stored();
    let wanted = vec!["pass".to_owned(), "5".to_owned()];
    cache.keep_answer(&key, &wanted).unwrap();
    assert_eq!(cache.answer(&key), Some(wanted.clone()));
    let path = cache.answer_file(&key);
    let whole = fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &damaged).unwrap();
        // Blanks between words may differ.
        let same = cache.find_answer::<Vec<String>>(&key);
        assert!(same.is_err() || same == Ok(Some(wanted.clone())), "bit {bit}");
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(cache.find_answer::<Vec<String>>(&key).is_err(), "{length}");
        assert!(!path.exists(), "it is removed");
    }
    assert_eq!(cache.find_answer::<Vec<String>>(&key), Ok(None));
}

#[test]
fn storing_twice_keeps_one() {
    let (_root, cache, key, path) = stored();
    let again = cache.temporary().unwrap();
    fs::create_dir(again.path().join("sub")).unwrap();
    fs::write(again.path().join("sub/vmlinux"), "kernel").unwrap();
    assert_eq!(cache.store(Kind::Kernel, &key, again).unwrap(), path);
}
