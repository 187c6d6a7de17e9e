//! What holds for messages of any content: laws, and the shared reference data.

mod laws;
mod shared;
