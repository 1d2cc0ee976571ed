//! Alerts of every format, from samples of our own in the shape that each format's documentation gives. The judge of
//! facts and data is the record's own reader: it refuses what the vocabulary doesn't allow.

use blotter_exchange::alerts::{Alert, Format, Mapping, read};
use blotter_exchange::{
    DEPTH_MAX, DESCRIPTION_BYTES_MAX, DOCUMENT_BYTES_MAX, ForeignError, ID_BYTES_MAX, PARTS_MAX, RAW_BYTES_MAX,
    VALUE_BYTES_MAX,
};
use blotter_record::{Attribution, Draft, Hash, Json, Precision, Via};
use proptest::prelude::*;

type Read = Vec<Result<Alert, ForeignError>>;

const SURICATA: &str = include_str!("../mappings/suricata.toml");

fn take(format: Format, text: &str) -> Read {
    read(format, None, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn one(format: Format, text: &str) -> Result<Alert, ForeignError> {
    let mut alerts = take(format, text);
    assert_eq!(alerts.len(), 1);
    alerts.remove(0)
}

fn data<'a>(alert: &'a Alert, name: &str) -> Option<&'a Json> {
    alert.data.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

fn text<'a>(alert: &'a Alert, name: &str) -> &'a str {
    data(alert, name).and_then(Json::as_text).unwrap_or_else(|| panic!("no {name}: {alert:?}"))
}

/// An alert in lines, without what is made from all of it.
fn told(alert: &Alert) -> String {
    let Alert { observed_at, severity, severity_source, techniques, .. } = alert;
    let facts = format!("{observed_at} {severity} {severity_source} {}", techniques.join(" "));
    let mut lines = vec![facts.trim_end().to_owned()];
    for (name, value) in &alert.data {
        if !matches!(name.as_str(), "raw" | "raw_sha256" | "fingerprint") {
            lines.push(format!("{name} {}", value.as_text().map_or_else(|| value.to_text(), str::to_owned)));
        }
    }
    lines.join("\n")
}

/// What the server will make of it; refused if the vocabulary doesn't allow it.
fn build(alert: &Alert) {
    let codes = |texts: &[String]| Json::List(texts.iter().map(|text| text.as_str().into()).collect());
    let draft = Draft {
        iss: "notary/N1".parse().expect("a notary"),
        attributed: Some(Attribution {
            actor: "service/s1".parse().expect("an actor"),
            auth: "token/T1".parse().expect("a token"),
        }),
        aud: format!("example.org/soc#{}", Hash::of(b"genesis")),
        jti: "01976543-0000-7000-8000-000000000001".parse().expect("a jti"),
        iat: 1_795_431_240,
        sub: "alert/A1".parse().expect("a stream"),
        about: Vec::new(),
        event: "alert.received".into(),
        occurred: Some(alert.observed_at.clone()),
        precision: Precision::Second,
        seen: None,
        cause: Vec::new(),
        corrects: Vec::new(),
        via: Via::Api,
        facts: vec![
            ("source".into(), "source/s1".into()),
            ("severity".into(), alert.severity.into()),
            ("severity_source".into(), alert.severity_source.as_str().into()),
            ("techniques".into(), codes(&alert.techniques)),
            ("observed_at".into(), alert.observed_at.as_str().into()),
            ("received_at".into(), "2026-11-23T11:00:00Z".into()),
        ],
        data: alert.data.clone(),
    };
    let mut salt = 0_u128;
    let built = draft.build(&Hash::of(b"key"), || {
        salt += 1;
        salt.to_be_bytes()
    });
    built.unwrap_or_else(|error| panic!("{error}: {alert:?}"));
}

fn check(alert: &Result<Alert, ForeignError>, expect: &str) {
    let alert = alert.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<_> = expect.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(told(alert), lines.join("\n"));
    build(alert);
}

#[test]
fn a_sample_of_each_format_is_mapped_field_by_field() {
    check(
        &one(Format::Ocsf, include_str!("alerts/ocsf.json")),
        "2026-11-23T10:54:00.178000Z 4 ocsf:4 T1003.001 T1078
         title LSASS memory read by an unsigned program
         description An unsigned program opened the memory of lsass.exe for reading.
         source_ref wt-2026-118204
         rule WT-CRED-014
         host dc-01.city.example
         user svc-backup
         observables [\"ip:10.1.0.5\",\"hash:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\"process:dump.exe\",\"host:ws-114\"]",
    );
    check(
        &one(Format::Thehive, include_str!("alerts/thehive.json")),
        "2026-11-23T10:54:00.178000Z 4 thehive:3 T1566.001
         title Mail with a macro document to Finance
         description Three recipients, one opened it.
         source_ref phishing/mail~1gateway/q-77812
         host ws-fin-07
         observables [\"email:invoice@example.net\",\"email:billing@example.net\",\"hash:44d88612fea8a8f36de82e1278abb02f\",\"domain:cdn.example.net\",\"other:inv-[0-9]+\"]",
    );
    check(
        &one(Format::Wazuh, include_str!("alerts/wazuh.json")),
        "2026-11-23T11:54:00.123+01:00 4 wazuh:12 T1110 T1021.004
         title sshd: brute force trying to get access to the system.
         description Nov 23 11:54:00 fs-parks-02 sshd[811]: Failed password for root from 198.51.100.77 port 40122 ssh2
         source_ref wazuh-1/1795431240.5938271
         rule 5763
         host fs-parks-02
         user root
         observables [\"ip:198.51.100.77\"]",
    );
    check(
        &one(Format::Elastic, include_str!("alerts/elastic.json")),
        r#"2026-11-23T10:54:00.178Z 5 elastic:critical T1490 T1059.003
         title Shadow copies deleted
         description process event with process vssadmin.exe on ws-114 created critical alert.
         source_ref 5c1f0a77e2d84b7f
         rule local-shadow-copies
         host ws-114
         user dana
         observables ["process:C:\\Windows\\System32\\vssadmin.exe","hash:0f0e0d","command:vssadmin delete shadows /all /quiet"]"#,
    );
    check(
        &one(Format::Splunk, include_str!("alerts/splunk.json")),
        "2026-11-23T10:53:41.500000Z 3 splunk:medium T1110 T1078
         title Many failed logons, then one that worked
         source_ref scheduler__admin__search__RMD5a1b2c3d4_at_1795431240_178/ce4a36dc8a3622f27dc43a23cd55be10
         rule Many failed logons, then one that worked
         host ws-fin-07
         user dana
         observables [\"ip:198.51.100.77\"]",
    );
    let alerts = take(Format::Graph, include_str!("alerts/graph.json"));
    check(
        &alerts[0],
        r#"2026-11-23T10:54:00.721130Z 4 graph:high T1564.001 T1204
         title Hidden file was run
         description A program that hides itself was started from a share.
         source_ref da637551227677560813_-961444813
         rule e0da400f-0000-4000-8000-000000000001
         host ws-fin-07.city.example
         user dana@city.example
         observables ["command:\"run.exe\" --quiet","file:run.exe","hash:a4752c71d81afd3d","hash:5f1e8acdb0fa4e3b","ip:198.51.100.77"]"#,
    );
    assert_eq!(alerts[1].as_ref().expect_err("no time").at, "/value/1/createdDateTime");
    let alerts = take(Format::Cloudevents, include_str!("alerts/cloudevents.json"));
    check(
        &alerts[0],
        "2026-11-23T11:54:00.25+01:00 4 cloudevents:high
         title host/ws-114
         source_ref https://detector.example/north A-4711
         rule example.detection.created",
    );
    check(
        &alerts[1],
        "2026-11-23T11:54:01Z 0 cloudevents:data-7
         title example.detection.created
         source_ref /detector/south A-4712
         rule example.detection.created",
    );
    assert_eq!(alerts[2].as_ref().expect_err("no time").at, "/2/time");
}

#[test]
fn every_format_has_one_word_for_it() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert!("OCSF".parse::<Format>().is_err());
    assert!("syslog\n".parse::<Format>().expect_err("no format").to_string().contains("\"syslog\\n\""));
}

#[test]
fn the_original_is_kept_to_the_byte_and_is_of_this_one_alert() {
    let lines = "  {\"specversion\":\"1.0\",\n \"id\":\"1\",  \"source\":\"/a\",\"type\":\"t\",\"time\":\"2026-11-23T11:54:01Z\",\"data\":{\"n\":1.50e1}}  \n";
    let list = format!("[ {lines} ,{lines}]");
    for text in [lines.to_owned(), lines.repeat(2), list] {
        for alert in take(Format::Cloudevents, &text) {
            let alert = alert.expect("an alert");
            assert_eq!(crate::text(&alert, "raw"), lines.trim());
            assert_eq!(crate::text(&alert, "raw_sha256"), Hash::of(lines.trim().as_bytes()).to_hex());
        }
    }
}

/// One member of a good alert of the format put in, changed or taken out (null).
fn with(format: Format, pointer: &str, value: &str) -> Result<Alert, ForeignError> {
    let text = match format {
        Format::Ocsf => include_str!("alerts/ocsf.json"),
        Format::Thehive => include_str!("alerts/thehive.json"),
        Format::Wazuh => include_str!("alerts/wazuh.json"),
        Format::Elastic => include_str!("alerts/elastic.json"),
        Format::Splunk => include_str!("alerts/splunk.json"),
        Format::Graph => include_str!("alerts/graph.json"),
        Format::Cloudevents => include_str!("alerts/cloudevents.json"),
    };
    let mut document: serde_json::Value = serde_json::from_str(text).expect("a sample");
    match format {
        Format::Graph => document = document["value"][0].take(),
        Format::Cloudevents => document = document[0].take(),
        _ => {}
    }
    let (parent, name) = pointer.rsplit_once('/').expect("a member");
    let value = serde_json::from_str(value).expect("JSON");
    document.pointer_mut(parent).expect("a place")[name.replace("~1", "/")] = value;
    one(format, &document.to_string())
}

#[test]
fn a_severity_is_ours_beside_that_of_the_source() {
    use Format::*;
    for (format, place, value, expect) in [
        (Ocsf, "/severity_id", "0", Ok("0 ocsf:0")),
        (Ocsf, "/severity_id", "1", Ok("1 ocsf:1")),
        (Ocsf, "/severity_id", "5", Ok("5 ocsf:5")),
        (Ocsf, "/severity_id", "6", Ok("5 ocsf:6")),
        (Ocsf, "/severity_id", "99", Ok("0 ocsf:99")),
        (Ocsf, "/severity_id", "null", Ok("0 ocsf:none")),
        (Ocsf, "/severity_id", "7", Err("0 to 6 or 99")),
        (Ocsf, "/severity_id", "\"4\"", Err("an integer is wanted, not a string")),
        (Ocsf, "/severity_id", "4.0", Err("an integer is wanted")),
        (Thehive, "/severity", "1", Ok("2 thehive:1")),
        (Thehive, "/severity", "4", Ok("5 thehive:4")),
        (Thehive, "/severity", "0", Err("1 to 4")),
        (Thehive, "/severity", "5", Err("1 to 4")),
        (Thehive, "/severity", "null", Ok("0 thehive:none")),
        (Wazuh, "/rule/level", "0", Ok("2 wazuh:0")),
        (Wazuh, "/rule/level", "6", Ok("2 wazuh:6")),
        (Wazuh, "/rule/level", "7", Ok("3 wazuh:7")),
        (Wazuh, "/rule/level", "11", Ok("3 wazuh:11")),
        (Wazuh, "/rule/level", "14", Ok("4 wazuh:14")),
        (Wazuh, "/rule/level", "15", Ok("5 wazuh:15")),
        (Wazuh, "/rule/level", "16", Ok("5 wazuh:16")),
        (Wazuh, "/rule/level", "17", Err("0 to 16")),
        (Wazuh, "/rule/level", "-1", Err("0 to 16")),
        (Wazuh, "/rule/level", "null", Err("not there")),
        (Elastic, "/_source/kibana.alert.severity", "\"low\"", Ok("2 elastic:low")),
        (Elastic, "/_source/kibana.alert.severity", "\"mine, Ana's\"", Ok("0 elastic:other")),
        (Elastic, "/_source/kibana.alert.severity", "null", Ok("5 elastic:score-99")),
        (Splunk, "/result/severity", "\"Informational\"", Ok("1 splunk:informational")),
        (Splunk, "/result/severity", "[\"high\",\"low\"]", Ok("4 splunk:high")),
        (Splunk, "/result/severity", "7", Ok("0 splunk:other")),
        (Splunk, "/result/severity", "null", Ok("0 splunk:none")),
        (Graph, "/severity", "\"unknown\"", Ok("0 graph:unknown")),
        (Graph, "/severity", "\"informational\"", Ok("1 graph:informational")),
        (Graph, "/severity", "\"unknownFutureValue\"", Ok("0 graph:other")),
        (Graph, "/severity", "null", Ok("0 graph:none")),
        (Graph, "/severity", "3", Err("a string is wanted")),
        (Cloudevents, "/severity", "5", Ok("5 cloudevents:5")),
        (Cloudevents, "/severity", "6", Ok("0 cloudevents:other")),
        (Cloudevents, "/severity", "null", Ok("0 cloudevents:none")),
    ] {
        let read = with(format, place, value);
        match (&read, expect) {
            (Ok(alert), Ok(expect)) => {
                assert_eq!(format!("{} {}", alert.severity, alert.severity_source), expect, "{format} {value}");
                build(alert);
            }
            (Err(error), Err(part)) => {
                assert!(error.at == place && error.what.contains(part), "{format} {value}: {error}");
            }
            _ => panic!("{format} {value}: {read:?}, not {expect:?}"),
        }
    }
}

#[test]
fn elastic_scores_fall_into_the_bands_of_its_own_rules() {
    for (score, expect) in
        [("0", 2), ("21", 2), ("22", 3), ("47.9", 3), ("48", 4), ("73", 4), ("74", 5), ("100", 5), ("5e-324", 2)]
    {
        let alert = one(
            Format::Elastic,
            &format!(r#"{{"@timestamp":"2026-11-23T10:54:00Z","_id":"1","kibana.alert.risk_score":{score}}}"#),
        )
        .expect("an alert");
        build(&alert);
        assert_eq!((alert.severity, alert.severity_source), (expect, format!("elastic:score-{score}")));
    }
}

#[test]
fn what_an_alert_cannot_do_without_is_named_when_it_is_not_there() {
    use Format::*;
    for (format, place, value, expect) in [
        (Ocsf, "/finding_info/uid", "null", "not there"),
        (Ocsf, "/finding_info/uid", "\"\"", "not there"),
        (Ocsf, "/finding_info/uid", "17", "a string is wanted, not an integer"),
        (Ocsf, "/time", "null", "not there"),
        (Ocsf, "/time", "\"2026-11-23T10:54:00Z\"", "an integer is wanted"),
        (Ocsf, "/time", "9223372036854775807", "not within the years"),
        (Ocsf, "/class_uid", "2001", "2004 (Detection Finding) is wanted, not 2001"),
        (Ocsf, "/class_uid", "null", "not there"),
        (Thehive, "/sourceRef", "null", "not there"),
        (Thehive, "/type", "null", "not there"),
        (Thehive, "/date", "\"today\"", "an integer is wanted"),
        (Wazuh, "/id", "null", "not there"),
        (Wazuh, "/timestamp", "null", "not there"),
        (Wazuh, "/timestamp", "\"2026-11-23T11:54:00\"", "not a time with an offset"),
        (Wazuh, "/timestamp", "\"2026-11-23T11:54:60Z\"", "not a time with an offset"),
        (Wazuh, "/rule", "[]", "not there"),
        (Elastic, "/_source/kibana.alert.start", "7", "a string is wanted"),
        (Splunk, "/sid", "null", "not there"),
        (Splunk, "/result/_time", "\"yesterday\"", "not a time with an offset"),
        (Splunk, "/result", "[]", "an object is wanted, not a list"),
        (Graph, "/id", "null", "not there"),
        (Graph, "/createdDateTime", "null", "not there"),
        (Cloudevents, "/id", "null", "not there"),
        (Cloudevents, "/source", "null", "not there"),
        (Cloudevents, "/source", "\"a b\"", "no blanks"),
        (Cloudevents, "/type", "{}", "a string is wanted, not an object"),
        (Cloudevents, "/time", "null", "not there"),
        (Cloudevents, "/specversion", "\"0.3\"", "1.0 is wanted"),
    ] {
        let error = with(format, place, value).expect_err(place);
        let at = if place == "/rule" { "/rule/level" } else { place };
        assert!(error.at == at && error.what.contains(expect), "{format} {place} {value}: {error}");
    }
    let error = one(Format::Elastic, r#"{"@timestamp":"2026-11-23T10:54:00Z"}"#).expect_err("no id");
    assert_eq!(error.at, "/kibana.alert.uuid");
}

#[test]
fn a_time_or_id_in_a_second_place_is_taken_where_the_format_has_one() {
    let at = |alert: Result<Alert, ForeignError>| alert.expect("an alert").observed_at.as_str().to_owned();
    assert_eq!(at(with(Format::Thehive, "/date", "null")), "2026-11-23T10:55:01.000000Z");
    assert_eq!(at(with(Format::Elastic, "/_source/kibana.alert.start", "null")), "2026-11-23T10:59:12.004Z");
    assert_eq!(at(with(Format::Splunk, "/result/_time", "null")), "2026-11-23T10:54:00.000000Z");
    assert_eq!(
        at(with(Format::Splunk, "/result/_time", "\"2026-11-23T11:54:00.000+01:00\"")),
        "2026-11-23T11:54:00.000+01:00"
    );
    let by_hand = r#"{"sid":"1795431240.178","search_name":null,"result":{}}"#;
    assert_eq!(at(one(Format::Splunk, by_hand)), "2026-11-23T10:54:00.178000Z");
    let id = |alert: Result<Alert, ForeignError>| alert.expect("an alert").source_ref;
    assert_eq!(id(with(Format::Elastic, "/_source/kibana.alert.uuid", "null")), "5c1f0a77e2");
    assert_eq!(id(with(Format::Wazuh, "/manager", "null")), "1795431240.5938271");
}

#[test]
fn a_repeat_has_the_same_id_and_another_alert_another() {
    let id = |text: &str| one(Format::Splunk, text).expect("an alert").source_ref;
    let row = |row: &str| format!(r#"{{"sid":"1795431240.1","result":{row}}}"#);
    assert_eq!(id(&row(r#"{"a":"1","b":["x","y"]}"#)), id(&row(r#"{ "b" : ["x", "y"], "a":"\u0031" }"#)));
    let rows = [r#"{"a":"1"}"#, r#"{"a":1}"#, r#"{"a":["1"]}"#, r#"{"a":"1","b":""}"#, r#"{"b":"1"}"#, "{}", "null"];
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|text| id(&row(text))).collect();
    assert_eq!(ids.len(), rows.len());

    let hive = |kind: &str, source: &str| {
        let text = format!(r#"{{"type":"{kind}","source":"{source}","sourceRef":"1","date":0}}"#);
        one(Format::Thehive, &text).expect("an alert").source_ref
    };
    assert_ne!(hive("a/b", "c"), hive("a", "b/c"));
    assert_ne!(hive("a~1b", "c"), hive("a/b", "c"));
}

#[test]
fn a_message_of_thehive_s_webhook_is_about_its_object() {
    let alert = r#"{"type":"t","source":"s","sourceRef":"r","date":0,"title":"x"}"#;
    let message = |kind: &str| format!(r#"{{"operation":"create","objectType":"{kind}","object":{alert}}}"#);
    assert_eq!(one(Format::Thehive, &message("Alert")).expect("an alert").source_ref, "t/s/r");
    assert_eq!(one(Format::Thehive, &message("Case")).expect_err("a case").at, "/objectType");
    let broken = message("alert").replace("\"date\":0", "\"date\":\"0\"");
    assert_eq!(one(Format::Thehive, &broken).expect_err("a date").at, "/object/date");
}

#[test]
fn elastic_documents_are_read_bare_or_as_hits_nested_or_dotted() {
    let bare = r#"{"@timestamp":"2026-11-23T10:54:00Z","event":{"id":"e-1","severity":47},"rule":{"id":"r","name":"n"},
        "threat":{"technique":{"id":["T1110"],"subtechnique":{"id":["T1110.003"]}}},"host.name":"h","source":{"ip":["10.0.0.1","10.0.0.2"]}}"#;
    let fields = r#"{"hits":{"total":{"value":1},"hits":[{"_id":"x","fields":{"@timestamp":["2026-11-23T10:54:00Z"],"host.name":["h"]}}]}}"#;
    check(
        &one(Format::Elastic, bare),
        "2026-11-23T10:54:00Z 0 elastic:event-47 T1110.003 T1110
         title n
         source_ref e-1
         rule r
         host h
         observables [\"ip:10.0.0.1\",\"ip:10.0.0.2\"]",
    );
    check(&take(Format::Elastic, fields)[0], "2026-11-23T10:54:00Z 0 elastic:none\nsource_ref x\nhost h");
}

#[test]
fn a_cloud_event_is_what_its_content_type_says() {
    let event = r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-11-23T11:54:01Z"}"#;
    let list = format!("[{event},{event}]");
    let count = |content_type: Option<&str>, text: &str| {
        read(Format::Cloudevents, content_type, text.as_bytes()).map(|alerts| alerts.len()).map_err(|e| e.what)
    };
    assert_eq!(count(Some("application/cloudevents+json; charset=utf-8"), event), Ok(1));
    assert_eq!(count(Some("application/cloudevents-batch+json"), &list), Ok(2));
    assert_eq!(count(Some("Application/CloudEvents-Batch+JSON"), "[]"), Ok(0));
    assert_eq!(count(Some("application/json"), &list), Ok(2));
    assert_eq!(count(None, &format!("{event}\n{event}")), Ok(2));
    assert!(count(Some("application/cloudevents+json"), &list).is_err());
    assert!(count(Some("application/cloudevents-batch+json"), event).is_err());
}

#[test]
fn a_document_that_is_none_is_refused_as_a_whole() {
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"  \n", "empty"),
        (b"alert!", "not JSON"),
        (b"{\"a\":1", "not JSON"),
        (b"{} x", "not JSON"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ] {
        for format in Format::ALL {
            let error = read(format, None, bytes).expect_err("no document");
            assert!(error.at.is_empty() && error.what.contains(part), "{error}");
        }
    }
}

#[test]
fn a_broken_alert_is_refused_alone() {
    let good = r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-11-23T11:54:01Z"}"#;
    let twice = good.replace("\"id\":\"1\"", "\"id\":\"1\",\"\\u0069d\":\"2\"");
    let deep =
        good.replace("\"type\":\"t\"", &format!("\"type\":\"t\",\"data\":{}", "[".repeat(500) + &"]".repeat(500)));
    let huge = good.replace("\"type\":\"t\"", "\"type\":\"t\",\"data\":1e999");
    let alerts = take(Format::Cloudevents, &format!("[{good},{twice},7,[{good}],null,{deep},{huge},{good}]"));
    let told: Vec<_> =
        alerts.iter().map(|alert| alert.as_ref().map_or_else(ToString::to_string, |_| "taken".into())).collect();
    for (told, part) in told.iter().zip([
        "taken",
        "/1: not JSON that can be taken: the member \"id\" twice",
        "/2: an object is wanted, not an integer",
        "/3: an object is wanted, not a list",
        "/4: an object is wanted, not null",
        "/5: not JSON that can be taken: nested more than 64 deep",
        "/6: not JSON that can be taken: number out of range",
        "taken",
    ]) {
        assert!(told.starts_with(part), "{told}, not {part}");
    }
}

fn event(more: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-11-23T11:54:01Z"{more}}}"#)
}

#[test]
fn limits_hold_on_both_sides() {
    let document = |count: usize| format!("[{}]", vec![event(""); count].join(","));
    assert_eq!(take(Format::Cloudevents, &document(PARTS_MAX)).len(), PARTS_MAX);
    assert!(read(Format::Cloudevents, None, document(PARTS_MAX + 1).as_bytes()).is_err());
    assert!(read(Format::Cloudevents, None, vec![event("").as_str(); PARTS_MAX + 1].join("\n").as_bytes()).is_err());

    let padded = |size: usize| format!("{}{}", event(""), " ".repeat(size - event("").len()));
    assert_eq!(take(Format::Cloudevents, &padded(DOCUMENT_BYTES_MAX)).len(), 1);
    assert!(read(Format::Cloudevents, None, padded(DOCUMENT_BYTES_MAX + 1).as_bytes()).is_err());

    let nested = |depth: usize| event(&format!(",\"data\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(one(Format::Cloudevents, &nested(DEPTH_MAX - 1)).is_ok());
    assert!(one(Format::Cloudevents, &nested(DEPTH_MAX)).is_err());

    let id = |len: usize| event("").replace("\"1\"", &format!("\"{}\"", "i".repeat(len)));
    let len = ID_BYTES_MAX - "/a ".len();
    build(&one(Format::Cloudevents, &id(len)).expect("an alert"));
    assert!(one(Format::Cloudevents, &id(len + 1)).expect_err("an id").what.contains("at most 1024"));
}

#[test]
fn a_value_that_is_too_long_is_cut_and_says_so() {
    let wazuh = |title: &str, log: &str| {
        let title = with(Format::Wazuh, "/rule/description", &format!("\"{title}\"")).expect("an alert");
        let log = with(Format::Wazuh, "/full_log", &format!("\"{log}\"")).expect("an alert");
        build(&title);
        build(&log);
        (text(&title, "title").to_owned(), text(&log, "description").to_owned())
    };
    let whole = wazuh(&"t".repeat(VALUE_BYTES_MAX), &"l".repeat(DESCRIPTION_BYTES_MAX));
    assert_eq!((whole.0.len(), whole.1.len()), (VALUE_BYTES_MAX, DESCRIPTION_BYTES_MAX));
    assert!(!whole.0.ends_with("[cut]") && !whole.1.ends_with("[cut]"));
    let cut = wazuh(&"t".repeat(VALUE_BYTES_MAX + 1), &"l".repeat(DESCRIPTION_BYTES_MAX + 1));
    assert_eq!((cut.0.len(), cut.1.len()), (VALUE_BYTES_MAX, DESCRIPTION_BYTES_MAX));
    assert!(cut.0.ends_with(" [cut]") && cut.1.ends_with(" [cut]"));
}

#[test]
fn an_original_that_is_too_large_is_cut_says_so_and_keeps_the_hash_of_the_whole() {
    let with_raw_of = |json_bytes: usize| {
        let quotes = event(",\"data\":\"\"").matches('"').count();
        event(&format!(",\"data\":\"{}\"", "d".repeat(json_bytes - event(",\"data\":\"\"").len() - quotes)))
    };
    let whole = with_raw_of(RAW_BYTES_MAX);
    let alert = one(Format::Cloudevents, &whole).expect("an alert");
    build(&alert);
    assert_eq!(text(&alert, "raw"), whole);

    for larger in [with_raw_of(RAW_BYTES_MAX + 1), event(&format!(",\"data\":\"{}\"", "\\n\\\"é".repeat(200_000)))] {
        let alert = one(Format::Cloudevents, &larger).expect("an alert");
        build(&alert);
        let (kept, mark) = text(&alert, "raw").rsplit_once("\n[cut: ").expect("it says so");
        assert!(larger.starts_with(kept) && kept.len() > RAW_BYTES_MAX / 3);
        assert_eq!(mark, format!("the original has {} bytes; raw_sha256 is of all of them]", larger.len()));
        assert_eq!(text(&alert, "raw_sha256"), Hash::of(larger.as_bytes()).to_hex());
    }
}

#[test]
fn observables_that_are_too_many_say_how_many_are_left_out() {
    let observables = |count: usize, len: usize| {
        let all: Vec<_> = (0..count).map(|n| format!(r#"{{"name":"n","type_id":2,"value":"{n:0len$}"}}"#)).collect();
        let alert = with(Format::Ocsf, "/observables", &format!("[{}]", all.join(","))).expect("an alert");
        build(&alert);
        let Some(Json::List(list)) = data(&alert, "observables") else { panic!("a list") };
        let last = list.last().and_then(Json::as_text).expect("one").to_owned();
        (list.len(), last)
    };
    assert_eq!(observables(255, 4), (256, "host:ws-114".into()));
    assert_eq!(observables(256, 4), (256, "cut:2".into()));
    assert_eq!(observables(1_000, 4), (256, "cut:746".into()));
    let (count, last) = observables(200, 1_000);
    assert_eq!(last, format!("cut:{}", 201 - (count - 1)));
    assert_eq!(observables(1, 5_000), (2, "host:ws-114".into()));
}

#[test]
fn a_hostile_alert_costs_no_more_than_its_size() {
    let wide = |element: &dyn Fn(usize) -> String| {
        let list: Vec<_> = (0..30_000).map(element).collect();
        with(Format::Ocsf, "/observables", &format!("[{}]", list.join(","))).expect("an alert")
    };
    build(&wide(&|n| format!(r#"{{"value":"{n}"}}"#)));
    build(&wide(&|_| "1".into()));
    let long: Vec<_> = (0..30_000).map(|n| format!("\"T{:04}\"", n % 10_000)).collect();
    let alert = with(Format::Graph, "/mitreTechniques", &format!("[{}]", long.join(","))).expect("an alert");
    build(&alert);
    assert_eq!(alert.techniques.len(), 256);
}

#[test]
fn text_that_a_statement_cannot_hold_is_changed_but_never_in_an_id() {
    let alert = with(Format::Wazuh, "/rule/description", r#""a\u0000b""#).expect("an alert");
    build(&alert);
    assert_eq!(text(&alert, "title"), "a\u{fffd}b");
    assert!(text(&alert, "raw").contains(r#"a\u0000b"#));
    assert!(with(Format::Wazuh, "/id", r#""a\u0000b""#).expect_err("an id").what.contains("U+0000"));
    let blob = format!("blob:{}:12:{}", "a".repeat(64), "b".repeat(26));
    let alert = with(Format::Wazuh, "/rule/description", &format!("\"{blob}\"")).expect("an alert");
    assert_eq!(text(&alert, "title"), format!(" {blob}"));
    assert!(with(Format::Ocsf, "/finding_info/uid", &format!("\"{blob}\"")).is_err());
}

#[test]
fn a_fingerprint_is_of_rule_host_and_user() {
    let print = |place: &str, value: &str| {
        let alert = with(Format::Wazuh, place, value).expect("an alert");
        data(&alert, "fingerprint").and_then(Json::as_text).map(str::to_owned)
    };
    let first = print("/id", "\"1\"");
    assert!(first.is_some());
    assert_eq!(first, print("/id", "\"2\""));
    assert_eq!(first, print("/rule/level", "3"));
    assert_ne!(first, print("/rule/id", "\"1\""));
    assert_ne!(first, print("/agent/name", "\"x\""));
    assert_ne!(first, print("/data/dstuser", "\"x\""));
}

#[test]
fn what_is_no_technique_stays_in_the_original() {
    let ids = r#"["T1110","t1110","T1110","T11","TA0006","T1110.1","T1110.001","", null, "T1110.001 Brute Force"]"#;
    let alert = with(Format::Graph, "/mitreTechniques", ids).expect("an alert");
    assert_eq!(alert.techniques, ["T1110", "T1110.001"]);
    assert_eq!(with(Format::Graph, "/mitreTechniques", "[7]").expect_err("a number").at, "/mitreTechniques/0");
}

#[test]
fn a_mapping_of_a_user_reads_what_we_do_not_know() {
    let mapping = Mapping::parse(SURICATA).expect("a mapping");
    assert_eq!(mapping.name(), "suricata");
    let lines = include_str!("alerts/suricata.ndjson");
    let alerts = mapping.read(lines.as_bytes()).expect("a document");
    check(
        &alerts[0],
        "2026-11-23T11:54:00.251547+01:00 4 suricata:1 T1071.001
         title LOCAL Beacon to a known command server
         description A Network Trojan was detected
         source_ref 586497171462735/1/9000117/2026-11-23T11:54:00.251547+0100
         rule 9000117
         host sensor-parks
         observables [\"domain:updates.example.net\",\"ip:10.20.0.14\",\"ip:198.51.100.5\"]",
    );
    check(
        &alerts[1],
        "2026-11-23T11:54:01.000002+01:00 0 suricata:other
         title LOCAL Odd name asked for
         source_ref 586497171462736/1/9000201/2026-11-23T11:54:01.000002+0100
         rule 9000201
         host 10.20.0.1
         observables [\"domain:xkq7.example.net\",\"ip:10.20.0.15\",\"ip:10.20.0.1\"]",
    );
    for (alert, line) in alerts.iter().zip(lines.lines()) {
        assert_eq!(text(alert.as_ref().expect("an alert"), "raw"), line);
    }
    let flow = r#"{"timestamp":"2026-11-23T11:54:00Z","flow_id":1,"event_type":"flow"}"#;
    let error = mapping.read(flow.as_bytes()).expect("a document").remove(0).expect_err("no alert");
    assert_eq!(error.what, "no string or integer at $.alert.gid, where source_ref is wanted");
}

#[test]
fn the_example_stands_in_the_text_as_it_is() {
    let document = include_str!("../ALERTS.md");
    assert!(document.contains(SURICATA), "ALERTS.md shows another suricata.toml");
}

#[test]
fn a_mapping_finds_alerts_inside_a_document_and_keeps_their_text() {
    let mapping = r#"
        name = "alertmanager"
        alerts = "$.alerts[?@.status == 'firing']"
        source_ref = "$.fingerprint"
        observed_at = "$.startsAt"
        severity = { path = "$.labels.severity", scale = { critical = 5, warning = 3 } }
        title = "$.labels.alertname"
    "#;
    let mapping = Mapping::parse(mapping).expect("a mapping");
    let first = r#"{"status":"firing", "fingerprint":"c0ffee","startsAt":"2026-11-23T10:54:00.1Z","labels":{"alertname":"Down","severity":"warning"}}"#;
    let text = format!(r#"{{"receiver":"b","alerts":[{{"status":"resolved"}}, {first} ,{{"status":"firing"}}]}}"#);
    let alerts = mapping.read(text.as_bytes()).expect("a document");
    assert_eq!(alerts.len(), 2);
    check(&alerts[0], "2026-11-23T10:54:00.1Z 3 alertmanager:warning\ntitle Down\nsource_ref c0ffee");
    assert_eq!(crate::text(alerts[0].as_ref().expect("an alert"), "raw"), first);
    assert_eq!(alerts[1].as_ref().expect_err("no id").at, "/alerts/2");
    // Of several documents, the list of them is asked.
    assert!(mapping.read(format!("{text}\n{text}").as_bytes()).expect("documents").is_empty());
    assert_eq!(mapping.read(br#"{"alerts":[{"a":1,"a":2}]}"#).expect_err("twice").at, "");
}

#[test]
fn a_mapping_s_time_is_text_with_an_offset_or_a_number_with_a_unit() {
    let read = |observed_at: &str, value: &str| {
        let text = format!("name = \"m\"\nsource_ref = \"$.id\"\nobserved_at = {observed_at}");
        let mapping = Mapping::parse(&text).expect("a mapping");
        let alert = mapping.read(format!(r#"{{"id":"1","t":{value}}}"#).as_bytes()).expect("a document").remove(0);
        alert.map(|alert| alert.observed_at.to_string()).map_err(|error| error.what)
    };
    let unit = |unit: &str| format!("{{ path = \"$.t\", unit = \"{unit}\" }}");
    let noon = Ok("2026-11-23T10:54:00.000000Z".to_owned());
    assert_eq!(read(&unit("s"), "1795431240"), noon);
    assert_eq!(read(&unit("s"), "\"1795431240\""), noon);
    assert_eq!(read(&unit("s"), "1795431240.5"), Ok("2026-11-23T10:54:00.500000Z".into()));
    assert_eq!(read(&unit("ms"), "1795431240000"), noon);
    assert_eq!(read(&unit("us"), "\"1795431240000000\""), noon);
    assert_eq!(read(&unit("ns"), "1795431240000000999"), noon);
    assert_eq!(read("\"$.t\"", "\"2026-11-23T10:54:00Z\""), Ok("2026-11-23T10:54:00Z".into()));
    for (observed_at, value) in [
        ("\"$.t\"".to_owned(), "1795431240"),
        ("\"$.t\"".to_owned(), "null"),
        (unit("ms"), "1795431240.5"),
        (unit("ms"), "\"soon\""),
        (unit("s"), "-1"),
        (unit("s"), "\"2026-11-23T10:54:00Z\""),
        (unit("ns"), "18446744073709551615"),
        (unit("s"), "{}"),
    ] {
        assert!(read(&observed_at, value).is_err(), "{observed_at} {value}");
    }
}

#[test]
fn a_mapping_s_id_is_of_all_its_parts() {
    let read = |source_ref: &str, more: &str| {
        let text = format!("name = \"m\"\nsource_ref = {source_ref}\nobserved_at = \"$.t\"");
        let mapping = Mapping::parse(&text).expect("a mapping");
        let alert = format!(r#"{{"t":"2026-11-23T10:54:00Z",{more}}}"#);
        mapping.read(alert.as_bytes()).expect("a document").remove(0).map(|alert| alert.source_ref).ok()
    };
    let joined = r#"{ join = ["$.a", "$.b"] }"#;
    assert_eq!(read("\"$.a\"", r#""a":"x/y~z""#).as_deref(), Some("x/y~z"));
    assert_eq!(read(joined, r#""a":"x/y~z","b":-7"#).as_deref(), Some("x~1y~0z/-7"));
    assert_ne!(read(joined, r#""a":"x/y","b":"z""#), read(joined, r#""a":"x","b":"y/z""#));
    for missing in
        [r#""a":"x""#, r#""a":"x","b":"""#, r#""a":"x","b":null"#, r#""a":"x","b":1.5"#, r#""a":"x","b":[1]"#]
    {
        assert_eq!(read(joined, missing), None, "{missing}");
    }
}

#[test]
fn a_mapping_that_means_nothing_is_refused_with_its_place() {
    let good = "name = \"m\"\nsource_ref = \"$.id\"\nobserved_at = \"$.t\"\n";
    assert!(Mapping::parse(good).is_ok());
    for (text, part) in [
        ("".to_owned(), "name"),
        (good.replace("\"m\"", "\"M\""), "name: a-z"),
        (good.replace("\"m\"", "\"wazuh\""), "a format of our own"),
        (good.replace("\"m\"", &format!("\"{}\"", "m".repeat(32))), "at most 31"),
        (good.replace("$.id", "id"), "id is no JSONPath"),
        (good.replace("\"$.id\"", "{ join = [] }"), "at least one"),
        (good.replace("\"$.id\"", "7"), "{ join = [paths] }"),
        (good.replace("$.t", "$..a..b"), "more than one `..`"),
        (good.replace("$.t", &format!("$.{}", "t".repeat(255))), "at most 256"),
        (good.replace("\"$.t\"", "{ path = \"$.t\", unit = \"h\" }"), "unit of s, ms, us or ns"),
        (format!("{good}titel = \"$.t\""), "titel"),
        (format!("{good}title = {{}}"), "a list of paths"),
        (format!("{good}severity = {{ path = \"$.s\", scale = {{ x = 6 }} }}"), "0 to 5 is wanted, not 6"),
        (format!("{good}severity = {{ path = \"$.s\", scale = {{ \"x y\" = 1 }} }}"), "severity.scale: \"x y\""),
        (format!("{good}[observables]\nip4 = \"$.s\""), "unknown variant `ip4`, expected one of `command`"),
        (format!("{good}# {}", "x".repeat(65_536)), "at most 65536"),
    ] {
        let error = Mapping::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Mapping::parse(&format!("{good}title = \"$.{}\"", "t".repeat(254))).is_ok());
}

/// Documents that are almost alerts: a sample with one place changed to something of any kind.
fn near() -> impl Strategy<Value = String> {
    let samples = prop::sample::select(vec![
        include_str!("alerts/ocsf.json"),
        include_str!("alerts/thehive.json"),
        include_str!("alerts/wazuh.json"),
        include_str!("alerts/elastic.json"),
        include_str!("alerts/splunk.json"),
        include_str!("alerts/graph.json"),
        include_str!("alerts/cloudevents.json"),
        include_str!("alerts/suricata.ndjson"),
    ]);
    let values = prop::sample::select(vec![
        "null",
        "7",
        "-1.5e300",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[\"x\"]]",
        "\"T1059\"",
        "x",
        "",
    ]);
    (samples, any::<prop::sample::Index>(), values).prop_map(|(sample, at, value)| {
        let colons: Vec<_> = sample.match_indices(':').map(|(at, _)| at + 1).collect();
        let from = colons[at.index(colons.len())];
        let rest = &sample[from..];
        let to = rest.find([',', '}', ']']).unwrap_or(rest.len());
        format!("{}{value}{}", &sample[..from], &rest[to..])
    })
}

fn read_in_every_way(bytes: &[u8]) {
    let mapping = Mapping::parse(SURICATA).expect("a mapping");
    let everything = "name = \"m\"\nalerts = \"$..*\"\nsource_ref = \"$\"\nobserved_at = \"$..t\"\ntitle = \"$..*\"";
    let everything = Mapping::parse(everything).expect("a mapping");
    let formats = Format::ALL.map(|format| read(format, Some("application/json"), bytes));
    for alerts in formats.into_iter().chain([mapping.read(bytes), everything.read(bytes)]).flatten() {
        alerts.iter().flatten().for_each(build);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_in_every_way(&bytes);
    }

    #[test]
    fn whatever_is_read_fits_into_a_statement(text in near()) {
        read_in_every_way(text.as_bytes());
    }

    #[test]
    fn any_text_is_a_mapping_or_refused(text in "[ -~\n]{0,200}") {
        let _ = Mapping::parse(&text);
    }
}
