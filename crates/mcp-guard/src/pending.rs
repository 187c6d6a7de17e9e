//! The client's requests that the server has not answered yet.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use cap_kernel::Claim;
use cap_mcp::{Answer, Era, Id, ListKind};

/// Requests that may be pending at once.
pub(crate) const MAX_PENDING: usize = 1024;

/// A request that was sent to the server.
#[derive(Debug)]
pub(crate) struct Pending {
    /// How it is answered when the server's response cannot be passed on.
    pub(crate) answer: Answer,
    pub(crate) trace: String,
    pub(crate) method: String,
    pub(crate) tool: Option<String>,
    pub(crate) era: Era,
    /// The list that the response carries.
    pub(crate) list: Option<ListKind>,
    /// On what the authority of the request rests; none, where nothing was granted.
    pub(crate) claim: Option<Claim>,
    pub(crate) since: Instant,
    /// The client no longer waits; the server may still answer.
    pub(crate) cancelled: bool,
}

/// Cancelled requests whose ids are remembered; with more, nothing new is taken.
const MAX_FORGOTTEN: usize = 65_536;

/// All of them, by id.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pending: HashMap<Id, Pending>,
    /// SECURITY: the server may still answer these, and what it answers must not be taken for the
    /// answer to another request. So their ids stay in use.
    forgotten: HashSet<Id>,
}

/// Why a request cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// One with this id is in flight.
    InFlight,
    /// Too many are.
    TooMany,
}

impl Requests {
    /// Whether a request with this id could be added now.
    pub(crate) fn room_for(&mut self, id: &Id) -> Result<(), Full> {
        if self.pending.contains_key(id) || self.forgotten.contains(id) {
            return Err(Full::InFlight);
        }
        if self.pending.len() >= MAX_PENDING && self.forgotten.len() < MAX_FORGOTTEN {
            // Servers do not answer what was cancelled.
            let cancelled = self.pending.extract_if(|_, pending| pending.cancelled);
            self.forgotten.extend(cancelled.map(|(id, _)| id));
        }
        if self.pending.len() >= MAX_PENDING { Err(Full::TooMany) } else { Ok(()) }
    }

    pub(crate) fn add(&mut self, pending: Pending) {
        self.pending.insert(pending.answer.id.clone(), pending);
    }

    pub(crate) fn cancel(&mut self, id: &Id) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.cancelled = true;
        }
    }

    /// The request that a response answers. One that was forgotten is answered by nothing, and its
    /// id is free again.
    pub(crate) fn take(&mut self, id: &Id) -> Option<Pending> {
        self.forgotten.remove(id);
        self.pending.remove(id)
    }

    /// All that were never answered.
    pub(crate) fn drain(&mut self) -> Vec<Pending> {
        self.pending.drain().map(|(_, pending)| pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_mcp::AnswerForm;

    fn pending(id: i64) -> Pending {
        Pending {
            answer: Answer { id: Id::Number(id), form: AnswerForm::Error },
            trace: String::new(),
            method: "ping".into(),
            tool: None,
            era: Era::Legacy,
            list: None,
            claim: None,
            since: Instant::now(),
            cancelled: false,
        }
    }

    #[test]
    fn an_id_in_flight_is_not_taken_twice() {
        let mut requests = Requests::default();
        requests.add(pending(1));
        assert_eq!(requests.room_for(&Id::Number(1)), Err(Full::InFlight));
        assert_eq!(requests.room_for(&Id::Text("1".into())), Ok(()));
        assert!(requests.take(&Id::Number(1)).is_some());
        assert_eq!(requests.room_for(&Id::Number(1)), Ok(()));
    }

    #[test]
    fn only_cancelled_requests_make_room_for_more_than_1024() {
        let mut requests = Requests::default();
        (0..1024).for_each(|id| requests.add(pending(id)));
        assert_eq!(requests.room_for(&Id::Number(5000)), Err(Full::TooMany));
        requests.cancel(&Id::Number(7));
        assert_eq!(requests.room_for(&Id::Number(5000)), Ok(()));
        assert_eq!(requests.room_for(&Id::Number(7)), Err(Full::InFlight), "still to be answered");
        assert!(requests.take(&Id::Number(7)).is_none(), "the late answer is nobody's");
        assert_eq!(requests.room_for(&Id::Number(7)), Ok(()));
        assert!(requests.take(&Id::Number(8)).is_some());
    }
}
