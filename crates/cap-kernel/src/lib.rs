#![doc = include_str!("../README.md")]

pub use cap_token::RevocationTarget;

mod kernel;
mod limit;
mod port;
mod ruling;
mod state;
mod tokens;
mod verified;

pub use crate::kernel::{IssueError, Kernel, RevokeError, Standing};
pub use crate::limit::Simulation;
pub use crate::port::{
    Change, Draw, Drawn, Epoch, MAX_LEASE, MemoryStore, SessionId, StateStore, StoreError, Target,
    lease_of,
};
pub use crate::ruling::{Context, Permit, Reserved, Ruling, admit, rule};
pub use crate::tokens::{KeyChange, KeyChangeError, TokenError, Tokens};
pub use crate::verified::{Claim, VerifiedAuthority};
