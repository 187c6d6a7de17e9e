//! Resolution through directory handles.
//!
//! Two roads give the same answer: [`kernel`] asks `openat2`, [`walk`] goes name by name. Both speak
//! in [`Errno`](rustix::io::Errno), so that they can be compared; the public errors are made at the
//! rim.

mod asked;
mod entry;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod kernel;
mod object;
mod operate;
mod protected;
mod resolved;
mod root;
mod spelling;
mod twin;
mod walk;
mod witness;

pub use entry::Entry;
pub use operate::List;
pub use protected::Protected;
pub use resolved::Resolved;
pub use root::Root;
pub use witness::{follow, witness};

#[cfg(test)]
mod tests;
