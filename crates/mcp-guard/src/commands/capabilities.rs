//! `grant`, `delegate`, `list`, `inspect`, `revoke`.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use cap_audit::AuditLog;
use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, Delegation, Operations, RootGrant, Widening,
};
use cap_crypto::{KeyId, SigningKeyring};
use cap_kernel::{RevocationTarget, Standing, Target, Tokens};
use cap_token::{TokenId, Validator, explain_chain};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::print;
use crate::cli;
use crate::clock::now;
use crate::failure::{During, Failure};
use crate::home::{Home, ISSUER};

pub(crate) fn grant(options: &cli::Grant, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let grant = RootGrant {
        principal: options.principal.clone(),
        resource_type: options.resource_type,
        resource: options.resource.clone(),
        operations: operations(&options.operations)?,
        constraints: constraints(&options.terms.constraints)?,
        expires_at: expiry(options.terms.expires_in)?,
    };
    let home = Home::open(home)?;
    with_log(&home, |log| {
        let granted = home.kernel.grant(grant, None, log, now()).during("not granted")?;
        issued(&home, &granted, &[], &options.terms)
    })
}

pub(crate) fn delegate(options: &cli::Delegate, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let delegation = Delegation {
        principal: options.principal.clone(),
        resource_type: options.resource_type,
        resource: options.resource.clone(),
        operations: options.operations.as_deref().map(operations).transpose()?,
        constraints: constraints(&options.terms.constraints)?,
        expires_at: expiry(options.terms.expires_in)?,
        attenuation: match options.mode {
            cli::Mode::Strict => Attenuation::Strict,
            cli::Mode::Intersect => Attenuation::Intersect,
        },
    };
    let home = Home::open(home)?;
    with_log(&home, |log| {
        let delegated = home.kernel.delegate(options.parent, delegation, log, now());
        let (capability, cut) = delegated.during("not delegated")?;
        issued(&home, &capability, &cut, &options.terms)
    })
}

pub(crate) fn list(options: &cli::List, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let home = Home::open(home)?;
    let wanted = |standing: &&Standing| {
        let holder = standing.capability.principal();
        options.principal.as_ref().is_none_or(|principal| principal == holder)
            && (options.all || standing.refused.is_none())
    };
    let all = home.kernel.list(now()).during("the capabilities cannot be listed")?;
    for standing in all.iter().filter(wanted) {
        if options.json { print(described(standing))? } else { print(line_of(standing))? }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn inspect(options: &cli::Inspect, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let what = if options.what == "-" { read_stdin()? } else { options.what.clone() };
    let what = what.trim();
    let value = match what.parse::<CapabilityId>() {
        Ok(id) => {
            let home = Home::open(home)?;
            let found = home.kernel.find(id, now()).during("the capability cannot be read")?;
            described(&found.ok_or_else(|| {
                Failure::new(format!("there is no capability {id} in this state folder"))
            })?)
        }
        Err(_) => inspect_token(what, home)?,
    };
    let text = if options.json { value.to_string() } else { format!("{value:#}") };
    print(text)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn revoke(options: &cli::Revoke, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let home = Home::open(home)?;
    let (target, what, name) = options.target(&home)?;
    let reason = match what {
        // In the target it may stand as its digest.
        "token" => format!("{} ({name})", options.reason),
        _ => options.reason.clone(),
    };
    with_log(&home, |log| {
        home.kernel.revoke(target, &reason, log, now()).during("not revoked")?;
        if options.json {
            print(json!({ "revoked": { what: name } }))
        } else {
            let below = match what {
                "capability" | "principal" => ", with all that descends from it",
                _ => "",
            };
            print(format!("revoked {what} {name}{below}"))
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

impl cli::Revoke {
    /// With the word and the name for it.
    fn target(&self, home: &Home) -> Result<(Target, &'static str, String), Failure> {
        let what = &self.what;
        Ok(match (&what.id, &what.principal, &what.token, &what.issuer, &what.key) {
            (Some(id), ..) => {
                let elsewhere = || Target::Evidence(RevocationTarget::Capability(*id));
                let target = if self.foreign { elsewhere() } else { Target::Capability(*id) };
                (target, "capability", id.to_string())
            }
            (_, Some(name), ..) => (Target::Principal(name.clone()), "principal", name.to_string()),
            (_, _, Some(token), ..) => {
                let jti = jti_of(token)?;
                (Target::Evidence(RevocationTarget::Token(TokenId::of_jti(&jti))), "token", jti)
            }
            (.., Some(issuer), _) if issuer == ISSUER => {
                let why = "that is this state itself, whose tokens would be refused for ever";
                return Err(Failure::new(format!("not revoked: {why}")));
            }
            (.., Some(key)) if is_own(home, key) => {
                let how = format!("mcp-guard keys compromised {key}");
                return Err(Failure::new(format!(
                    "not revoked: the key is our own; give it up: {how}"
                )));
            }
            (.., Some(issuer), _) => {
                let target = RevocationTarget::Issuer(issuer.clone());
                (Target::Evidence(target), "issuer", issuer.clone())
            }
            (.., Some(key)) => {
                (Target::Evidence(RevocationTarget::Key(key.clone())), "key", key.to_string())
            }
            _ => return Err(Failure::new("name what is to be revoked")),
        })
    }
}

/// SECURITY: a token that is taken for its own name would stay good.
fn jti_of(token: &str) -> Result<String, Failure> {
    if !token.contains('.') {
        return Ok(token.to_owned());
    }
    let token = cap_token::inspect(token).during("not revoked: neither a `jti` nor a token")?;
    let jti = token.claims().get("jti").and_then(Value::as_str);
    jti.map(str::to_owned).ok_or_else(|| Failure::new("not revoked: the token has no `jti`"))
}

fn is_own(home: &Home, key: &KeyId) -> bool {
    let keys = home.kernel.tokens().and_then(Tokens::keys).map(SigningKeyring::keys);
    keys.into_iter().flatten().any(|own| own.id == *key)
}

/// Does something with the log of the shell, and closes it whatever came of it.
pub(super) fn with_log<T>(
    home: &Home,
    what: impl FnOnce(&AuditLog) -> Result<T, Failure>,
) -> Result<ExitCode, Failure> {
    let log = home.shell_log()?;
    let done = home.clean_up(&log).and_then(|()| what(&log));
    let closed = log.close(now()).during("closing the audit log");
    done?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was issued, and what its holder presents.
fn issued(
    home: &Home,
    capability: &Capability,
    cut: &[Widening],
    terms: &cli::Terms,
) -> Result<(), Failure> {
    let evidence = home.kernel.evidence(capability);
    let token = terms.token.map(|lifetime| token(home, capability, lifetime)).transpose()?;
    if terms.json {
        let mut value = Map::new();
        value.insert("capability".into(), wire(capability));
        value.insert("evidence".into(), evidence.into());
        value.extend(token.map(|token| ("token".to_owned(), token.into())));
        let cut: Vec<Value> =
            cut.iter().map(|cut| json!({ "field": cut.field, "value": cut.value })).collect();
        value.insert("cut".into(), cut.into());
        return print(Value::Object(value));
    }
    print(format!("capability {}", capability.id()))?;
    print(format!("evidence   {evidence}"))?;
    for cut in cut {
        print(format!("cut        {}: {}", cut.field, cut.value))?;
    }
    token.map_or(Ok(()), |token| print(format!("token      {token}")))
}

fn token(home: &Home, capability: &Capability, lifetime: TimeDelta) -> Result<String, Failure> {
    let lifetime = lifetime.to_std().during("the token's lifetime")?;
    let token = home.kernel.token(capability.id(), lifetime, now());
    token.during("granted, but no token was made")
}

fn inspect_token(text: &str, home: Option<&Path>) -> Result<Value, Failure> {
    let token = cap_token::inspect(text).map_err(|error| {
        Failure::new(format!("neither the id of a capability nor a token: {error}"))
    })?;
    let claim = cap_kernel::Claim::Evidence(cap_core::Evidence::Token(text.to_owned()));
    let (home, now) = (Home::open(home)?, now());
    let (header, claims) = (token.header(), token.claims());
    Ok(match home.kernel.verify(&claim, now) {
        Ok(verified) => json!({
            "header": header,
            "claims": claims,
            "status": "valid",
            "capability": verified.capabilities().map(wire).next(),
            "chain": chain(&home, text, now),
        }),
        Err(denial) => {
            json!({ "header": header, "claims": claims, "status": denial.code().code() })
        }
    })
}

/// The ids from the root to the capability of a token that the kernel has verified.
fn chain(home: &Home, token: &str, now: DateTime<Utc>) -> Vec<String> {
    let keys = home.kernel.tokens().and_then(Tokens::keys).map(|keys| keys.verifying_keys_at(now));
    let keys = keys.into_iter().flatten();
    let validator = keys.fold(Validator::new(ISSUER), |all, key| all.trust(ISSUER, key));
    let explained = validator.validate(token, now).map(|token| explain_chain(&token).links);
    explained.into_iter().flatten().map(|link| link.id.to_string()).collect()
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let bound = u64::try_from(cap_token::MAX_TOKEN_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    std::io::stdin().take(bound).read_to_string(&mut text).during("the standard input")?;
    Ok(text)
}

fn described(standing: &Standing) -> Value {
    json!({
        "capability": wire(&standing.capability),
        "chain": standing.chain.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "session": standing.session.map(|session| session.to_string()),
        "status": status(standing),
    })
}

fn status(standing: &Standing) -> &'static str {
    standing.refused.map_or("valid", cap_core::DenyCode::code)
}

fn line_of(standing: &Standing) -> String {
    let capability = &standing.capability;
    let expiry = capability.expires_at().map_or("never expires".into(), |at| format!("until {at}"));
    let operations = capability.operations().to_string().replace(' ', "");
    let depth = "  ".repeat(capability.delegation_depth().into());
    format!(
        "{} {depth}{} {} {} {operations} {expiry} [{}]",
        capability.id(),
        capability.principal(),
        capability.resource_type(),
        capability.resource(),
        status(standing),
    )
}

fn wire(capability: &Capability) -> Value {
    serde_json::to_value(capability).unwrap_or_default()
}

fn operations(names: &[String]) -> Result<Operations, Failure> {
    serde_json::from_value(json!(names)).during("--operations")
}

fn constraints(text: &str) -> Result<Constraints, Failure> {
    serde_json::from_str(text).during("--constraints")
}

/// SECURITY: an instant that cannot be named is not the same as no end.
fn expiry(lifetime: Option<TimeDelta>) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(lifetime) = lifetime else { return Ok(None) };
    let end = now().checked_add_signed(lifetime).filter(|end| end.year() <= 9999);
    end.map(Some).ok_or_else(|| Failure::new("--expires-in: the end lies beyond the year 9999"))
}
