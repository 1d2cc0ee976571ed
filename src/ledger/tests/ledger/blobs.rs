//! Large values: kept under a random id, named by a disclosed hash.

use blotter_ledger::{BlobRef, Error, Ledger, Prepared};
use blotter_record::limits::BLOB_BYTES_MAX;
use blotter_tests::World;

const ID: &str = "abcdefghijklmnopqrstuvwxyz";
const OTHER: &str = "zyxwvutsrqponmlkjihgfedcba";

type Blobs = Vec<(String, Vec<u8>)>;

fn prepare(world: &World, ledger: &Ledger, value: &str, blobs: Blobs) -> Result<Prepared, Error> {
    let text = world.comment("analyst", "incident/I-1", value).text(ledger);
    ledger.prepare(&text, blobs)
}

fn blob(id: &str, bytes: &[u8]) -> Blobs {
    vec![(id.to_owned(), bytes.to_vec())]
}

#[test]
fn a_blob_is_kept_with_the_statement_that_names_it() {
    let world = World::new();
    let ledger = world.open();
    let value = BlobRef::value(ID, b"a report");
    ledger.append(prepare(&world, &ledger, &value, blob(ID, b"a report")).unwrap()).unwrap();
    assert_eq!(ledger.read(|store| Ok(store.blob(ID)?)).unwrap().as_deref(), Some(&b"a report"[..]));
}

#[test]
fn blob_and_value_match_one_to_one_or_nothing_is_taken() {
    let world = World::new();
    let ledger = world.open();
    let value = BlobRef::value(ID, b"a report");
    let check = |what: &str, value: &str, blobs: Blobs| match prepare(&world, &ledger, value, blobs) {
        Err(Error::Malformed(_)) => {}
        other => panic!("{what}: {other:?}"),
    };
    check("missing", &value, Vec::new());
    check("another id", &value, blob(OTHER, b"a report"));
    check("other bytes", &value, blob(ID, b"a rep0rt"));
    check("another size", &value, blob(ID, b"a report "));
    check("named by nothing", "just words", blob(ID, b"a report"));
    check("one too many", &value, [blob(ID, b"a report"), blob(OTHER, b"x")].concat());
    check("twice", &value, [blob(ID, b"a report"), blob(ID, b"a report")].concat());
}

#[test]
fn a_taken_blob_id_is_refused_and_the_writer_lives() {
    let world = World::new();
    let ledger = world.open();
    let first = prepare(&world, &ledger, &BlobRef::value(ID, b"first"), blob(ID, b"first")).unwrap();
    let second = prepare(&world, &ledger, &BlobRef::value(ID, b"second"), blob(ID, b"second")).unwrap();
    let third = prepare(&world, &ledger, &BlobRef::value(ID, b"first"), blob(ID, b"first")).unwrap();
    let in_one_list = ledger.append_list(vec![first.clone(), second.clone()]).unwrap();
    assert!(
        in_one_list.iter().all(|answer| matches!(answer, Err(Error::Refused(_) | Error::ListRefused { .. }))),
        "{in_one_list:?}"
    );
    ledger.append(first).unwrap();
    for taken in [second, third] {
        let answer = ledger.append(taken);
        assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    }
    assert_eq!(ledger.poisoned(), None);
    assert_eq!(ledger.read(|store| Ok(store.blob(ID)?)).unwrap().as_deref(), Some(&b"first"[..]));
    drop(ledger);
    world.check();
}

#[test]
fn a_blob_has_at_most_so_many_bytes() {
    let world = World::new();
    let ledger = world.open();
    let mut bytes = vec![b'x'; BLOB_BYTES_MAX + 1];
    let too_large = prepare(&world, &ledger, &BlobRef::value(ID, &bytes), blob(ID, &bytes));
    assert!(matches!(too_large, Err(Error::Malformed(_))));
    bytes.pop();
    let fits = prepare(&world, &ledger, &BlobRef::value(ID, &bytes), blob(ID, &bytes)).unwrap();
    ledger.append(fits).unwrap();
}

#[test]
fn what_only_looks_like_a_reference_is_a_value() {
    let hash = blotter_record::Hash::of(b"x").to_hex();
    let good = format!("blob:{hash}:1:{ID}");
    assert!(BlobRef::read(&good.as_str().into()).is_some());
    for text in [
        format!("blob:{hash}:01:{ID}"),
        format!("blob:{hash}:+1:{ID}"),
        format!("blob:{hash}:-1:{ID}"),
        format!("blob:{hash}::{ID}"),
        format!("blob:{hash}:99999999999999999999999:{ID}"),
        format!("blob:{}:1:{ID}", hash.to_uppercase()),
        format!("blob:{hash}:1:{}", &ID[1..]),
        format!("blob:{hash}:1:{}", ID.to_uppercase()),
        format!("{good}:"),
        "blob:".to_owned(),
    ] {
        assert_eq!(BlobRef::read(&text.as_str().into()), None, "{text}");
    }
}

#[test]
fn an_erased_reference_takes_its_blob_along() {
    let world = World::new();
    let ledger = world.open();
    let value = BlobRef::value(ID, b"a photograph");
    let saying = world.comment("analyst", "incident/I-1", &value);
    let jti = saying.id();
    let text = saying.text(&ledger);
    let digest = blotter_record::Presentation::parse(&text).unwrap().disclosures[0].digest();
    ledger.append(ledger.prepare(&text, blob(ID, b"a photograph")).unwrap()).unwrap();
    crate::rotation::erase(&world, &ledger, &crate::erasure::item(jti, "text", &digest));
    assert_eq!(ledger.read(|store| Ok(store.blob(ID)?)).unwrap(), None);
    let again = ledger.append(ledger.prepare(&text, blob(ID, b"a photograph")).unwrap()).unwrap();
    assert!(again.repeated);
    assert_eq!(ledger.read(|store| Ok(store.blob(ID)?)).unwrap(), None, "a retry brings nothing back");
}
