//! The same grants and calls for the peers, each as its documentation would write them: whatever
//! can be parsed, compiled or kept is made once, in [`super::grant::Evaluator::new`].

pub mod biscuit;
mod casbin;
mod cedar;
mod regorus;
pub mod tenuo;

pub use self::biscuit::Biscuit;
pub use self::casbin::Casbin;
pub use self::cedar::Cedar;
pub use self::regorus::Regorus;
pub use self::tenuo::Tenuo;
