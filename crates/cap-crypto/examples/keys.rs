//! Keys that are made, imported and kept: the first half of `docs/guide/keys.md`.
//!
//! `cargo run -q -p cap-crypto --example keys`

use std::error::Error;
use std::fmt::Display;
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::Arc;

use cap_crypto::{
    Algorithm, Argon2Cost, Backend, KeyStore, MasterKey, OsRandom, Purpose, Signer, SigningKey,
    SigningKeyring, VerifyingKey,
};
use chrono::DateTime;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    generate(out)?;
    import(out)?;
    let folder = tempfile::tempdir()?;
    keep(folder.path(), out)
}

fn generate(out: &mut dyn Write) -> Outcome {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let key = SigningKey::generate(algorithm, Backend::default(), &OsRandom)?;
        let signature = key.sign(b"a message")?;

        let public = VerifyingKey::from_jwk(&key.key().to_jwk())?;
        public.verify(b"a message", &signature)?;
        let other = refused(public.verify(b"another", &signature))?;
        writeln!(out, "{algorithm}: {} bytes; another message: {other}", signature.len())?;
    }
    let rsa = SigningKey::generate(Algorithm::Rs256, Backend::Ring, &OsRandom);
    writeln!(out, "RS256: {}", refused(rsa)?)?;
    Ok(())
}

const PEM: &[u8] = include_bytes!("../tests/fixtures/rsa-2048.pem");
const PUBLIC: &[u8] = include_bytes!("../tests/fixtures/rsa-2048.pub.pem");
const JWK: &str = include_str!("../tests/fixtures/rsa-2048.jwk.json");
const SHORT: &[u8] = include_bytes!("../tests/fixtures/rsa-1024.pem");

fn import(out: &mut dyn Write) -> Outcome {
    let key = SigningKey::from_pkcs8(PEM)?;
    let same = [
        SigningKey::from_jwk(&serde_json::from_str(JWK)?)?,
        SigningKey::from_pkcs8(&key.to_pkcs8())?,
    ];
    assert!(same.iter().all(|same| same.key() == key.key()));
    let public = VerifyingKey::from_spki(PUBLIC)?;
    assert_eq!(&public, key.key());
    writeln!(out, "{} {}", public.algorithm(), public.id())?;

    writeln!(out, "public PEM: {}", refused(SigningKey::from_pkcs8(PUBLIC))?)?;
    writeln!(out, "public JWK: {}", refused(SigningKey::from_jwk(&public.to_jwk()))?)?;
    writeln!(out, "1024 bits: {}", refused(SigningKey::from_pkcs8(SHORT))?)?;
    Ok(())
}

/// What `openssl rand -hex 32` printed once. Make your own, and keep it out of your sources.
const MASTER: &str = "9f2c4e6a8b0d1f3517395b7d9fa1c3e5f708192a3b4c5d6e7f8091a2b3c4d5e6";

fn keep(folder: &Path, out: &mut dyn Write) -> Outcome {
    // Plain: protected by its permissions alone (0600, in a folder of 0700).
    let plain = KeyStore::new(folder);
    let now = DateTime::UNIX_EPOCH;
    let keys = SigningKeyring::open_or_create(&plain, Purpose::TokenSign, &OsRandom, now)?;

    // Sealed, from here on.
    let sealed = |master| plain.clone().sealed_with(Arc::new(master), Arc::new(OsRandom));
    let store = sealed(MasterKey::from_text(MASTER)?);
    store.seal(Purpose::TokenSign)?;
    assert_eq!(SigningKeyring::open(&store, Purpose::TokenSign)?.active(), keys.active());

    // The same master key, from a file that only its owner may read.
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(MASTER.as_bytes())?;
    let store = sealed(MasterKey::from_file(file.path())?);
    assert_eq!(SigningKeyring::open(&store, Purpose::TokenSign)?.active(), keys.active());

    // Another folder, under a passphrase.
    let cost = Argon2Cost::new(19 * 1024, 2, 1)?; // the least there may be; see `default()`
    let with = |text| MasterKey::from_passphrase(text, cost);
    let plain = KeyStore::new(folder.join("by-passphrase"));
    let sealed = |master| plain.clone().sealed_with(Arc::new(master), Arc::new(OsRandom));
    let store = sealed(with("correct horse battery staple")?);
    SigningKeyring::open_or_create(&store, Purpose::TokenSign, &OsRandom, now)?;

    let wrong = sealed(with("correct horse battery stable")?);
    for (what, store) in [("no master key", plain), ("wrong passphrase", wrong)] {
        let text = refused(SigningKeyring::open(store, Purpose::TokenSign))?;
        writeln!(out, "{what}: {}", text.replace(&folder.display().to_string(), "…"))?;
    }
    writeln!(out, "short passphrase: {}", refused(with("hunter2"))?)?;
    writeln!(out, "zeros: {}", refused(MasterKey::from_text(&"0".repeat(64)))?)?;
    Ok(())
}

/// The text of a refusal; what was not refused fails this program.
fn refused<T>(outcome: Result<T, impl Display>) -> Result<String, &'static str> {
    outcome.map_or_else(|refusal| Ok(refusal.to_string()), |_| Err("this should be refused"))
}
