//! Every limit of the write path, on both sides. Those of single words have theirs beside the parsers.

use blotter_ledger::Error;
use blotter_record::limits::{
    ABOUT_LEN_MAX, DISCLOSURE_BYTES_MAX, DISCLOSURES_MAX, PRESENTATION_BYTES_MAX, STATEMENT_BYTES_MAX,
};
use blotter_record::{Statement, base64url};
use blotter_tests::World;

/// A JWS of exactly `bytes` bytes, padded with white space in its payload.
fn padded(world: &World, text: &str, bytes: usize) -> String {
    let jws = text.strip_suffix('~').unwrap();
    let mut parts = jws.split('.');
    let (header, payload) = (parts.next().unwrap(), base64url::decode(parts.next().unwrap()).unwrap());
    for pad in 0..4 {
        let room = bytes - header.len() - 88 - pad;
        let mut payload = payload.clone();
        payload.resize(room * 3 / 4, b' ');
        // White space in the header makes up for what base64 can't give byte by byte.
        let mut header = base64url::decode(header).unwrap();
        header.resize(header.len() + pad, b' ');
        let input = format!("{}.{}", base64url::encode(&header), base64url::encode(&payload));
        let made = format!("{input}.{}", base64url::encode(&world.key("siem").sign(input.as_bytes())));
        if made.len() == bytes {
            return format!("{made}~");
        }
    }
    panic!("no JWS of {bytes} bytes could be made");
}

#[test]
fn a_statement_has_at_most_so_many_bytes_and_then_still_fits_into_its_entry() {
    let world = World::new();
    let ledger = world.open();
    // The longest names in the most streams, so that the entry around it is as large as it gets.
    let name = "n".repeat(64);
    let mut saying = world.say("siem", "x.big", &format!("compliance/{name}"));
    for n in 0..ABOUT_LEN_MAX {
        saying = saying.about(&format!("compliance/{n}{}", &name[1..]));
    }
    let text = saying.text(&ledger);
    let fits = padded(&world, &text, STATEMENT_BYTES_MAX);
    ledger.append(ledger.prepare(&fits, Vec::new()).unwrap()).unwrap();
    let too_long = Statement::parse(&format!("{}x", fits.strip_suffix('~').unwrap())).unwrap_err();
    assert_eq!(too_long.at, "the JWS");
    drop(ledger);
    world.check();
}

#[test]
fn a_statement_concerns_at_most_so_many_streams() {
    let world = World::new();
    let ledger = world.open();
    let about = |count: usize| {
        let start = world.comment("siem", "incident/I-0", "much at once");
        (1..=count).fold(start, |saying, n| saying.about(&format!("incident/I-{n}")))
    };
    about(ABOUT_LEN_MAX).append(&ledger).unwrap();
    let too_many = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| about(ABOUT_LEN_MAX + 1).text(&ledger)));
    assert!(too_many.is_err(), "it can't even be built");
    drop(ledger);
    world.check();
}

#[test]
fn a_statement_discloses_at_most_so_many_values() {
    let world = World::new();
    let ledger = world.open();
    let many = |count: usize| {
        let start = world.say("siem", "x.many", "incident/I-1");
        (0..count).fold(start, |saying, n| saying.data(&format!("v{n}"), n as i64))
    };
    let seq = many(DISCLOSURES_MAX).append(&ledger).unwrap().seq;
    many(DISCLOSURES_MAX).append(&ledger).unwrap();
    let count = |seq| ledger.read(|store| Ok(store.disclosures(seq)?.len())).unwrap();
    assert_eq!(
        (count(seq), count(seq + 1)),
        (DISCLOSURES_MAX, DISCLOSURES_MAX),
        "neighbours don't run into each other"
    );
    let too_many = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| many(DISCLOSURES_MAX + 1).text(&ledger)));
    assert!(too_many.is_err(), "it can't even be built");
}

#[test]
fn a_value_and_a_presentation_have_at_most_so_many_bytes() {
    let world = World::new();
    let ledger = world.open();
    let letters = |bytes: usize| "a".repeat(bytes);
    // [salt of 22 letters, "text", value] as base64: 4/3 of the value and a little.
    let overhead = r#"["","text",""]"#.len() + 22;
    let at_the_limit = DISCLOSURE_BYTES_MAX * 3 / 4 - overhead;
    world.comment("siem", "incident/I-1", &letters(at_the_limit)).append(&ledger).unwrap();
    let build = |bytes: usize| {
        let disclosure = format!(r#"["{}","text","{}"]"#, base64url::encode(&[1; 16]), letters(bytes));
        blotter_record::Disclosure::parse(&base64url::encode(disclosure.as_bytes()))
    };
    assert!(build(at_the_limit).is_ok());
    assert!(build(at_the_limit + 1).is_err());

    let start = world.say("siem", "x.much", "incident/I-1");
    let much = (0..18).fold(start, |saying, n| saying.data(&format!("v{n}"), letters(46_000)));
    let text = much.text(&ledger);
    assert!(text.len() > PRESENTATION_BYTES_MAX);
    assert!(matches!(ledger.prepare(&text, Vec::new()), Err(Error::Malformed(why)) if why.at == "the presentation"));
    let start = world.say("siem", "x.much", "incident/I-1");
    let much = (0..17).fold(start, |saying, n| saying.data(&format!("v{n}"), letters(46_000)));
    much.append(&ledger).unwrap();
}

#[test]
fn a_statement_must_come_whole() {
    let world = World::new();
    let ledger = world.open();
    let text = world.opened("analyst", "incident/I-1").text(&ledger);
    let (jws, disclosures) = text.split_once('~').unwrap();
    let withheld = ledger.prepare(&format!("{jws}~"), Vec::new());
    assert!(matches!(withheld, Err(Error::Malformed(why)) if why.at == "data.title"));
    for bad in
        [jws.to_owned(), format!("{text}{disclosures}"), format!("{jws}~{disclosures}~"), String::new(), "~".into()]
    {
        assert!(matches!(ledger.prepare(&bad, Vec::new()), Err(Error::Malformed(_))), "{bad}");
    }
}
