//! Attenuating chains (AAT-02), through the public API.

#![allow(clippy::needless_pass_by_value, reason = "claims are written where they are passed")]

mod ambiguities;
mod authoring;
mod bridging;
mod caching;
mod constraints;
mod naive;
mod policies;
mod properties;
mod replay;
mod steps;
mod support;
mod vectors;
