//! The file that says who is told of what.

use std::path::Path;

use blotter_record::{ActorId, Id};
use serde::Deserialize;

/// Where webhooks go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id, `endpoint/…`, as `webhook.delivered` names it.
    pub id: Id,
    /// Its URL.
    pub url: String,
    /// Events; one that ends in a dot means all that begin so.
    pub events: Vec<String>,
    /// In whose name it listens: it hears of restricted incidents only if this actor may read them.
    pub actor: ActorId,
    /// Whether the URL may lead to an address of a private network.
    pub allow_private: bool,
}

impl Endpoint {
    /// Whether it is to be told of this event.
    pub fn wants(&self, event: &str) -> bool {
        self.events
            .iter()
            .any(|wanted| wanted == event || (wanted.ends_with('.') && event.starts_with(wanted.as_str())))
    }
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct WebhookConfigError {
    path: String,
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    endpoint: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    url: String,
    events: Vec<String>,
    actor: String,
    #[serde(default)]
    allow_private: bool,
}

/// Reads the endpoints: a TOML file with a table `[[endpoint]]` for each: `id`, `url`, `events`, `actor`, and
/// `allow_private` if it is on a private network.
///
/// # Errors
/// If it can't be read, or says something that is not known; the message names what.
pub fn read_webhooks(path: &Path) -> Result<Vec<Endpoint>, WebhookConfigError> {
    let fail = |what: String| WebhookConfigError { path: path.display().to_string(), what };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for Row { id, url, events, actor, allow_private } in file.endpoint {
        let at = |what: &str| fail(format!("endpoint {id:?}: {what}"));
        let named: Id = id.parse().map_err(|e| at(&format!("id: {e}")))?;
        let actor = actor.parse().map_err(|e| at(&format!("actor: {e}")))?;
        if named.kind() != "endpoint" {
            return Err(at("id: endpoint/NAME is wanted"));
        }
        if endpoints.iter().any(|other| other.id == named) {
            return Err(at("there twice"));
        }
        if !(url.starts_with("https://") || (url.starts_with("http://") && allow_private)) {
            return Err(at("url: https:// is wanted (http:// only with allow_private = true)"));
        }
        if events.is_empty() {
            return Err(at("events: none; name some, such as \"incident.\""));
        }
        endpoints.push(Endpoint { id: named, url, events, actor, allow_private });
    }
    Ok(endpoints)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<usize, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhooks.toml");
        std::fs::write(&path, text).unwrap();
        match (read_webhooks(&path), expect) {
            (Ok(endpoints), Ok(count)) => assert_eq!(endpoints.len(), count),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        let good = "[[endpoint]]\nid = \"endpoint/itsm\"\nurl = \"https://itsm.example/hook\"\nevents = [\"incident.\"]\nactor = \"service/itsm\"\n";
        check("", Ok(0));
        check(good, Ok(1));
        check(&good.repeat(2), Err("twice"));
        check(&good.replace("https", "http"), Err("https://"));
        check(&format!("{}allow_private = true\n", good.replace("https", "http")), Ok(1));
        check(&good.replace("endpoint/itsm", "itsm"), Err("id"));
        check(&good.replace("[\"incident.\"]", "[]"), Err("events"));
        check(&format!("{good}secret = 1\n"), Err("secret"));
    }

    #[test]
    fn events_are_chosen_whole_or_by_their_beginning() {
        let events = vec!["incident.".to_owned(), "phase.entered".to_owned()];
        let endpoint = Endpoint {
            id: "endpoint/e".parse().unwrap(),
            url: String::new(),
            events,
            actor: "service/s".parse().unwrap(),
            allow_private: false,
        };
        for (event, wanted) in
            [("incident.opened", true), ("incident", false), ("phase.entered", true), ("phase.entered-x", false)]
        {
            assert_eq!(endpoint.wants(event), wanted, "{event}");
        }
    }
}
