//! What holds for messages of any content: laws, and the shared reference data.

mod bench_tmp;
mod laws;
mod shared;
