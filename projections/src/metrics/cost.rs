//! What incidents cost: the amounts are disclosed values, so they are read from the vault, and may be gone.

use std::collections::BTreeMap;

use blotter_record::{Event, Id, Json};

use super::subject::Subject;
use crate::views::{LogEntry, Source};

/// What an incident cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The incident.
    pub incident: Id,
    /// Sums in minor units, by kind and currency.
    pub sums: BTreeMap<(CostKind, String), i128>,
    /// The entries that were read.
    pub entries: Vec<u64>,
    /// Those whose amount is in no sum.
    pub unread: Vec<Unread>,
}

/// What kind of money.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostKind {
    /// `cost.recorded`, of this kind: labour, vendor, downtime, other.
    Cost(String),
    /// `ransom.paid`.
    Ransom,
    /// `budget.authorised`: what may be spent, not what was.
    Budget,
}

/// An entry whose amount is in no sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The entry.
    pub seq: u64,
    /// Why.
    pub why: &'static str,
}

impl CostKind {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Cost(kind) => kind,
            Self::Ransom => "ransom",
            Self::Budget => "budget",
        }
    }

    /// Whether it is money that was spent.
    pub fn is_spent(&self) -> bool {
        *self != Self::Budget
    }
}

/// What each incident cost, as far as amounts can be read; incidents without any entry about money are left out.
///
/// # Errors
/// If the log can't be read.
pub fn costs<S: Source>(source: &S, subjects: &[Subject]) -> Result<Vec<Cost>, S::Error> {
    let mut costs = Vec::new();
    for subject in subjects.iter().filter(|subject| !subject.costs.is_empty()) {
        let mut cost =
            Cost { incident: subject.id.clone(), sums: BTreeMap::new(), entries: Vec::new(), unread: Vec::new() };
        for seq in &subject.costs {
            let entry = source.entries(*seq, 1)?.pop();
            cost.entries.push(*seq);
            let amount = match entry.as_ref().and_then(kind) {
                Some(kind) => amount(&source.values(*seq)?).map(|(amount, currency)| (kind, currency, amount)),
                None => Err("expunged"),
            };
            match amount {
                Ok((kind, currency, amount)) => *cost.sums.entry((kind, currency)).or_default() += i128::from(amount),
                Err(why) => cost.unread.push(Unread { seq: *seq, why }),
            }
        }
        costs.push(cost);
    }
    Ok(costs)
}

fn kind(entry: &LogEntry) -> Option<CostKind> {
    let (_, statement) = entry.said.as_ref()?;
    Some(match statement.event.known()? {
        Event::RansomPaid => CostKind::Ransom,
        Event::BudgetAuthorised => CostKind::Budget,
        _ => CostKind::Cost(statement.facts.word("kind").unwrap_or("other").to_owned()),
    })
}

/// The amount in minor units, and its currency.
fn amount(values: &[(String, Json)]) -> Result<(i64, String), &'static str> {
    let value = |name: &str| values.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let amount = match value("amount_minor").ok_or("no amount: erased, withheld or never said")? {
        Json::Int(amount) => Some(*amount),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    };
    let currency = value("currency").ok_or("no currency: erased, withheld or never said")?.as_text();
    let currency = currency.filter(|text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()));
    let currency = currency.map(str::to_ascii_uppercase).ok_or("the currency is no ISO 4217 code")?;
    Ok((amount.ok_or("the amount is no whole number of minor units")?, currency))
}
