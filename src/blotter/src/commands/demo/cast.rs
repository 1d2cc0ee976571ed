//! The people of the story and the program that reports alerts: who they are, and how they come to their keys and roles.

use anyhow::Result;
use blotter_keys::signer::Signer;
use blotter_ledger::Ledger;
use blotter_record::Id;

use crate::commands::init::enrol;
use crate::context::{Context, new_name};
use crate::keystore::{self, LEDGER_KEY};
use crate::session::{Speaker, Words, keyring_of, say};

/// Somebody who is enrolled: name of the key, roles, name, title.
struct Person(&'static str, &'static [&'static str], &'static str, &'static str);

const PEOPLE: [Person; 10] = [
    Person("ciso", &["ciso"], "Amara Okafor", "Chief Information Security Officer"),
    Person("manager", &["secops_manager"], "Jonas Lindqvist", "SecOps Manager"),
    Person("analyst", &["soc_analyst"], "Mei Tanaka", "SOC Analyst, night shift"),
    Person("analyst2", &["soc_analyst", "custodian"], "Samuel Osei", "SOC Analyst, day shift; keeps the evidence"),
    Person("grc", &["grc_lead"], "Ruth Feldman", "GRC Lead"),
    Person("itops", &["it_ops_lead"], "Diego Alvarez", "IT Ops Lead"),
    Person("legal", &["legal"], "Ingrid Solberg", "City attorney's office"),
    Person("dpo", &["dpo"], "Tomás Herrera", "Data Protection Officer"),
    Person("admin", &["admin"], "Priya Nair", "Runs the ledger; decides nothing in it"),
    Person("edr", &["service"], "Alert relay", "sends the alerts of all sources"),
];

/// The cast, by the names of their keys; and the ledger's own actor, as `ledger`.
pub(super) struct Cast(Vec<(&'static str, Speaker)>);

impl Cast {
    pub(super) fn get(&self, name: &str) -> Option<&Speaker> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, speaker)| speaker)
    }
}

/// The founder enrols everybody, gives them their roles, and closes the bootstrap.
pub(super) fn enrol_all(context: &Context, ledger: &Ledger) -> Result<Cast> {
    let held = |name: &str| -> Result<Speaker> {
        let key = keystore::read_key(context, &context.keys_dir().join(format!("{name}.key")))?;
        Speaker::of(Signer::Held(key), &keyring_of(ledger)?)
    };
    let founder = held("founder")?;
    let mut cast = vec![("ledger", held(LEDGER_KEY)?)];
    for Person(name, roles, full_name, title) in PEOPLE {
        let kind = if roles.contains(&"service") { "service" } else { "person" };
        let key = keystore::create(&context.keys_dir(), name, None)?;
        let actor =
            enrol(context, ledger, &founder, kind, &new_name(), &key, &[("name", full_name), ("title", title)])?;
        for role in roles {
            let grant = Words::now("role.granted", actor.stream()).fact("role", *role);
            say(context, ledger, &founder, &grant)?;
        }
        cast.push((name, Speaker { actor, signer: Signer::Held(key) }));
    }
    say(context, ledger, &founder, &Words::now("bootstrap.closed", Id::ledger()))?;
    Ok(Cast(cast))
}
