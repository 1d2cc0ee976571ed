//! ServiceNow's states, and the phases that they are read as. Why so is said in the module's documentation.

/// What a name of the state model means to the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    New,
    /// Worked on, or waiting for somebody meanwhile.
    Working,
    Resolved,
    /// Closed or cancelled.
    Closed,
    /// A name that the mapping doesn't know: it is kept, and changes nothing.
    Unknown,
}

/// A phase of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Initiate,
    Execute,
    Close,
}

impl State {
    /// The state behind a name. Besides the export's names it knows those of ServiceNow's own state model.
    pub(super) fn named(text: &str) -> Self {
        let name = text.to_ascii_lowercase();
        match name.as_str() {
            "new" => Self::New,
            "active" | "in progress" | "work in progress" | "on hold" => Self::Working,
            "resolved" => Self::Resolved,
            "closed" | "canceled" | "cancelled" => Self::Closed,
            _ if name.starts_with("awaiting ") => Self::Working,
            _ => Self::Unknown,
        }
    }

    /// Nobody works on it any more.
    pub(super) fn is_finished(self) -> bool {
        match self {
            Self::Resolved | Self::Closed => true,
            Self::New | Self::Working | Self::Unknown => false,
        }
    }

    /// The phase that a case in this state is in; an unknown state leaves it where it is.
    pub(super) fn phase(self) -> Option<Phase> {
        match self {
            Self::New => Some(Phase::Initiate),
            Self::Working => Some(Phase::Execute),
            Self::Resolved | Self::Closed => Some(Phase::Close),
            Self::Unknown => None,
        }
    }
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Initiate => "initiate",
            Self::Execute => "execute",
            Self::Close => "close",
        }
    }
}
