use crate::{SignError, Signer, VerifyingKey};

/// The active key when it is not to be used any more.
#[derive(Debug)]
pub(super) struct Distrusted(pub(super) VerifyingKey);

impl Signer for Distrusted {
    fn key(&self) -> &VerifyingKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError)
    }
}
