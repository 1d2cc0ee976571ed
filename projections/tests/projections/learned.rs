//! Lessons, recurrences, and what is owed.

use blotter_projections::lessons::{Outcome, catalogue, lessons, recurrences};
use blotter_projections::metrics::entries_of;
use blotter_projections::owed::{owed, words};
use blotter_projections::{Facts, LogIndex};
use blotter_record::{Event, Id, Json};

use crate::facts::{ANN, Book};

struct View {
    book: Book,
    dir: tempfile::TempDir,
}

impl View {
    fn new() -> Self {
        Self { book: Book::default(), dir: tempfile::tempdir().unwrap() }
    }

    fn open(&mut self, incident: &str) {
        let facts = vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())];
        self.book.say(ANN, "incident.opened", &[incident], facts);
    }

    fn cause(&mut self, incident: &str, cause: &str) {
        let facts = vec![("cause", cause.into()), ("confidence", 9.into()), ("techniques", Json::List(vec![]))];
        self.book.say(ANN, "root-cause.identified", &[incident], facts);
    }

    fn learn(&mut self, incident: &str, lesson: &str) {
        let facts = vec![("lesson", lesson.into()), ("none_found", false.into())];
        self.book.say(ANN, "lesson.recorded", &[lesson, incident], facts);
    }

    fn act(&mut self, incident: &str, lesson: &str, action: &str) {
        let facts = vec![
            ("action", action.into()),
            ("lesson", lesson.into()),
            ("kind", "training".into()),
            ("owner", ANN.into()),
            ("due", "2026-01-01T00:00:00Z".into()),
            ("resource", "resource/isaca-cism".into()),
        ];
        self.book.say(ANN, "action.opened", &[lesson, incident], facts);
    }

    fn facts(&self) -> Facts {
        Facts::open(&self.dir.path().join("views.db"), &self.book.log, &mut |_, _| ()).unwrap()
    }

    fn index(&self) -> LogIndex {
        LogIndex::open(&self.dir.path().join("views.db"), &self.book.log, &mut |_, _| ()).unwrap()
    }

    fn recurrences(&self) -> Vec<(String, String, Outcome, bool)> {
        let links = entries_of(&self.index(), &self.book.log, &[Event::RecurrenceLinked], u64::MAX >> 1).unwrap();
        let found = recurrences(self.facts().db(), &links).unwrap();
        found.into_iter().map(|r| (r.incident.to_string(), r.earlier.to_string(), r.outcome, r.linked)).collect()
    }
}

#[test]
fn a_lesson_is_told_from_the_incident_to_the_playbook_that_names_it() {
    let mut view = View::new();
    view.open("incident/I");
    let held = vec![("held_at", "2025-10-09T10:00:00Z".into()), ("attendees", crate::facts::list([ANN]))];
    view.book.say(ANN, "review.held", &["incident/I"], held);
    view.learn("incident/I", "lesson/L");
    view.act("incident/I", "lesson/L", "action/1");
    let hex = "0a".repeat(32);
    let published = vec![
        ("playbook", "playbook/p".into()),
        ("version", "4".into()),
        ("document_sha256", hex.as_str().into()),
        ("lessons", crate::facts::list(["lesson/L"])),
    ];
    view.book.say(ANN, "playbook.published", &["playbook/p", "lesson/L"], published);
    let found = lessons(view.facts().db(), &view.index(), &view.book.log, u64::MAX).unwrap().pop().unwrap();
    assert_eq!((found.review, found.seq, found.led), (Some(1), 2, true));
    let playbook = found.playbook.unwrap();
    assert_eq!((playbook.playbook.as_str(), playbook.version.as_str(), playbook.seq), ("playbook/p", "4", 4));
    let action = &found.actions[0];
    let due_us = 1_767_225_600_000_000;
    assert_eq!((action.opened, action.due_us, action.is_overdue(due_us)), (3, due_us, false));
    assert!(action.is_overdue(due_us + 1));
}

#[test]
fn what_came_back_is_found_with_what_became_of_the_lesson() {
    let mut view = View::new();
    for incident in ["incident/A", "incident/B", "incident/C", "incident/D"] {
        view.open(incident);
    }
    view.cause("incident/A", "phishing");
    view.cause("incident/B", "phishing");
    view.cause("incident/D", "other");
    view.learn("incident/A", "lesson/LA");
    let [a, b, c] = ["incident/A", "incident/B", "incident/C"].map(str::to_owned);
    assert_eq!(view.recurrences(), [(b.clone(), a.clone(), Outcome::LedNowhere, false)]);
    view.act("incident/A", "lesson/LA", "action/1");
    view.book.say(ANN, "action.completed", &["lesson/LA", "incident/A"], vec![("action", "action/1".into())]);
    view.cause("incident/C", "phishing");
    // B is the newest before C; that C repeats A's lesson has to be said.
    let linked = vec![("incident", "incident/C".into()), ("lesson", "lesson/LA".into())];
    view.book.say(ANN, "recurrence.linked", &["lesson/LA", "incident/C"], linked);
    assert_eq!(
        view.recurrences(),
        [
            (b.clone(), a.clone(), Outcome::LedSomewhere, false),
            (c.clone(), a, Outcome::LedSomewhere, true),
            (c, b, Outcome::NoLesson, false),
        ]
    );
}

#[test]
fn what_is_owed_stands_in_the_order_in_which_it_is_due() {
    let mut view = View::new();
    view.open("incident/I");
    let task = |task: &str, due: Option<&str>| {
        let mut facts = vec![("task", task.into()), ("owner", ANN.into())];
        facts.extend(due.map(|due| ("due", due.into())));
        facts
    };
    view.book.say(ANN, "task.opened", &["incident/I"], task("task/never", None));
    view.book.say(ANN, "task.opened", &["incident/I"], task("task/soon", Some("2025-12-01T00:00:00Z")));
    view.book.say(ANN, "task.opened", &["incident/I"], task("task/done", Some("2025-12-01T00:00:00Z")));
    let done = vec![("task", "task/done".into()), ("outcome", "done".into())];
    view.book.say(ANN, "task.completed", &["incident/I"], done);
    view.learn("incident/I", "lesson/L");
    view.act("incident/I", "lesson/L", "action/1");
    let released = vec![
        ("to", "person/bob".into()),
        ("purpose", "analysis".into()),
        ("due", "2025-11-01T00:00:00Z".into()),
        ("copy", "working".into()),
    ];
    view.book.say(ANN, "evidence.released", &["evidence/E", "incident/I"], released);
    view.book.log.values.insert(2, vec![("title".to_owned(), "Reset the passwords".into())]);
    let found = owed(view.facts().db(), &view.book.log).unwrap();
    let named: Vec<_> = found.iter().map(|o| (o.kind.as_str(), o.what.as_str(), o.owner.as_deref())).collect();
    let ann = Some(ANN);
    assert_eq!(
        named,
        [
            ("evidence", "evidence/E", Some("person/bob")),
            ("task", "task/soon", ann),
            ("action", "action/1", ann),
            ("task", "task/never", ann),
        ]
    );
    let due_us = found[1].due_us.unwrap();
    assert_eq!((found[1].is_overdue(due_us), found[1].is_overdue(due_us + 1)), (false, true));
    assert!(!found[3].is_overdue(i64::MAX), "what has no date is never overdue");
    assert_eq!(words(&view.book.log, found[1].seq, &["title"]).unwrap().as_deref(), Some("Reset the passwords"));
}

#[test]
fn the_catalogue_has_each_resource_once_under_an_id_that_an_action_can_name() {
    let mut ids = std::collections::BTreeSet::new();
    for resource in catalogue() {
        let id: Id = resource.id.parse().unwrap();
        assert_eq!(id.kind(), "resource");
        assert!(ids.insert(id), "{} twice", resource.id);
        assert!(resource.url.starts_with("https://") && !resource.title.is_empty(), "{}", resource.id);
    }
    let publishers: std::collections::BTreeSet<_> = catalogue().iter().map(|r| r.publisher.as_str()).collect();
    assert_eq!(
        publishers.into_iter().collect::<Vec<_>>(),
        ["CISA", "Coursera", "ISACA", "LinkedIn", "NIST", "PeopleCert"]
    );
}
