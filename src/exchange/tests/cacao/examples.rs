//! The example playbooks of SOARCA, an orchestrator of others, kept outside the project: what each of them yields.

use std::path::PathBuf;

use blotter_exchange::cacao::{Severity, check};

use crate::write::told;

/// An example's bytes, unless it is not here; then it says so.
fn example(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("BLOTTER_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = folder.join("cacao/examples").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("NOT TESTED on real playbooks: {}: {error}. Set BLOTTER_SHARED_DATA.", path.display());
            None
        }
    }
}

/// Checks the example; `expect` is severity and the end of the pointer of each finding, and words of it.
fn holds(name: &str, steps: usize, expect: &[(Severity, &str, &str)]) {
    let Some(bytes) = example(name) else { return };
    let checked = check(&bytes);
    let is = |finding: &blotter_exchange::cacao::Finding, expect: &(Severity, &str, &str)| {
        (finding.severity == expect.0) && finding.pointer.ends_with(expect.1) && finding.what.contains(expect.2)
    };
    let same = checked.findings.len() == expect.len()
        && checked.findings.iter().zip(expect).all(|(finding, expect)| is(finding, expect));
    assert!(same, "{name}: {}", told(&checked));
    assert_eq!(checked.playbook.as_ref().map(|playbook| playbook.steps.len()), (steps > 0).then_some(steps), "{name}");
}

use Severity::{Error, Warning};

const SOARCA: (Severity, &str, &str) =
    (Warning, "-000100010001/type", "\"soarca\" is none of the specification's types");

#[test]
fn http_and_ssh_and_openc2_are_good_but_for_soarcas_own_words() {
    holds("http-playbook.json", 3, &[SOARCA]);
    holds("ssh-playbook.json", 4, &[SOARCA, (Warning, "/password", "a secret stands here")]);
    holds("openc2-playbook.json", 3, &[SOARCA, (Warning, "/commands/0/type", "\"openc2\" is none of")]);
}

#[test]
fn powershell_has_members_where_the_specification_has_none() {
    holds(
        "powershell-playbook.json",
        3,
        &[
            SOARCA,
            (Warning, "/password", "a secret stands here"),
            (Warning, "/type", "\"authentication-info\" is none of"),
            (Warning, "/port", "no member \"port\""),
        ],
    );
}

/// Faulty: an identifier must begin with the type of what it identifies.
#[test]
fn manual_is_faulty() {
    let agent_type = "/soarca-manual-capability--7b0e98db-fa93-42aa-8511-e871c65131b1/type";
    holds(
        "manual-playbook.json",
        0,
        &[
            SOARCA,
            (Error, agent_type, "its identifier says soarca-manual-capability"),
            (Warning, agent_type, "\"soarca-manual\" is none of"),
        ],
    );
}

/// Faulty, too: it was made after it was last changed, and its agent has no identifier and no address.
#[test]
fn fin_is_faulty() {
    let agent = "/soarca-fin-pong-f896bb3b-bb37-429e-8ece-2d4286cf326d";
    holds(
        "fin-playbook.json",
        0,
        &[
            (Error, agent, "\"address\" is missing"),
            (Error, agent, "is not an identifier"),
            (Error, "/modified", "not after created"),
            (Warning, "/commands/0/type", "\"pong\" is none of"),
        ],
    );
}
