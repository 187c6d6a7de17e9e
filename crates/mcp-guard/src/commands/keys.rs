//! `keys`: what signs the tokens of this state.

use std::path::Path;
use std::process::ExitCode;

use cap_crypto::{KeyInfo, SigningKeyring};
use cap_kernel::{KeyChange, Tokens};
use cap_token::Jwks;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::capabilities::with_log;
use super::print;
use crate::cli;
use crate::clock::now;
use crate::failure::{During, Failure};
use crate::home::Home;

pub(crate) fn keys(command: &cli::Keys, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let home = Home::open(home)?;
    let change = |change: KeyChange, json: bool| {
        with_log(&home, |log| {
            home.kernel.change_keys(&change, log, now()).during("the keys")?;
            list(keyring(&home)?, json)
        })
    };
    match command {
        cli::Keys::List { json } => list(keyring(&home)?, *json)?,
        cli::Keys::Jwks => {
            let keys = keyring(&home)?;
            let set = Jwks::new(&keys.verifying_keys_at(now()), keys.policy().max_age());
            print(String::from_utf8_lossy(set.as_bytes()))?;
        }
        cli::Keys::Rotate { json } => return change(KeyChange::Rotate, *json),
        cli::Keys::Compromised { key, json } => {
            return change(KeyChange::Compromised(key.clone()), *json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn keyring(home: &Home) -> Result<&SigningKeyring, Failure> {
    let keys = home.kernel.tokens().and_then(Tokens::keys);
    keys.ok_or_else(|| Failure::new("this state has no keys for tokens"))
}

fn list(keyring: &SigningKeyring, as_json: bool) -> Result<(), Failure> {
    for key in keyring.keys() {
        if as_json { print(described(&key))? } else { print(line_of(&key))? }
    }
    Ok(())
}

fn described(key: &KeyInfo) -> Value {
    json!({
        "kid": key.id,
        "status": key.status,
        "created": key.created,
        "since": key.since,
        "until": key.until,
    })
}

fn line_of(key: &KeyInfo) -> String {
    let instant = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.format("%FT%TZ").to_string()).unwrap_or_else(|| "-".into())
    };
    let status = serde_json::to_value(key.status).ok();
    let status = status.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    format!("{} {status} since {} until {}", key.id, instant(key.since), instant(key.until))
}
