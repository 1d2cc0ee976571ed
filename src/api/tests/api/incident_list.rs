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
