use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bitmap::{Bitmap, bit};
use super::{State, StatusList, StatusListError, Tracked, require_size};
use crate::sync::Mutex;

/// A [`StatusList`] to be kept over a restart, in whatever form of serde's; a token takes about 300
/// bytes of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStatusList {
    uri: String,
    issuer: String,
    statuses: u32,
    tokens: Vec<SavedToken>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedToken {
    index: u32,
    invalid: bool,
    token: Tracked,
}

impl SavedStatusList {
    pub(super) fn of(uri: &str, issuer: &str, state: &State) -> Self {
        let saved = |(index, token): (&u32, &Tracked)| SavedToken {
            index: *index,
            invalid: bit(state.invalid.bytes(), *index) == Some(true),
            token: token.clone(),
        };
        Self {
            uri: uri.to_owned(),
            issuer: issuer.to_owned(),
            statuses: state.invalid.bits(),
            tokens: state.tracked.iter().map(saved).collect(),
        }
    }

    pub(super) fn list(self) -> Result<StatusList, StatusListError> {
        let Self { uri, issuer, statuses, tokens } = self;
        // Before any room is made for them.
        require_size(statuses)?;
        let mut tracked = BTreeMap::new();
        let mut unknown = Bitmap::full(statuses);
        for SavedToken { index, invalid, token } in tokens {
            if index >= statuses || tracked.insert(index, token).is_some() {
                return Err(StatusListError::Saved);
            }
            if !invalid {
                unknown.unset(index);
            }
        }
        let state = State { given: None, invalid: unknown, tracked };
        Ok(StatusList { uri, issuer, state: Mutex::new(state) })
    }
}
