//! Issuing: how large tokens are, delegated ones, renewed ones, batches, and what is kept of them.

use std::sync::Arc;
use std::time::Duration;

use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, DelegateError, Delegation, Operation,
    Operations, ResourceType, RootGrant,
};
use cap_crypto::{OsRandom, SigningKeyring};
use cap_token::{
    CacheLimits, CachedValidator, DEFAULT_TTL, DelegatedToken, IssueError, Issued, Issuer, MAX_TTL,
    RevocationSet, RevocationTarget, Revoked, TokenRequest, ValidateError, Validator,
    VerifiedToken, explain_chain, introspect,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::{
    ALGORITHMS, AUDIENCE, Fixed, ISSUER, delegated, ed25519, granted, id, keys, now, signing_key,
};

/// The grant that the benchmarks use: three paths, operations and tools, four extensions, a size.
fn benchmark_grant() -> Capability {
    let constraints = json!({
        "paths": ["/srv/projects/alpha", "/srv/projects/beta/src", "/home/agent/work"],
        "allowed_tools": ["files/read_text", "files/write_text", "files/get_info"],
        "allowed_extensions": ["csv", "json", "md", "txt"],
        "max_file_size": 1_048_576,
    });
    let grant = RootGrant {
        principal: "agent:reporter".parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: "*".to_owned(),
        operations: [Operation::Read, Operation::Write, Operation::List].into_iter().collect(),
        constraints: serde_json::from_value(constraints).unwrap(),
        expires_at: Some(now() + TimeDelta::days(30)),
    };
    Capability::grant(id(1), grant, now()).unwrap()
}

#[test]
fn tokens_are_small_and_grow_little_with_each_ancestor() {
    for (algorithm, signature) in ALGORITHMS.into_iter().zip([86, 86, 342]) {
        let keys = keys(algorithm);
        let issuer = Issuer::new("https://issuer.example", "https://server.example", &keys);
        let (mut capability, mut ancestors) = (benchmark_grant(), Vec::new());
        let mut sizes = Vec::new();
        for depth in 0..=5 {
            let token = issuer.issue(&capability, &ancestors, DEFAULT_TTL, &Fixed(7), now());
            sizes.push(token.unwrap().len());
            ancestors.push(capability.id());
            if depth < 5 {
                capability = delegated(&capability, depth + 2, "agent:reporter");
            }
        }
        println!("{algorithm}, bytes at depths 0 to 5: {sizes:?}");
        for (depth, size) in sizes.iter().enumerate() {
            let most = 1050 - 86 + signature + 35 * depth;
            assert!(*size <= most, "{algorithm}, depth {depth}: {size} of {most}");
        }
        // The first delegation writes out once more what the root's type implies.
        let steps: Vec<_> = sizes.windows(2).skip(1).map(|two| two[1] - two[0]).collect();
        assert!(steps.iter().all(|step| *step <= 35), "{steps:?}");
    }
}

struct Scene {
    keys: SigningKeyring,
    register: Issued,
}

impl Scene {
    fn new(capacity: usize) -> Self {
        Self { keys: ed25519(1), register: Issued::new(capacity) }
    }

    fn issuer(&self) -> Issuer<'_> {
        Issuer::new(ISSUER, AUDIENCE, &self.keys).tracked_by(&self.register)
    }

    fn validator(&self) -> Validator {
        Validator::new(AUDIENCE).trust(ISSUER, self.keys.active_key())
    }

    fn root(&self, ttl: Duration) -> VerifiedToken {
        let token = self.issuer().issue(&granted(now()), &[], ttl, &OsRandom, now()).unwrap();
        self.validator().validate(&token, now()).unwrap()
    }

    fn pass_on(
        &self,
        parent: &VerifiedToken,
        delegation: Delegation,
        at: DateTime<Utc>,
    ) -> Result<DelegatedToken, IssueError> {
        self.issuer().issue_delegated(parent, delegation, MAX_TTL, &OsRandom, at)
    }
}

fn to_bob() -> Delegation {
    Delegation {
        principal: "bob".parse().unwrap(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    }
}

#[test]
fn a_delegated_token_is_the_meet_with_its_parent() {
    let scene = Scene::new(10);
    let parent = scene.root(DEFAULT_TTL);
    let asked = Operations::NONE.with(Operation::Read).with(Operation::Write);
    let wide = Delegation { operations: Some(asked), ..to_bob() };
    let refused = scene.pass_on(&parent, wide.clone(), now()).unwrap_err();
    let IssueError::Delegate(DelegateError::Widens(widenings)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(widenings.len(), 1);

    let cut = Delegation { attenuation: Attenuation::Intersect, ..wide };
    let delegated = scene.pass_on(&parent, cut, now()).unwrap();
    assert_eq!(delegated.cut, widenings);
    let read = scene.validator().validate(&delegated.token, now()).unwrap();
    assert_eq!(read.capability(), &delegated.capability);
    assert_eq!(read.ancestors(), [parent.capability().id()]);
    assert_eq!(read.principal().as_str(), "bob");
    assert!(read.capability().authority().is_within(parent.capability().authority()));

    // It does not outlive the token that it comes from, however long is asked for.
    assert_eq!(read.expires_at(), parent.expires_at());
    let late = parent.expires_at() - TimeDelta::seconds(1);
    let last = scene.pass_on(&parent, to_bob(), late).unwrap();
    let read = scene.validator().validate(&last.token, late).unwrap();
    assert_eq!(read.expires_at(), parent.expires_at());
    let over = scene.pass_on(&parent, to_bob(), parent.expires_at());
    assert_eq!(over, Err(IssueError::TokenExpired));
}

#[test]
fn a_delegated_token_is_delegated_no_deeper_than_its_root_lets_it() {
    let scene = Scene::new(10);
    let mut token = scene.root(DEFAULT_TTL);
    for depth in 1..=5 {
        let delegated = scene.pass_on(&token, to_bob(), now()).unwrap();
        token = scene.validator().validate(&delegated.token, now()).unwrap();
        assert_eq!(token.ancestors().len(), depth);
    }
    let deeper = scene.pass_on(&token, to_bob(), now());
    assert_eq!(deeper, Err(IssueError::Delegate(DelegateError::TooDeep)));
}

#[test]
fn a_token_of_another_issuer_or_audience_is_neither_passed_on_nor_renewed() {
    let scene = Scene::new(10);
    let keys = ed25519(1);
    for (issuer, audience) in [(ISSUER, "https://else.example"), ("https://else.example", AUDIENCE)]
    {
        let foreign = Issuer::new(issuer, audience, &keys);
        let token = foreign.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap();
        let validator = Validator::new(audience).trust(issuer, keys.active_key());
        let token = validator.validate(&token, now()).unwrap();
        assert_eq!(scene.pass_on(&token, to_bob(), now()), Err(IssueError::Foreign));
        let renewed = scene.issuer().refresh(&token, DEFAULT_TTL, &OsRandom, now());
        assert_eq!(renewed, Err(IssueError::Foreign));
    }
}

#[test]
fn a_renewed_token_is_the_same_authority_under_another_id() {
    let scene = Scene::new(10);
    let old = scene.root(DEFAULT_TTL);
    let end = old.capability().expires_at().unwrap();
    let refresh = |token: &VerifiedToken, at| {
        let text = scene.issuer().refresh(token, MAX_TTL, &OsRandom, at)?;
        Ok(scene.validator().validate(&text, at).unwrap())
    };
    let later = old.expires_at() - TimeDelta::seconds(1);
    let new: VerifiedToken = refresh(&old, later).unwrap();
    assert_eq!(new.capability(), old.capability());
    assert_eq!(new.ancestors(), old.ancestors());
    assert_ne!(new.token_id(), old.token_id());
    assert_eq!(new.issued_at(), later);
    assert_eq!(new.expires_at(), end, "never past the end of the capability");
    // The leeway of validators is not the issuer's.
    assert_eq!(refresh(&old, old.expires_at()), Err(IssueError::TokenExpired));
    assert_eq!(refresh(&new, end), Err(IssueError::TokenExpired));
    assert_eq!(scene.register.tokens_of(old.capability().id()).len(), 2);
}

#[test]
fn a_batch_is_issued_as_a_whole_or_not_at_all() {
    let scene = Scene::new(3);
    let (root, stranger) = (granted(now()), granted(now()));
    let child = delegated(&root, 2, "bob");
    let request = |capability, ancestors| TokenRequest { capability, ancestors, ttl: DEFAULT_TTL };
    let above = [root.id()];
    let good = [request(&root, &[]), request(&child, &above)];
    let issue = |requests: &[_]| scene.issuer().issue_all(requests, &OsRandom, now());

    let bad = [good[0], good[1], request(&stranger, &above)];
    let refused = issue(&bad).unwrap_err();
    assert_eq!((refused.index, refused.source), (2, IssueError::Ancestors));
    assert!(scene.register.is_empty());

    let tokens = issue(&good).unwrap();
    let read: Vec<_> =
        tokens.iter().map(|token| scene.validator().validate(token, now()).unwrap()).collect();
    assert_eq!(read[0].capability(), &root);
    assert_eq!(read[1].capability(), &child);
    assert_eq!(scene.register.len(), 2);

    let refused = issue(&good).unwrap_err();
    assert_eq!(refused.source, IssueError::RegisterFull);
    assert_eq!(scene.register.len(), 2, "none of the two");
    assert_eq!(issue(&[]), Ok(Vec::new()));
}

#[test]
fn what_was_issued_is_kept_account_of_until_it_ends() {
    let scene = Scene::new(2);
    let first = scene.root(Duration::from_secs(60));
    let second = scene.root(Duration::from_secs(120));
    let capability = first.capability().id();
    let known = scene.register.find(first.token_id()).unwrap();
    assert_eq!((known.capability, known.expires_at), (capability, first.expires_at()));
    assert_eq!(scene.register.tokens_of_principal(first.principal()).len(), 2);
    assert!(scene.register.tokens_of_principal(&"bob".parse().unwrap()).is_empty());
    let tokens =
        |of| -> Vec<_> { scene.register.tokens_of(of).iter().map(|issued| issued.token).collect() };
    assert_eq!(tokens(capability).len(), 2);
    assert!(tokens(id(9)).is_empty());

    let issue = |at| scene.issuer().issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, at);
    // It is kept for as long as validators may still accept it.
    assert_eq!(issue(now() + TimeDelta::seconds(359)), Err(IssueError::RegisterFull));
    assert_eq!(scene.register.cleanup(now() + TimeDelta::seconds(359)), 0);
    // What has ended makes room by itself.
    assert!(issue(now() + TimeDelta::seconds(360)).is_ok());
    assert!(scene.register.find(first.token_id()).is_none());
    assert!(tokens(capability).contains(&second.token_id()));
    assert_eq!(scene.register.cleanup(now() + TimeDelta::days(1)), 2);
    assert!(scene.register.is_empty() && tokens(capability).is_empty());
    assert!(scene.register.tokens_of_principal(first.principal()).is_empty());
    let strict = Issued::new(1).with_leeway(Duration::ZERO);
    let issuer = scene.issuer().tracked_by(&strict);
    let ttl = Duration::from_secs(60);
    issuer.issue(&granted(now()), &[], ttl, &OsRandom, now()).unwrap();
    assert_eq!(strict.cleanup(now() + TimeDelta::seconds(60)), 1);
}

#[test]
fn an_id_is_issued_once() {
    let scene = Scene::new(10);
    let capability = granted(now());
    let request = TokenRequest { capability: &capability, ancestors: &[], ttl: DEFAULT_TTL };
    let twice = scene.issuer().issue_all(&[request, request], &Fixed(7), now()).unwrap_err();
    assert_eq!((twice.index, twice.source), (1, IssueError::KnownToken));
    assert!(scene.register.is_empty());
    let issue = || scene.issuer().issue(&capability, &[], DEFAULT_TTL, &Fixed(7), now());
    assert!(issue().is_ok());
    assert_eq!(issue(), Err(IssueError::KnownToken));
    assert_eq!(scene.register.len(), 1);
}

#[test]
fn what_no_reader_would_take_for_its_depth_is_not_issued() {
    let keys = ed25519(1);
    let issue = |levels| {
        let parameter = crate::attacks::nested(levels);
        let grant = RootGrant {
            principal: "alice".parse().unwrap(),
            resource_type: ResourceType::Any,
            resource: "*".to_owned(),
            operations: Operations::ALL,
            constraints: serde_json::from_value(json!({ "custom": { "x": parameter } })).unwrap(),
            expires_at: None,
        };
        let capability = Capability::grant(id(1), grant, now()).unwrap();
        let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
        issuer.issue(&capability, &[], DEFAULT_TTL, &Fixed(7), now())
    };
    // The claims, the details, the entry, its constraints and the custom ones stand around it.
    let token = issue(27).unwrap();
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    assert!(validator.validate(&token, now()).is_ok() && cap_token::inspect(&token).is_ok());
    assert_eq!(issue(28), Err(IssueError::TooDeep));
}

#[test]
fn a_delegated_token_falls_with_the_capability_it_came_from_and_not_with_its_principals_token() {
    let scene = Scene::new(10);
    let root = scene.root(DEFAULT_TTL);
    let child = scene.pass_on(&root, to_bob(), now()).unwrap();
    let outcome = |target: RevocationTarget| {
        let revocations = Arc::new(RevocationSet::new());
        revocations.revoke(target, None, now()).unwrap();
        scene.validator().with_revocations(revocations).validate(&child.token, now()).map(drop)
    };
    // What speaks of Alice's token, or of Alice, does not reach what she has handed to Bob.
    assert_eq!(outcome(RevocationTarget::Token(root.token_id())), Ok(()));
    assert_eq!(outcome(RevocationTarget::Principal("alice".parse().unwrap())), Ok(()));
    // Her capabilities do, and the register names them.
    let held = scene.register.tokens_of_principal(root.principal());
    assert_eq!(held.len(), 1);
    let fallen = outcome(RevocationTarget::Capability(held[0].capability));
    assert_eq!(fallen, Err(ValidateError::Revoked(Revoked::Ancestor)));
    // And it is not renewed beyond the token that it was made of.
    let child = scene.validator().validate(&child.token, now()).unwrap();
    let renewed = scene.issuer().refresh(&child, DEFAULT_TTL, &OsRandom, now());
    assert_eq!(renewed, Err(IssueError::Delegated));
}

#[test]
fn a_key_that_is_distrusted_does_not_come_back_with_the_next_key_set() {
    let (old, new) = (ed25519(1), ed25519(2));
    let issue = |keys: &SigningKeyring| {
        let issuer = Issuer::new(ISSUER, AUDIENCE, keys);
        issuer.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap()
    };
    let both = || vec![old.active_key(), new.active_key()];
    let validator = Validator::new(AUDIENCE);
    validator.distrust_key(&old.active());
    validator.set_keys(ISSUER, both());
    let refused = Err(ValidateError::UnknownKey);
    assert_eq!(validator.validate(&issue(&old), now()), refused);
    assert!(validator.validate(&issue(&new), now()).is_ok());
    validator.set_keys_until(ISSUER, both(), now() + TimeDelta::hours(1));
    assert_eq!(validator.validate(&issue(&old), now()), refused);
    let validator = validator.trust(ISSUER, old.active_key());
    assert_eq!(validator.validate(&issue(&old), now()), refused);
}

#[test]
fn keys_that_nobody_renews_end_also_for_what_is_remembered() {
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap();
    let cached = CachedValidator::new(Validator::new(AUDIENCE), CacheLimits::default());
    let at = |millis| now() + TimeDelta::milliseconds(millis);
    cached.validator().set_keys_until(ISSUER, vec![keys.active_key()], at(10_500));
    for good in [0, 1_000, 9_999, 10_499] {
        assert!(cached.validate(&token, at(good)).is_ok(), "{good}");
    }
    for over in [10_500, 11_000, 29_000] {
        let refused = cached.validate(&token, at(over)).map(drop);
        assert_eq!(refused, Err(ValidateError::UnknownKey), "{over}");
        let refused = cached.validator().validate(&token, at(over)).map(drop);
        assert_eq!(refused, Err(ValidateError::UnknownKey), "{over}");
    }
    cached.validator().set_keys_until(ISSUER, vec![keys.active_key()], at(60_000));
    assert!(cached.validate(&token, at(29_000)).is_ok());
}

#[test]
fn a_clone_does_not_trust_what_the_other_is_told_to_trust_afterwards() {
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap();
    let first = Validator::new(AUDIENCE);
    let second = first.clone().trust(ISSUER, keys.active_key());
    assert!(second.validate(&token, now()).is_ok());
    assert_eq!(first.validate(&token, now()), Err(ValidateError::UnknownKey));
}

#[test]
fn any_signer_issues() {
    for algorithm in ALGORITHMS {
        let signer = Arc::new(signing_key(algorithm));
        let validator =
            Validator::new(AUDIENCE).trust(ISSUER, cap_crypto::Signer::key(&*signer).clone());
        let issuer = Issuer::with_signer(ISSUER, AUDIENCE, signer);
        let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(7), now()).unwrap();
        assert!(validator.validate(&token, now()).is_ok(), "{algorithm}");
    }
}

#[test]
fn capabilities_of_instants_that_cannot_be_written_are_refused() {
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let before = DateTime::from_timestamp(-1, 0).unwrap();
    let grant = |since| RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: ResourceType::Any,
        resource: "*".to_owned(),
        operations: Operations::ALL,
        constraints: Constraints::default(),
        expires_at: Some(since),
    };
    let early = Capability::grant(id(1), grant(now() + TimeDelta::days(1)), before).unwrap();
    let ages = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
    assert!(Capability::grant(id(1), grant(ages), now()).is_err());
    let refused = issuer.issue(&early, &[], DEFAULT_TTL, &Fixed(7), now());
    assert_eq!(refused, Err(IssueError::Clock));
    // Issued at another second than its id says: written out.
    let other = Capability::grant(
        CapabilityId::new([1; 10], now() - TimeDelta::hours(1)),
        grant(now() + TimeDelta::days(1)),
        now(),
    )
    .unwrap();
    let token = issuer.issue(&other, &[], DEFAULT_TTL, &Fixed(7), now()).unwrap();
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    assert_eq!(validator.validate(&token, now()).unwrap().capability(), &other);
}

#[test]
fn keys_are_exchanged_while_others_validate() {
    let (old, new) = (ed25519(1), ed25519(2));
    let issue = |keys: &SigningKeyring| {
        let issuer = Issuer::new(ISSUER, AUDIENCE, keys);
        issuer.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap()
    };
    let (before, after) = (issue(&old), issue(&new));
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, old.active_key())
        .trust("https://other.example", ed25519(3).active_key());
    let clone = validator.clone();
    let generation = validator.key_generation();
    let both = [old.active_key(), new.active_key()];
    validator.set_keys(ISSUER, both.to_vec());
    assert_ne!(validator.key_generation(), generation);
    for token in [&before, &after] {
        assert!(clone.validate(token, now()).is_ok(), "clones share their keys");
    }
    clone.distrust_key(&old.active());
    assert_eq!(validator.validate(&before, now()), Err(ValidateError::UnknownKey));
    assert!(validator.validate(&after, now()).is_ok());
    validator.set_keys(ISSUER, Vec::new());
    assert_eq!(validator.validate(&after, now()), Err(ValidateError::UnknownKey));
    let theirs = ed25519(3);
    let issuer = Issuer::new("https://other.example", AUDIENCE, &theirs);
    let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &OsRandom, now()).unwrap();
    assert!(validator.validate(&token, now()).is_ok(), "other issuers keep theirs");
}

#[test]
fn revocation_is_asked_last_and_of_every_ancestor() {
    let scene = Scene::new(10);
    let root = scene.root(DEFAULT_TTL);
    let child = scene.pass_on(&root, to_bob(), now()).unwrap();
    let of_child = scene.validator().validate(&child.token, now()).unwrap().token_id();
    let mut refused = Vec::new();
    for target in [
        RevocationTarget::Capability(root.capability().id()),
        RevocationTarget::Capability(child.capability.id()),
        RevocationTarget::Token(of_child),
        RevocationTarget::Principal("bob".parse().unwrap()),
        RevocationTarget::PrincipalBefore("bob".parse().unwrap(), now()),
        RevocationTarget::Issuer(ISSUER.to_owned()),
        RevocationTarget::Key(scene.keys.active()),
    ] {
        let revocations = Arc::new(RevocationSet::new());
        let validator = scene.validator().with_revocations(Arc::clone(&revocations));
        let token = validator.validate(&child.token, now()).unwrap();
        revocations.revoke(target, None, now()).unwrap();
        let error = validator.validate(&child.token, now()).unwrap_err();
        assert_eq!(validator.check_revoked(&token, now()), Err(error.clone()));
        refused.push(error);
        // Whoever has no good token is not told.
        let late = validator.validate(&child.token, now() + TimeDelta::days(1));
        assert_eq!(late, Err(ValidateError::Expired));
        let (input, _) = child.token.rsplit_once('.').unwrap();
        let forged = validator.validate(&format!("{input}.AAAA"), now());
        assert_eq!(forged, Err(ValidateError::Signature));
    }
    use Revoked::{Ancestor, Capability, Issuer, Key, Principal, Token};
    let reasons = [Ancestor, Capability, Token, Principal, Principal, Issuer, Key];
    assert_eq!(refused, reasons.map(ValidateError::Revoked));
}

#[test]
fn introspection_says_all_of_a_good_token_and_nothing_of_another() {
    let scene = Scene::new(10);
    let issuer = scene.issuer();
    let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(7), now()).unwrap();
    let mut answer = introspect(&scene.validator().validate(&token, now()));
    let mut claims = json!(cap_token::inspect(&token).unwrap().claims());
    claims["active"] = json!(true);
    claims["token_type"] = json!("Bearer");
    assert_eq!(answer, claims);
    answer = introspect(&scene.validator().validate(&token, now() + TimeDelta::days(1)));
    assert_eq!(answer, json!({ "active": false }));
    let shared = scene.validator().validate(&token, now()).map(Arc::new);
    assert_eq!(introspect(&shared)["active"], true);
}

#[test]
fn a_chain_is_explained_from_the_token_alone() {
    let scene = Scene::new(10);
    let limits = serde_json::from_value(json!({ "max_calls": 10 })).unwrap();
    let first = Delegation { constraints: limits, ..to_bob() };
    let root = scene.root(DEFAULT_TTL);
    let child = scene.pass_on(&root, first, now()).unwrap();
    let child = scene.validator().validate(&child.token, now()).unwrap();
    let narrow = Delegation {
        principal: "carol".parse().unwrap(),
        resource: Some("/srv/data/\u{200d}reports".to_owned()),
        ..to_bob()
    };
    let leaf = scene.pass_on(&child, narrow, now()).unwrap();
    let leaf = scene.validator().validate(&leaf.token, now()).unwrap();
    let told = explain_chain(&leaf);
    assert_eq!(told.links.len(), 3);
    assert!(told.links[0].limits.is_none() && told.links[1].limits.is_some());
    assert_eq!(told.links[2].id, leaf.capability().id());
    assert_eq!(told.may_delegate, 3);
    let text = told.to_string();
    for wanted in [
        format!("token {} of carol", leaf.token_id()),
        format!("1. {} 2026-01-01T00:00:00Z, granted", root.capability().id()),
        format!("2. {} 2026-01-01T00:00:00Z, delegated, limits", child.capability().id()),
        format!("3. {} 2026-01-01T00:00:00Z, its capability", leaf.capability().id()),
        "\"max_calls\":10".to_owned(),
        "paths: [\"/srv/data/**\"]".to_owned().replace("/**", ""),
        "/srv/data/\\u{200d}reports".to_owned(),
        "operations: [".to_owned(),
        "delegated 3 links further".to_owned(),
    ] {
        assert!(text.contains(&wanted), "{wanted} is not in\n{text}");
    }
    assert!(!text.contains('\u{200d}'));
}
