#![doc = include_str!("../README.md")]

mod kernel;
mod limit;
mod port;
mod ruling;
mod state;
mod verified;

pub use crate::kernel::{IssueError, Kernel, RevokeError, Standing};
pub use crate::limit::Simulation;
pub use crate::port::{
    Change, Draw, Drawn, Epoch, MAX_LEASE, MemoryStore, SessionId, StateStore, StoreError, Target,
    lease_of,
};
pub use crate::ruling::{Context, Permit, Reserved, Ruling, admit, rule};
pub use crate::verified::{Claim, VerifiedAuthority};
