//! The list of incidents over HTTP: who may not read an incident is not told that it is there.

use serde_json::Value;

use crate::server::{NEXT_YEAR, Server, issue};
use blotter_record::Json;

/// Three incidents, of which one in the middle is for `grc` and the token's service alone.
fn server() -> (Server, String) {
    let mut token = String::new();
    let server = Server::new(|world, ledger| {
        for id in ["incident/A-1", "incident/B-RED", "incident/C-1"] {
            world.opened("analyst", id).append(ledger).unwrap();
        }
        let readers = ["grc", "siem"].map(|name| Json::from(world.person(name).actor.as_str()));
        let restricted = world.say("manager", "incident.restricted", "incident/B-RED").fact("tlp", "red");
        restricted.fact("readers", Json::List(readers.into())).append(ledger).unwrap();
        token = issue(world, ledger, "reading", "siem", &["read"], NEXT_YEAR);
    });
    (server, token)
}

/// The incidents of all pages of a list, a few at a time; and that no page tells more than its incidents.
fn walk(server: &Server, filter: &str, bearer: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/incidents?limit=1&sort=id{filter}{cursor}"), Some(bearer)).json();
        let ids = page["incidents"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match &page["next"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return found,
        }
        assert!(cursor.ends_with(found.last().unwrap()), "a cursor names what the reader was shown: {page}");
    }
}

#[test]
fn what_is_restricted_is_neither_in_the_list_nor_named_by_a_cursor() {
    let (server, token) = server();
    let analyst = server.login("analyst");
    let as_of = format!("&as_of={}", server.app().size() - 1);
    for filter in ["", "&status=open", "&lead=person/analyst", &as_of] {
        let shown = walk(&server, filter, &token);
        let left: Vec<String> = shown.iter().filter(|id| !id.contains("RED")).cloned().collect();
        assert!(shown.len() > left.len(), "{filter}: {shown:?}");
        assert_eq!(walk(&server, filter, &analyst), left, "{filter}");
    }
    assert_eq!(walk(&server, "", &token), ["incident/C-1", "incident/B-RED", "incident/A-1"]);
    assert_eq!(walk(&server, "", &server.login("grc")).len(), 3);
}

#[test]
fn an_admin_reads_no_incidents_and_neither_does_nobody() {
    let (server, _) = server();
    assert_eq!(server.get("/v1/incidents", Some(&server.login("admin"))).code(), "not-allowed");
    assert_eq!(server.get("/v1/incidents", None).code(), "not-signed-in");
}

/// Incidents that a restricted one stands beside: merged into it, split from it, repeating it; and what they have in
/// common with it in words.
fn beside() -> Server {
    Server::new(|world, ledger| {
        for id in ["incident/INTO", "incident/RED", "incident/AGAIN"] {
            world.opened("analyst", id).append(ledger).unwrap();
        }
        let remark = |id: &str| {
            let said = world.say("manager", "comment.added", id).data("text", "needle");
            said.append(ledger).unwrap();
        };
        ["incident/AGAIN", "incident/RED", "incident/RED", "incident/AGAIN", "incident/RED"]
            .into_iter()
            .for_each(remark);
        let merged = world.say("manager", "incident.merged", "incident/INTO").about("incident/RED");
        merged.fact("into", "incident/RED").append(ledger).unwrap();
        let split = world.say("manager", "incident.split", "incident/FROM").about("incident/RED");
        split.fact("from", "incident/RED").fact("alerts", Json::List(Vec::new())).append(ledger).unwrap();
        world.opened("analyst", "incident/FROM").append(ledger).unwrap();
        let again = world.say("analyst", "recurrence.linked", "lesson/L").about("incident/AGAIN").about("incident/RED");
        again.fact("incident", "incident/AGAIN").fact("lesson", "lesson/L").append(ledger).unwrap();
        let readers = Json::List(vec![world.person("grc").actor.as_str().into()]);
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", readers).append(ledger).unwrap();
    })
}

#[test]
fn what_is_restricted_is_not_named_by_the_incidents_beside_it() {
    let server = beside();
    let size = server.app().size();
    let paths = [
        "/v1/incidents?limit=9".to_owned(),
        format!("/v1/incidents?as_of={}", size - 1),
        "/v1/incidents/INTO".to_owned(),
        "/v1/incidents/FROM".to_owned(),
        "/v1/incidents/AGAIN".to_owned(),
        format!("/v1/incidents/INTO/diff?from={}", size - 7),
        format!("/v1/incidents/FROM/diff?from={}", size - 7),
        "/v1/incidents?linked=incident/RED".to_owned(),
        "/v1/incidents?linked=incident/red".to_owned(),
    ];
    let (analyst, grc) = (server.login("analyst"), server.login("grc"));
    let mut named = 0;
    for path in &paths {
        let text = |bearer: &str| {
            let answer = server.get(path, Some(bearer));
            assert_eq!(answer.status, 200, "{path}");
            String::from_utf8_lossy(&answer.body).into_owned()
        };
        assert!(!text(&analyst).contains("incident/RED"), "{path}: {}", text(&analyst));
        named += usize::from(text(&grc).contains("incident/RED"));
    }
    assert!(named >= 5, "only {named} answers name it to those who may read it");
    let into = server.get("/v1/incidents/INTO", Some(&analyst)).json();
    assert_eq!(into["status"], "merged", "that it was merged is no secret");
    let count = |bearer: &str| {
        let page = server.get("/v1/incidents?linked=incident/RED", Some(bearer)).json();
        page["incidents"].as_array().unwrap().len()
    };
    assert_eq!((count(&analyst), count(&grc)), (0, 2), "nor is it told which ones stand beside it");
}

#[test]
fn a_search_goes_on_from_what_was_shown() {
    let server = beside();
    let walk = |bearer: &str| {
        let (mut found, mut cursor) = (Vec::<u64>::new(), String::new());
        loop {
            let page = server.get(&format!("/v1/search?q=needle&limit=1{cursor}"), Some(bearer)).json();
            let seqs: Vec<u64> =
                page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
            found.extend(&seqs);
            let Some(before) = page["before"].as_u64() else { return found };
            assert_eq!(seqs, [before], "a cursor names what the reader was shown: {page}");
            cursor = format!("&before={before}");
        }
    };
    let (some, all) = (walk(&server.login("analyst")), walk(&server.login("grc")));
    assert_eq!((some.len(), all.len()), (2, 5), "{some:?} {all:?}");
}
