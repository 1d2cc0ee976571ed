//! What is remembered of a case between its rows: about a kilobyte, however long its cells or its history.

use blotter_record::Jti;

use super::columns::Column;
use super::row::{CellDigest, Row, Value};
use super::state::{Phase, State};

/// A case, as its rows so far left it.
#[derive(Debug)]
pub(super) struct Case {
    /// Its number as its first row spells it.
    pub(super) number: String,
    /// Of each column the last cell.
    last: Vec<CellDigest>,
    /// The last state that the mapping knows.
    pub(super) state: Option<State>,
    /// The code of the last state, known or not.
    pub(super) state_code: Option<String>,
    pub(super) phase: Phase,
    /// The last `incident.resolved`, unless it was reopened since.
    pub(super) resolved: Option<Jti>,
    reopened: Reopened,
}

/// A reopening shows in the state, in the counter, or in both, and not always in the same row.
#[derive(Debug, Default)]
struct Reopened {
    count_first: Option<i64>,
    by_state: i64,
    said: i64,
}

impl Case {
    /// A case that no row told of yet.
    pub(super) fn new(number: &str, columns: &[Column]) -> Self {
        Self {
            number: number.to_owned(),
            last: vec![CellDigest::default(); columns.len()],
            state: None,
            state_code: None,
            phase: Phase::Initiate,
            resolved: None,
            reopened: Reopened::default(),
        }
    }

    /// Takes the cells of `row` in, and gives the indexes of those that are not as they were.
    pub(super) fn changed(&mut self, row: &Row) -> Vec<usize> {
        let changed = (0..row.cells.len()).filter(|index| self.last[*index] != row.cells[*index].1).collect();
        self.last = row.cells.iter().map(|(_, digest)| *digest).collect();
        changed
    }

    /// Whether `row` tells of a reopening that was not said yet. Comes before [`Case::enter`].
    pub(super) fn reopens(&mut self, columns: &[Column], row: &Row) -> bool {
        let tally = &mut self.reopened;
        if let Value::State(state, _) = row.value(columns, "incident_state")
            && self.state.is_some_and(State::is_finished)
            && matches!(state, State::New | State::Working)
        {
            tally.by_state += 1;
        }
        let mut by_count = 0;
        if let Value::Count(count) = row.value(columns, "reopen_count") {
            by_count = count - *tally.count_first.get_or_insert(*count);
        }
        let total = tally.by_state.max(by_count);
        let reopens = total > tally.said;
        tally.said = total.max(tally.said);
        reopens
    }

    /// Goes into the state of a row. Gives it if it is another known state than before.
    pub(super) fn enter(&mut self, state: State) -> Option<State> {
        if state == State::Unknown || self.state == Some(state) {
            return None;
        }
        self.state = Some(state);
        Some(state)
    }
}
