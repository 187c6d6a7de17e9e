//! The bare signatures, and what others make of the same grant.

mod biscuit;
mod jsonwebtoken;
mod macaroon;
mod raw;
mod tenuo;

pub use self::biscuit::BiscuitChain;
pub use self::jsonwebtoken::Jsonwebtoken;
pub use self::macaroon::macaroon_bytes;
pub use self::raw::Raw;
pub use self::tenuo::TenuoChain;
