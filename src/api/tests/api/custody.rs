//! `GET /v1/incidents/{name}/custody`: the whole chain, to those who may read each link of it.

use blotter_record::Json;

use crate::server::Server;

/// One piece of evidence that an open incident and a restricted one have in common: acquired for one, given out for the
/// other.
fn shared() -> Server {
    Server::new(|world, ledger| {
        for id in ["incident/OPEN", "incident/RED", "incident/BARE"] {
            world.opened("analyst", id).append(ledger).unwrap();
        }
        let acquired = world.say("analyst", "evidence.acquired", "evidence/E").about("incident/OPEN");
        let acquired = acquired.fact("evidence", "evidence/E").fact("method", "image").fact("tool", "dd");
        let acquired = acquired.fact("tool_version", "1").fact("acquired_at", "2026-11-23T11:54:00Z");
        let acquired = acquired.fact("original_hashed", true).data("location", "safe").data("name", "image");
        let acquired = acquired.data("witness", "nobody").data("size", "1");
        acquired.data("sha256_copy", "00FF").data("sha256_source", "00ff").append(ledger).unwrap();
        let to = world.person("manager").actor.as_str().to_owned();
        let released = world.say("analyst", "evidence.released", "evidence/E").about("incident/RED");
        let released = released.fact("to", to.as_str()).fact("purpose", "exam").fact("copy", "original");
        released.data("location", "safe").append(ledger).unwrap();
        let accessed = world.say("manager", "evidence.accessed", "evidence/E").about("incident/OPEN");
        accessed.fact("purpose", "exam").fact("copy", "original").append(ledger).unwrap();
        let readers = Json::List(vec![world.person("grc").actor.as_str().into()]);
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", readers).append(ledger).unwrap();
    })
}

#[test]
fn a_chain_is_whole_for_those_who_may_read_it_and_leaves_out_what_others_may_not() {
    let server = shared();
    let (analyst, grc) = (server.login("analyst"), server.login("grc"));
    let get = |path: &str, bearer: &str| {
        let answer = server.get(path, Some(bearer));
        assert_eq!(answer.status, 200, "{path}");
        answer.json()
    };
    let events = |json: &serde_json::Value| -> Vec<String> {
        let links = json["evidence"][0]["links"].as_array().unwrap();
        links.iter().map(|link| link["event"].as_str().unwrap().to_owned()).collect()
    };
    let whole = get("/v1/incidents/OPEN/custody", &grc);
    assert_eq!(events(&whole), ["evidence.acquired", "evidence.released", "evidence.accessed"]);
    assert_eq!(whole["evidence"][0]["links"][0]["hashes"]["sha256_copy"], "00ff");
    assert_eq!(whole["evidence"][0]["out"][0]["event"], "evidence.released");
    assert_eq!(whole["evidence"][0]["holder"], serde_json::Value::Null);
    // The same chain, whichever of its incidents is asked for.
    assert_eq!(get("/v1/incidents/RED/custody", &grc)["evidence"], whole["evidence"]);

    let part = get("/v1/incidents/OPEN/custody", &analyst);
    assert_eq!(events(&part), ["evidence.acquired", "evidence.accessed"]);
    assert!(!part.to_string().contains("evidence.released"), "{part}");
    assert_eq!(part["evidence"][0]["out"].as_array().unwrap().len(), 0);

    assert_eq!(get("/v1/incidents/BARE/custody", &analyst)["evidence"].as_array().unwrap().len(), 0);
    assert_eq!(get("/v1/incidents/OPEN/custody?as_of=0", &grc)["evidence"].as_array().unwrap().len(), 0);
    let status = |path: &str, bearer: Option<&str>| server.get(path, bearer).status.as_u16();
    assert_eq!(status("/v1/incidents/RED/custody", Some(&analyst)), 403);
    assert_eq!(status("/v1/incidents/OPEN/custody", None), 401);
    assert_eq!(status("/v1/incidents/NONE/custody", Some(&grc)), 404);
    assert_eq!(status("/v1/incidents/OPEN/custody?as_of=99999", Some(&grc)), 400);
}
