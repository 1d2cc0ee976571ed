//! From a Wazuh alert to an entry: the sender and the server as they are, with nothing in between.

use std::os::unix::fs::PermissionsExt;

use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

const ALERT: &str = include_str!("../../../src/exchange/tests/alerts/wazuh.json");

#[test]
fn what_forward_sends_the_server_records_once() {
    let place = Place::founded();
    enrol_service(&place);
    let secret = place.beside("token");
    std::fs::write(&secret, token(&place, &["alerts:source/wazuh-1"])).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let alert = place.beside("alert.json");
    std::fs::write(&alert, ALERT).unwrap();
    let spool = place.beside("spool");
    let forward = |url: &str, file: &std::path::Path| {
        let mut command = place.command();
        command.args(["forward", "--server", url, "--format", "wazuh", "--json", "--token-file"]).arg(&secret);
        crate::run(command.arg("--spool").arg(&spool).arg(file))
    };
    {
        let served = Served::start(&place);
        for _ in 0..2 {
            let output = forward(&served.url, &alert);
            assert!(output.status.success(), "{}\n{}", crate::said(&output), served.log());
        }
        let broken = place.beside("broken.json");
        std::fs::write(&broken, r#"{"rule": 7}"#).unwrap();
        let output = forward(&served.url, &broken);
        assert_eq!(output.status.code(), Some(4), "{}", crate::said(&output));
    }
    let log = place.done(&["log", "--event", "alert.received", "--json"]);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert_eq!(json(log.trim())["facts"]["source"], "source/wazuh-1");
    place.done(&["verify"]);
}
