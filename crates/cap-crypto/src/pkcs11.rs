//! Signing keys that live in a PKCS#11 token. Nothing here asks the token for one.

mod public;

use std::error::Error as StdError;
use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as TokenError, RvError};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::sign::PROBE;
use crate::{Algorithm, KeyRejected, SignError, Signer, VerifyingKey, sha256};

/// DigestInfo of SHA-256 without the digest (RFC 8017 §9.2 note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// A signing key in a PKCS#11 token (an HSM, a smart card, SoftHSM2).
///
/// One session, which one thread uses at a time. With the first signature that fails (the token was
/// pulled out, restarted, or somebody logged out) the session is lost, and every further signature
/// fails until the signer is opened again. A lost session is not closed, because its number may
/// be somebody else's by then: one that failed for a passing reason stays open in the token until
/// the process or the module ends.
///
/// Login belongs to the process: while a signer is open, another one on the same token opens with
/// any PIN, because the token does not ask again.
pub struct Pkcs11Signer {
    key: VerifyingKey,
    scheme: Scheme,
    private: ObjectHandle,
    /// `None` when it is lost.
    session: Mutex<Option<Session>>,
}

/// Which token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pkcs11Token {
    /// The one with this label.
    Label(String),
    /// The one in this slot. Some modules number their slots anew at each start.
    Slot(u64),
}

/// Which key pair in the token. The private key names it; the public key is the one with the same
/// `CKA_ID` (if that is empty, with the same label).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pkcs11Key {
    /// `CKA_LABEL`.
    Label(String),
    /// `CKA_ID`.
    Id(Vec<u8>),
}

/// Why a token's key could not be opened or did not sign. Never holds the PIN.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module could not be loaded or initialised, or its path is not absolute.
    #[error("cannot load the PKCS#11 module `{}`", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What the loader or the module said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No token, or more than one, is the one that was asked for.
    #[error("{0} tokens are the one that was asked for, not one")]
    Token(usize),
    /// No object, or more than one, is the key that was asked for.
    #[error("{1} {0} keys in the token are the one that was asked for, not one")]
    Key(&'static str, usize),
    /// The token refused the login.
    #[error("the token refused the login")]
    Login(#[source] Box<dyn StdError + Send + Sync>),
    /// The key is of a kind, or the token without a mechanism, that EdDSA (Ed25519), ES256 or RS256
    /// need.
    #[error("the token's key does not sign with EdDSA (Ed25519), ES256 or RS256")]
    Unsupported,
    /// The public key in the token is not acceptable.
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
    /// The token's signature does not verify under its public key.
    #[error("the token's signature does not verify under its public key")]
    Mismatch,
    /// The token failed.
    #[error("the token failed")]
    Failed(#[source] Box<dyn StdError + Send + Sync>),
    /// An earlier signature failed, and the session was given up with it.
    #[error("the session with the token is lost; open the signer again")]
    Lost,
    /// A thread panicked while it used the session.
    #[error("the session with the token is in an unknown state")]
    Poisoned,
}

impl Pkcs11Signer {
    /// Loads the module, logs in as user and finds the key pair. The public key is read from the
    /// token and named by its thumbprint; one test signature is made and verified. The path of the
    /// module must be absolute: the loader would look for another one in places of its own.
    ///
    /// # Errors
    /// See [`Pkcs11Error`].
    #[expect(clippy::needless_pass_by_value, reason = "the PIN is wiped when this returns")]
    pub fn open(
        module: &Path,
        token: &Pkcs11Token,
        key: &Pkcs11Key,
        pin: Zeroizing<String>,
    ) -> Result<Self, Pkcs11Error> {
        let context = load(module)?;
        let slot = find_token(&context, token)?;
        let session = context.open_ro_session(slot).map_err(failed)?;
        log_in(&session, &AuthPin::from(pin.as_str()))?;
        let private =
            find_key(&session, "private", ObjectClass::PRIVATE_KEY, vec![key.attribute()])?;
        let key = public::read(&session, private, key)?;
        let scheme =
            Scheme::of(key.algorithm(), &context.get_mechanism_list(slot).map_err(failed)?)
                .ok_or(Pkcs11Error::Unsupported)?;
        let mut signer = Self { key, scheme, private, session: Mutex::new(None) };
        signer.sign_in(&session, PROBE)?;
        signer.session = Mutex::new(Some(session));
        Ok(signer)
    }

    /// As [`sign`](Signer::sign), with the reason when it fails. Each signature is verified before
    /// it is given out.
    ///
    /// # Errors
    /// [`Pkcs11Error::Failed`] or [`Pkcs11Error::Mismatch`], and from then on
    /// [`Pkcs11Error::Lost`]; [`Pkcs11Error::Poisoned`].
    pub fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        let mut place = self.session.lock().map_err(|_| Pkcs11Error::Poisoned)?;
        let session = place.take().ok_or(Pkcs11Error::Lost)?;
        match self.sign_in(&session, message) {
            Ok(signature) => {
                *place = Some(session);
                Ok(signature)
            }
            Err(error) => {
                // SECURITY: numbers of sessions and objects are given out again. After a failure
                // ours may be another signer's, whose key must not sign for us and whose session
                // must not be closed, which dropping this one would do.
                mem::forget(session);
                Err(error)
            }
        }
    }

    fn sign_in(&self, session: &Session, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        let (mechanism, input) = self.scheme.prepare(message);
        let signature = session.sign(&mechanism, self.private, &input).map_err(failed)?;
        self.key.verify(message, &signature).map_err(|_| Pkcs11Error::Mismatch)?;
        Ok(signature)
    }
}

impl Signer for Pkcs11Signer {
    fn key(&self) -> &VerifyingKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.try_sign(message).map_err(|_| SignError)
    }
}

impl fmt::Debug for Pkcs11Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pkcs11Signer").field("id", self.key.id()).finish_non_exhaustive()
    }
}

impl Pkcs11Key {
    fn attribute(&self) -> Attribute {
        match self {
            Self::Label(label) => Attribute::Label(label.as_bytes().to_vec()),
            Self::Id(id) => Attribute::Id(id.clone()),
        }
    }
}

/// What the token is asked to compute: CKM_EDDSA, CKM_ECDSA, CKM_SHA256_RSA_PKCS or CKM_RSA_PKCS.
#[derive(Clone, Copy)]
enum Scheme {
    EdDsa,
    /// Over the digest; r and s come in the fixed form that JOSE has, too.
    Ecdsa,
    RsaWithDigest,
    /// For tokens without the mechanism above: the padding only.
    Rsa,
}

impl Scheme {
    fn of(algorithm: Algorithm, mechanisms: &[MechanismType]) -> Option<Self> {
        let candidates = match algorithm {
            Algorithm::EdDsa => &[(Self::EdDsa, MechanismType::EDDSA)][..],
            Algorithm::Es256 => &[(Self::Ecdsa, MechanismType::ECDSA)],
            Algorithm::Rs256 => &[
                (Self::RsaWithDigest, MechanismType::SHA256_RSA_PKCS),
                (Self::Rsa, MechanismType::RSA_PKCS),
            ],
        };
        let found = candidates.iter().find(|(_, mechanism)| mechanisms.contains(mechanism));
        found.map(|(scheme, _)| *scheme)
    }

    fn prepare(self, message: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
        match self {
            Self::EdDsa => {
                let parameters = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                (Mechanism::Eddsa(parameters), message.to_vec())
            }
            Self::Ecdsa => (Mechanism::Ecdsa, sha256(message).to_vec()),
            Self::RsaWithDigest => (Mechanism::Sha256RsaPkcs, message.to_vec()),
            Self::Rsa => (Mechanism::RsaPkcs, [SHA256_INFO.as_slice(), &sha256(message)].concat()),
        }
    }
}

fn load(module: &Path) -> Result<Pkcs11, Pkcs11Error> {
    let refused = |source| Pkcs11Error::Module { path: module.to_owned(), source };
    // SECURITY: a bare name is looked for along paths that the environment can set.
    if !module.is_absolute() {
        return Err(refused("the path is not absolute".into()));
    }
    let context = Pkcs11::new(module).map_err(|error| refused(error.into()))?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // One initialisation serves the process; nobody ends it, others may use the module.
        Ok(()) | Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(refused(error.into())),
    }
}

fn find_token(context: &Pkcs11, token: &Pkcs11Token) -> Result<Slot, Pkcs11Error> {
    let mut found = Vec::new();
    for slot in context.get_slots_with_token().map_err(failed)? {
        let is_wanted = match token {
            // A token that does not say what it is, is not the one; others are asked.
            Pkcs11Token::Label(label) => {
                context.get_token_info(slot).is_ok_and(|info| info.label() == label)
            }
            Pkcs11Token::Slot(id) => slot.id() == *id,
        };
        if is_wanted {
            found.push(slot);
        }
    }
    match found.as_slice() {
        [slot] => Ok(*slot),
        others => Err(Pkcs11Error::Token(others.len())),
    }
}

fn log_in(session: &Session, pin: &AuthPin) -> Result<(), Pkcs11Error> {
    match session.login(UserType::User, Some(pin)) {
        Ok(()) | Err(TokenError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(Pkcs11Error::Login(error.into())),
    }
}

/// The one object of this class with these attributes.
fn find_key(
    session: &Session,
    name: &'static str,
    class: ObjectClass,
    mut attributes: Vec<Attribute>,
) -> Result<ObjectHandle, Pkcs11Error> {
    attributes.push(Attribute::Class(class));
    match session.find_objects(&attributes).map_err(failed)?.as_slice() {
        [key] => Ok(*key),
        others => Err(Pkcs11Error::Key(name, others.len())),
    }
}

fn attributes(
    session: &Session,
    object: ObjectHandle,
    wanted: &[AttributeType],
) -> Result<Vec<Attribute>, Pkcs11Error> {
    session.get_attributes(object, wanted).map_err(failed)
}

fn failed(error: TokenError) -> Pkcs11Error {
    Pkcs11Error::Failed(error.into())
}
