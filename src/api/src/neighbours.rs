//! What an incident's fields tell of other incidents: merged into, split from, repeated. Who may not read one of those is
//! not told its id here either. An entry that names it stays as it is, where that entry may be read.

use std::collections::BTreeSet;

use blotter_projections::incidents::Case;
use blotter_projections::{Cell, Field, IncidentPage, differences, fields};
use blotter_record::Id;

/// The field and the column that name the incident that one was merged into.
const MERGED_INTO: (&str, &str) = ("merged-into", "merged_into");

/// The incidents that a reader may not read, by their folded ids.
pub(crate) struct Hidden(BTreeSet<String>);

impl Hidden {
    /// These.
    pub(crate) fn new(folded: Vec<String>) -> Self {
        Self(folded.into_iter().collect())
    }

    /// Whether `text` is the id of one of them.
    pub(crate) fn names(&self, text: &str) -> bool {
        text.parse::<Id>().is_ok_and(|id| self.has(&id))
    }

    fn has(&self, id: &Id) -> bool {
        self.0.contains(&id.folded())
    }

    fn merger_of(&self, case: &Case) -> bool {
        case.incident.merged_into.as_ref().is_some_and(|into| self.has(&into.value))
    }

    fn leave_out(&self, case: &mut Case) {
        case.incident.related.retain(|id, _| !self.has(id));
        case.incident.recurrences.retain(|id, _| !self.has(id));
    }

    /// The fields of an incident. That it was merged is told by its status, and not into which.
    pub(crate) fn fields(&self, mut case: Case) -> Vec<Field> {
        let unnamed = self.merger_of(&case);
        self.leave_out(&mut case);
        fields(&case).into_iter().filter(|field| !unnamed || field.name != MERGED_INTO.0).collect()
    }

    /// What is different between two moments of an incident.
    pub(crate) fn differences(&self, mut before: Case, mut after: Case) -> Vec<(String, Option<Field>, Option<Field>)> {
        let unnamed = self.merger_of(&before) || self.merger_of(&after);
        self.leave_out(&mut before);
        self.leave_out(&mut after);
        differences(&before, &after).into_iter().filter(|(field, ..)| !unnamed || field != MERGED_INTO.0).collect()
    }

    /// Takes their ids out of the rows of a list.
    pub(crate) fn leave_out_of(&self, page: &mut IncidentPage) {
        let Some(at) = page.columns.iter().position(|column| *column == MERGED_INTO.1) else { return };
        for cell in page.rows.iter_mut().filter_map(|row| row.get_mut(at)) {
            if matches!(cell, Cell::Text(id) if self.names(id)) {
                *cell = Cell::Null;
            }
        }
    }
}
