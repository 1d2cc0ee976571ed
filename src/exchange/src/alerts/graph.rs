//! Microsoft Graph's security alert of the second version (`/security/alerts_v2`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::field::Field;

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let created = root.get("createdDateTime");
    let techniques = root.get("mitreTechniques").items().map(|id| id.owned()).collect::<Result<Vec<_>, _>>()?;
    let seen = evidence(root)?;
    Ok(Found {
        source_ref: root.get("id").needed_text()?.to_owned(),
        observed_at: created.time()?.ok_or_else(|| created.missing())?,
        severity: match root.get("severity").text()? {
            Some(word) => Severity::of_word("graph", word),
            None => Severity::none("graph"),
        },
        techniques: techniques.into_iter().flatten().collect(),
        title: root.get("title").owned()?,
        description: root.get("description").owned()?,
        rule: root.get("detectorId").owned()?.or(root.get("alertPolicyId").owned()?),
        host: seen.host,
        user: seen.user,
        observables: seen.observables,
    })
}

/// What the pieces of evidence name: the first host, the first user, and everything else.
#[derive(Default)]
struct Seen {
    host: Option<String>,
    user: Option<String>,
    observables: Observables,
}

impl Seen {
    fn host(&mut self, host: Option<String>) {
        match host {
            Some(host) if self.host.is_none() => self.host = Some(host),
            host => self.observables.add("host", host),
        }
    }

    fn user(&mut self, account: &Field<'_>) {
        let name = ["userPrincipalName", "accountName"].iter().find_map(|name| account.get(name).loose());
        match name {
            Some(name) if self.user.is_none() => self.user = Some(name),
            name if name == self.user => {}
            name => self.observables.add("user", name),
        }
    }

    fn file(&mut self, details: &Field<'_>) {
        self.observables.add("file", details.get("fileName").loose());
        self.observables.add("hash", details.get("sha256").loose());
        self.observables.add("hash", details.get("sha1").loose());
    }
}

fn evidence(root: &Field<'_>) -> Result<Seen, ForeignError> {
    let mut seen = Seen::default();
    for item in root.get("evidence").items() {
        match item.get("@odata.type").text()?.unwrap_or("").trim_start_matches("#microsoft.graph.security.") {
            "deviceEvidence" => seen.host(item.get("deviceDnsName").loose()),
            "userEvidence" => seen.user(&item.get("userAccount")),
            "mailboxEvidence" => {
                seen.observables.add("email", item.get("primaryAddress").loose());
                seen.user(&item.get("userAccount"));
            }
            "fileEvidence" => seen.file(&item.get("fileDetails")),
            "processEvidence" => {
                seen.observables.add("command", item.get("processCommandLine").loose());
                seen.file(&item.get("imageFile"));
                seen.user(&item.get("userAccount"));
            }
            "ipEvidence" => seen.observables.add("ip", item.get("ipAddress").loose()),
            "urlEvidence" => seen.observables.add("url", item.get("url").loose()),
            "analyzedMessageEvidence" => {
                seen.observables.add("email", item.path("p1Sender/emailAddress").loose());
                seen.observables.add("email", item.get("recipientEmailAddress").loose());
            }
            // Every other kind is in raw.
            _ => {}
        }
    }
    Ok(seen)
}

/// What Graph answers when asked for a list of alerts: an object with a list `value`.
pub(super) fn list(text: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        value: Vec<&'a RawValue>,
    }
    serde_json::from_str::<Answer<'_>>(text).ok().map(|answer| ("/value", answer.value))
}
