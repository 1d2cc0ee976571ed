//! The rules table: which streams an event may enter, who may say it, what it decides, which facts and data it carries
//! (FORMAT.md §3 and §5). The bytes of rules/1.csv are the rules: a ledger names them by version and SHA-256, and a type's
//! schema never changes once it has been published.

use std::sync::LazyLock;

use crate::Hash;
use crate::event::Event;
use crate::fact::FactType;

/// The rules of version 1.
pub static RULES_1: LazyLock<Rules> = LazyLock::new(|| Rules::read("1", include_str!("../rules/1.csv")));

/// One version of the rules.
#[derive(Debug)]
pub struct Rules {
    version: &'static str,
    text: &'static str,
    rows: Vec<Rule>,
}

/// What the rules say of one event.
#[derive(Debug)]
pub struct Rule {
    /// The kind of stream that it belongs to; `None` is any.
    pub subject: Option<&'static str>,
    /// Which further streams it may concern.
    pub about: About,
    /// The phase of the process that it belongs to, for people; empty or `any` where it has none.
    pub phase: &'static str,
    /// Who may say it: any one of these is enough.
    pub who: Vec<Who>,
    /// What it decides.
    pub decision: Decision,
    /// Its facts.
    pub facts: Vec<FactRule>,
    /// The names of the values that it may disclose; each may be left out.
    pub data: Vec<&'static str>,
}

/// A fact of an event.
#[derive(Debug)]
pub struct FactRule {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub fact_type: FactType,
    /// Whether it may be left out.
    pub optional: bool,
}

/// Which further streams a statement may concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// None.
    None,
    /// Any number, of any kind.
    Any,
    /// Any number of this kind.
    Some(&'static str),
    /// At least one, of this kind.
    OneOrMore(&'static str),
}

/// Who may say something (FORMAT.md §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any enrolled actor.
    Any,
    /// Any enrolled person.
    Person,
    /// The actor whose stream it is.
    Own,
    /// The actor of the statement that this one is about (the fact `of`).
    Author,
    /// The founder, until `bootstrap.closed`.
    Founder,
    /// The ledger's own actor.
    Ledger,
    /// The notary.
    Notary,
    /// Whoever holds the role.
    Role(Role),
}

/// What a statement decides (FORMAT.md §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    No,
    /// Something, and carries `seen`; never refused for what came in between.
    Carries,
    /// Something, and is refused if another actor's blocking decision lies between `seen` and where it lands.
    Blocks,
}

macro_rules! roles {
    ($($variant:ident = $name:literal,)*) => {
        /// A role that an actor can hold.
        #[allow(missing_docs, reason = "the name says it")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $($variant,)* }

        impl Role {
            /// All roles.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in statements.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

roles! {
    Ciso = "ciso",
    SecopsManager = "secops_manager",
    SocAnalyst = "soc_analyst",
    GrcLead = "grc_lead",
    ItOpsLead = "it_ops_lead",
    Legal = "legal",
    Dpo = "dpo",
    Custodian = "custodian",
    ServiceOwner = "service_owner",
    Auditor = "auditor",
    Service = "service",
    Admin = "admin",
}

impl Role {
    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

impl Rules {
    /// The version that a ledger names.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The exact bytes that are the rules, as a CSV table.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// SHA-256 of [`Rules::text`], in lower-case hex, as a ledger names it.
    pub fn sha256_hex(&self) -> String {
        Hash::of(self.text.as_bytes()).to_hex()
    }

    /// A row per event, in the order of [`Event::ALL`].
    pub fn rows(&self) -> &[Rule] {
        &self.rows
    }

    fn read(version: &'static str, text: &'static str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("event,subject,about,phase,who,decision,facts,data"), "our own table's heading");
        let rows: Vec<Rule> = lines
            .zip(Event::ALL)
            .map(|(line, event)| {
                Rule::read(line, *event).unwrap_or_else(|| panic!("our own rules table is malformed at: {line}"))
            })
            .collect();
        assert_eq!((rows.len(), text.lines().count()), (Event::ALL.len(), Event::ALL.len() + 1), "a row per event");
        Self { version, text, rows }
    }
}

impl Rule {
    fn read(line: &'static str, event: Event) -> Option<Self> {
        let columns: Vec<&'static str> = line.split(',').collect();
        let [name, subject, about, phase, who, decision, facts, data] = columns[..] else { return None };
        let listed = |text: &'static str| text.split("; ").filter(|part| !part.is_empty());
        (name == event.name()).then_some(Self {
            subject: (subject != "any").then_some(subject),
            about: About::read(about),
            phase,
            who: who.split('|').map(Who::read).collect::<Option<_>>()?,
            decision: match decision {
                "no" => Decision::No,
                "carries" => Decision::Carries,
                "blocks" => Decision::Blocks,
                _ => return None,
            },
            facts: listed(facts).map(FactRule::read).collect::<Option<_>>()?,
            data: listed(data).collect(),
        })
    }
}

impl FactRule {
    fn read(text: &'static str) -> Option<Self> {
        let (name, spelling) = text.split_once(':')?;
        let (fact_type, optional) = FactType::from_spelling(spelling)?;
        Some(Self { name, fact_type, optional })
    }
}

impl About {
    fn read(text: &'static str) -> Self {
        match text {
            "" => Self::None,
            "any*" => Self::Any,
            text => text.strip_suffix('+').map_or_else(|| Self::Some(text.trim_end_matches('*')), Self::OneOrMore),
        }
    }
}

impl Who {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Self::Any,
            "person" => Self::Person,
            "self" => Self::Own,
            "author" => Self::Author,
            "founder" => Self::Founder,
            "ledger" => Self::Ledger,
            "notary" => Self::Notary,
            role => Self::Role(Role::from_name(role)?),
        })
    }

    /// The word in the rules table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Person => "person",
            Self::Own => "self",
            Self::Author => "author",
            Self::Founder => "founder",
            Self::Ledger => "ledger",
            Self::Notary => "notary",
            Self::Role(role) => role.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_version_1_never_change() {
        assert_eq!(RULES_1.rows().len(), 145);
        assert_eq!(RULES_1.sha256_hex(), include_str!("../rules/1.sha256").trim());
    }

    #[test]
    fn the_table_says_who_decides_what() {
        let closed = Event::IncidentClosed.rule();
        assert_eq!((closed.subject, closed.decision), (Some("incident"), Decision::Blocks));
        assert_eq!(closed.who, [Who::Role(Role::SecopsManager)]);
        assert_eq!(Event::EvidenceAcquired.rule().about, About::OneOrMore("incident"));
        assert_eq!(Event::IncidentOpened.rule().about, About::Some("alert"));
        assert_eq!(Event::CommentAdded.rule().about, About::Any);
        assert_eq!(Event::LedgerFounded.rule().about, About::None);
    }
}
