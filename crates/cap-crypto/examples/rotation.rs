//! Keys that change: the second half of `docs/guide/keys.md`.
//!
//! `cargo run -q -p cap-crypto --example rotation`

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use cap_crypto::{
    KeyStore, Purpose, RandomError, RotationPolicy, SecureRandom, SigningKey, SigningKeyring,
};
use chrono::{DateTime, TimeDelta, Utc};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let folder = tempfile::tempdir()?;
    let start = DateTime::from_timestamp(1_767_225_600, 0).ok_or("no such instant")?;
    by_schedule(&folder.path().join("scheduled"), start, out)?;
    by_hand(&folder.path().join("by-hand"), start, out)
}

fn by_schedule(folder: &Path, start: DateTime<Utc>, out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    // Tokens live for an hour at most, and clocks differ by five minutes at most.
    let policy = RotationPolicy::new(Duration::from_secs(3600), Duration::from_secs(300))?;
    let keys = SigningKeyring::open_or_create(folder, Purpose::TokenSign, &random, start)?
        .with_policy(policy);
    let elsewhere = SigningKeyring::open(folder, Purpose::TokenSign)?;
    let signature = keys.sign(b"a token")?;

    for minutes in [0, 43_140, 43_200, 43_324, 43_325] {
        let now = start + TimeDelta::minutes(minutes);
        keys.tick(&random, now)?;
        let verifies = if verify(&keys, &signature.bytes) { "verifies" } else { "is refused" };
        let when = now.format("%Y-%m-%d %H:%M");
        writeln!(out, "{when}  {}; the signature {verifies}", life_of(&keys))?;
    }
    assert!(elsewhere.reload()?);
    assert_eq!(elsewhere.active(), keys.active());
    Ok(())
}

const P256: &[u8] = include_bytes!("../tests/fixtures/p256.pem");
const RSA: &[u8] = include_bytes!("../tests/fixtures/rsa-2048.pem");

fn by_hand(folder: &Path, now: DateTime<Utc>, out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let store = KeyStore::new(folder);
    let keys = SigningKeyring::open_or_create(&store, Purpose::TokenSign, &random, now)?;
    let (first, signature) = (keys.active(), keys.sign(b"a token")?);
    writeln!(out, "retire: {}", refused(keys.retire(&first))?)?;

    let second = keys.rotate(&random, now)?;
    writeln!(out, "rotate:     {}", life_of(&keys))?;
    assert!(verify(&keys, &signature.bytes));

    let file = folder.join("token-sign.json");
    let old = fs::read(&file)?;

    // Somebody else may have the first one.
    keys.compromise(&first, &random, now)?;
    writeln!(out, "compromise: {}", life_of(&keys))?;
    assert!(!verify(&keys, &signature.bytes));

    // Keys of another algorithm, or made by somebody else.
    keys.import_pending(&SigningKey::from_pkcs8(P256)?, now)?;
    writeln!(out, "announce:   {}", life_of(&keys))?;
    keys.import_rsa(RSA, now)?;
    keys.retire(&second)?;
    writeln!(out, "import:     {}", life_of(&keys))?;

    writeln!(out, "once more: {}", refused(keys.import_rsa(RSA, now))?)?;
    fs::write(&file, old)?;
    let text = refused(keys.reload())?;
    writeln!(out, "an old file: {}", text.replace(&folder.display().to_string(), "…"))?;
    Ok(())
}

fn verify(keys: &SigningKeyring, signature: &[u8]) -> bool {
    keys.verifying_keys().iter().any(|key| key.verify(b"a token", signature).is_ok())
}

/// Every key, cut, with its status.
fn life_of(keys: &SigningKeyring) -> String {
    let cut = |id: &str| id.chars().take(6).collect::<String>();
    let keys = keys.keys();
    let each = keys.iter().map(|key| {
        format!("{} {}", cut(key.id.as_str()), format!("{:?}", key.status).to_lowercase())
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The text of a refusal; what was not refused fails this program.
fn refused<T>(outcome: Result<T, impl Display>) -> Result<String, &'static str> {
    outcome.map_or_else(|refusal| Ok(refusal.to_string()), |_| Err("this should be refused"))
}

/// Counts, so that keys have the same names every time. Take `OsRandom`.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}
