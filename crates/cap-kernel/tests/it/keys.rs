//! The keys that sign the tokens of a state, and what of tokens, issuers and keys is revoked.

use std::sync::Arc;
use std::time::Duration;

use cap_audit::Kind;
use cap_core::{Capability, CapabilityId, DenyCode, Evidence};
use cap_crypto::{KeyStatus, MacKeyring, OsRandom, Purpose, RotationPolicy, SigningKeyring};
use cap_kernel::{
    Claim, IssueError, Kernel, KeyChange, KeyChangeError, RevocationTarget, RevokeError, Target,
    TokenError, Tokens,
};
use cap_token::{RevocationSet, Validator};
use chrono::{DateTime, Utc};

use crate::scene::{AUDIENCE, ISSUER, Scene, after, nobody, now, pass_on, path_grant, refusal};

const INVALID: Option<DenyCode> = Some(DenyCode::EvidenceInvalid);
const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);
const TTL: Duration = Duration::from_secs(900);

/// A process that shares the store and the keys of `scene`, and makes tokens.
fn process(scene: &Scene) -> Kernel {
    let folder = scene.folder.path().join("keys");
    let macs =
        MacKeyring::open_or_create(&*folder, Purpose::CapabilityMac, &OsRandom, now()).unwrap();
    let keys =
        SigningKeyring::open_or_create(&*folder, Purpose::TokenSign, &OsRandom, now()).unwrap();
    let tokens = Some(Tokens::of("self", keys));
    Kernel::open(Arc::clone(&scene.store), macs, tokens, Arc::new(OsRandom)).unwrap()
}

fn token(kernel: &Kernel, capability: &Capability, now: DateTime<Utc>) -> Claim {
    Claim::Evidence(Evidence::Token(kernel.token(capability.id(), TTL, now).unwrap()))
}

fn keys(kernel: &Kernel) -> &SigningKeyring {
    kernel.tokens().unwrap().keys().unwrap()
}

fn change(scene: &Scene, kernel: &Kernel, change: &KeyChange, now: DateTime<Utc>) -> bool {
    kernel.change_keys(change, &scene.log, now).unwrap()
}

#[test]
fn a_state_makes_tokens_of_what_stands_and_of_nothing_else() {
    let scene = Scene::new();
    let kernel = process(&scene);
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    for capability in [&root, &child] {
        assert_eq!(refusal(&kernel, &token(&kernel, capability, now()), now()), None);
    }
    let of_child = token(&kernel, &child, now());
    scene.revoke(Target::Capability(root.id()));
    assert_eq!(refusal(&kernel, &of_child, now()), REVOKED);
    let refused = |id: CapabilityId| match kernel.token(id, TTL, now()) {
        Err(TokenError::Capability(code)) => Some(code),
        _ => None,
    };
    assert_eq!(refused(root.id()), REVOKED);
    assert_eq!(refused(child.id()), REVOKED);
    assert_eq!(refused(nobody()), INVALID);
}

#[test]
fn a_state_without_keys_makes_no_tokens_and_changes_none() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let made = scene.kernel.token(root.id(), TTL, now());
    assert!(matches!(made, Err(TokenError::NoKeys)));
    let changed = scene.kernel.change_keys(&KeyChange::Rotate, &scene.log, now());
    assert!(matches!(changed, Err(KeyChangeError::NoKeys)));
}

#[test]
fn a_rotated_key_signs_at_once_and_other_processes_take_it_within_a_second() {
    let scene = Scene::new();
    let (one, other) = (process(&scene), process(&scene));
    let root = scene.grant(path_grant("agent", "/srv"));
    let old = token(&one, &root, now());
    assert_eq!(refusal(&other, &old, now()), None);

    assert!(change(&scene, &one, &KeyChange::Rotate, now()));
    let new = token(&one, &root, now());
    assert_eq!(refusal(&one, &new, now()), None);
    assert_eq!(refusal(&other, &new, after(1)), None);
    for kernel in [&one, &other] {
        assert_eq!(refusal(kernel, &old, after(1)), None);
    }
}

#[test]
fn what_a_compromised_key_signed_is_refused_at_once_and_elsewhere_within_a_second() {
    let scene = Scene::new();
    let (one, other) = (process(&scene), process(&scene));
    let root = scene.grant(path_grant("agent", "/srv"));
    let old = token(&one, &root, now());
    for kernel in [&one, &other] {
        assert_eq!(refusal(kernel, &old, now()), None);
    }
    let key = keys(&one).active();
    assert!(change(&scene, &one, &KeyChange::Compromised(key.clone()), now()));
    assert_eq!(refusal(&one, &old, now()), INVALID);
    // Revoked, before the keyring is read again.
    assert_eq!(refusal(&other, &old, now()), REVOKED);
    assert_eq!(refusal(&other, &old, after(1)), INVALID);
    let new = token(&other, &root, after(1));
    assert_eq!(refusal(&one, &new, after(1)), None);
    assert_eq!(refusal(&process(&scene), &old, after(1)), INVALID);

    let records = scene.records();
    let record = records.iter().find(|record| record.kind == Kind::KeyChange).unwrap();
    let text = serde_json::to_string(record).unwrap();
    assert!(text.contains(key.as_str()) && text.contains("compromised"), "{text}");
}

#[test]
fn a_compromised_key_does_not_come_back_with_an_old_keyring() {
    let scene = Scene::new();
    let one = process(&scene);
    let root = scene.grant(path_grant("agent", "/srv"));
    let old = token(&one, &root, now());
    let file = scene.folder.path().join("keys/token-sign.json");
    let copy = std::fs::read(&file).unwrap();
    change(&scene, &one, &KeyChange::Compromised(keys(&one).active()), now());
    drop(one);
    std::fs::write(&file, copy).unwrap();
    let restarted = process(&scene);
    assert_eq!(refusal(&restarted, &old, now()), REVOKED);
    let made = restarted.token(root.id(), TTL, now());
    assert!(matches!(made, Err(TokenError::Refused(DenyCode::CapabilityRevoked))), "{made:?}");
}

#[test]
fn a_key_that_nobody_has_is_not_given_up() {
    let scene = Scene::new();
    let kernel = process(&scene);
    let before = scene.store.epoch();
    let nobody = KeyChange::Compromised("nobody".parse().unwrap());
    let done = kernel.change_keys(&nobody, &scene.log, now());
    assert!(matches!(done, Err(KeyChangeError::Unknown(_))));
    assert_eq!(scene.store.epoch(), before);
    assert!(scene.records().is_empty());
}

#[test]
fn a_change_that_could_not_be_made_is_recorded_as_that() {
    let scene = Scene::new();
    let kernel = process(&scene);
    std::fs::write(scene.folder.path().join("keys/token-sign.json"), "{").unwrap();
    assert!(kernel.change_keys(&KeyChange::Due, &scene.log, now()).is_err());
    assert!(scene.records().is_empty());
    assert!(kernel.change_keys(&KeyChange::Rotate, &scene.log, now()).is_err());
    let records = scene.records();
    assert_eq!((records.len(), records[0].decision), (1, Some(cap_audit::Decision::Deny)));
}

#[test]
fn what_is_due_is_done_once_and_recorded_once() {
    let scene = Scene::new();
    let (one, other) = (process(&scene), process(&scene));
    assert!(!change(&scene, &one, &KeyChange::Due, now()));
    let day = 24 * 3600;
    let status = |kernel: &Kernel| -> Vec<KeyStatus> {
        keys(kernel).keys().iter().map(|key| key.status).collect()
    };
    // Announced an hour before its time, then active.
    for hours in (0..=31 * 24).filter(|hours| hours % 12 == 0) {
        change(&scene, &one, &KeyChange::Due, after(hours * 3600));
        change(&scene, &other, &KeyChange::Due, after(hours * 3600));
    }
    assert!(status(&one).contains(&KeyStatus::Active));
    assert!(status(&one).len() > 1 && status(&one) == status(&other));
    let recorded = scene.records().iter().filter(|it| it.kind == Kind::KeyChange).count();
    let root = scene.grant(path_grant("agent", "/srv"));
    let new = token(&one, &root, after(31 * day));
    assert_eq!(refusal(&other, &new, after(31 * day)), None);
    // Announced, and made the one that signs.
    assert_eq!(recorded, 2);
    change(&scene, &one, &KeyChange::Rotate, after(31 * day));
    assert!(!change(&scene, &other, &KeyChange::Due, after(31 * day)));
    let recorded = scene.records().iter().filter(|it| it.kind == Kind::KeyChange).count();
    assert_eq!(recorded, 3);
}

#[test]
fn a_key_whose_overlap_is_over_verifies_nothing_though_nobody_has_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new();
    let keys = SigningKeyring::open_or_create(folder.path(), Purpose::TokenSign, &OsRandom, now());
    let policy = RotationPolicy::new(TTL, Duration::ZERO).unwrap();
    let keys = keys.unwrap().with_policy(policy);
    let old = keys.active();
    let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let tokens = Some(Tokens::of("self", keys));
    let kernel = Kernel::open(Arc::clone(&scene.store), macs, tokens, Arc::new(OsRandom)).unwrap();
    change(&scene, &kernel, &KeyChange::Rotate, now());
    let trusted = |at: i64| self::keys(&kernel).verifying_keys_at(after(at));
    let trusts = |at: i64| trusted(at).iter().any(|key| *key.id() == old);
    let until = self::keys(&kernel).keys().iter().find(|key| key.id == old).unwrap().until;
    let end = (until.unwrap() - now()).num_seconds();
    assert!(trusts(end - 1) && !trusts(end) && trusted(end).len() == 1);
    // Nobody has written that it is retired.
    assert!(self::keys(&kernel).verifying_keys().iter().any(|key| *key.id() == old));
}

#[test]
fn keys_that_cannot_be_read_deny() {
    let scene = Scene::new();
    let kernel = process(&scene);
    let root = scene.grant(path_grant("agent", "/srv"));
    let claim = token(&kernel, &root, now());
    assert_eq!(refusal(&kernel, &claim, now()), None);
    let file = scene.folder.path().join("keys/token-sign.json");
    let good = std::fs::read(&file).unwrap();
    let unavailable = Some(DenyCode::StoreUnavailable);
    std::fs::write(&file, "{").unwrap();
    assert_eq!(refusal(&kernel, &claim, after(1)), unavailable);
    assert!(kernel.token(root.id(), TTL, after(1)).is_err());
    // Away, and back with its mode.
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(refusal(&kernel, &claim, after(2)), unavailable);
    // What the state itself knows needs no keyring.
    assert_eq!(refusal(&kernel, &Claim::Held(root.id()), after(2)), None);
    std::fs::rename(&away, &file).unwrap();
    std::fs::write(&file, &good).unwrap();
    assert_eq!(refusal(&kernel, &claim, after(3)), None);
    change(&scene, &kernel, &KeyChange::Rotate, after(3));
    std::fs::write(&file, &good).unwrap();
    assert_eq!(refusal(&kernel, &claim, after(4)), unavailable, "the keyring went back");
}

/// What a revocation may name of a token that carries `capability`.
fn targets(scene: &Scene, capability: &Capability, token: &str) -> [RevocationTarget; 6] {
    let jti = cap_token::inspect(token).unwrap().claims()["jti"].as_str().unwrap().to_owned();
    let agent = capability.principal().clone();
    [
        RevocationTarget::Issuer(ISSUER.into()),
        RevocationTarget::Key(scene.tokens.active()),
        RevocationTarget::Token(jti.parse().unwrap()),
        RevocationTarget::Capability(capability.id()),
        RevocationTarget::Principal(agent.clone()),
        RevocationTarget::PrincipalBefore(agent, now()),
    ]
}

#[test]
fn a_token_falls_with_its_id_its_issuer_its_key_and_its_principal() {
    for which in 0..6 {
        let scene = Scene::new();
        let capability = scene.grant(path_grant("agent", "/srv"));
        let claim = scene.token(&capability, &[]);
        let other = scene.token(&scene.grant(path_grant("another", "/srv")), &[]);
        let Claim::Evidence(Evidence::Token(text)) = &claim else { panic!("no token") };
        let target = targets(&scene, &capability, text)[which].clone();
        for process in [&scene.kernel, &scene.another_kernel()] {
            assert_eq!(refusal(process, &claim, now()), None);
        }
        scene.revoke(Target::Evidence(target.clone()));
        for process in [&scene.kernel, &scene.another_kernel()] {
            assert_eq!(refusal(process, &claim, now()), REVOKED, "{target:?}");
            // The first two reach every token here, the others this one alone.
            let expected = if which < 2 { REVOKED } else { None };
            assert_eq!(refusal(process, &other, now()), expected, "{target:?}");
        }
    }
}

#[test]
fn a_token_of_this_state_for_what_it_does_not_know_is_refused() {
    let (scene, other) = (Scene::new(), Scene::new());
    let root = scene.grant(path_grant("agent", "/srv"));
    let claim = token(&process(&scene), &root, now());
    assert_eq!(refusal(&process(&scene), &claim, now()), None);
    // The same keys beside a state that was lost.
    let emptied = Scene { store: Arc::clone(&other.store), ..scene };
    assert_eq!(refusal(&process(&emptied), &claim, now()), INVALID);
}

#[test]
fn revocations_that_the_validator_had_still_count() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let claim = scene.token(&root, &[]);
    let own = Arc::new(RevocationSet::new());
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, scene.tokens.active_key())
        .with_revocations(Arc::clone(&own));
    let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let tokens = Some(Tokens::accepted_by(validator));
    let kernel = Kernel::open(Arc::clone(&scene.store), macs, tokens, Arc::new(OsRandom)).unwrap();
    assert_eq!(refusal(&kernel, &claim, now()), None);
    own.revoke(RevocationTarget::Issuer(ISSUER.into()), None, now()).unwrap();
    assert_eq!(refusal(&kernel, &claim, now()), REVOKED);
}

#[test]
fn what_a_principal_may_have_after_an_instant_is_the_same_in_either_form() {
    for leeway in [0, 300] {
        let scene = Scene::new();
        let validator = Validator::new(AUDIENCE)
            .trust(ISSUER, scene.tokens.active_key())
            .with_leeway(Duration::from_secs(leeway));
        let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
        let tokens = Some(Tokens::accepted_by(validator));
        let kernel =
            Kernel::open(Arc::clone(&scene.store), macs, tokens, Arc::new(OsRandom)).unwrap();
        let root = scene.grant(path_grant("agent", "/srv"));
        let (held, claim) = (Claim::Held(root.id()), scene.token(&root, &[]));
        let revoke = |seconds: i64| {
            let agent = root.principal().clone();
            let target = RevocationTarget::PrincipalBefore(agent, after(seconds));
            scene.revoke(Target::Evidence(target));
        };
        let skew = i64::try_from(leeway).unwrap();
        for (seconds, expected) in [(-skew - 1, None), (-skew, REVOKED)] {
            revoke(seconds);
            assert_eq!(refusal(&kernel, &held, now()), expected, "{leeway} {seconds}");
            assert_eq!(refusal(&kernel, &claim, now()), expected, "{leeway} {seconds}");
        }
    }
}

#[test]
fn a_foreign_capability_is_revoked_by_its_own_id() {
    let scene = Scene::new();
    let grant = path_grant("agent", "/srv");
    let foreign = Capability::grant(CapabilityId::new([9; 10], now()), grant, now()).unwrap();
    let claim = scene.token(&foreign, &[]);
    assert_eq!(refusal(&scene.kernel, &claim, now()), None);
    let unknown = scene.kernel.revoke(
        Target::Capability(foreign.id()),
        "a slip of the pen",
        &scene.log,
        now(),
    );
    assert!(matches!(unknown, Err(RevokeError::Unknown)));
    scene.revoke(Target::Evidence(RevocationTarget::Capability(foreign.id())));
    assert_eq!(refusal(&scene.kernel, &claim, now()), REVOKED);
}

#[test]
fn a_principal_that_is_revoked_by_its_name_has_nothing_in_either_form() {
    let scene = Scene::new();
    let kernel = process(&scene);
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    let agent = "agent".parse().unwrap();
    scene.revoke(Target::Evidence(RevocationTarget::Principal(agent)));
    assert_eq!(refusal(&kernel, &Claim::Held(root.id()), now()), REVOKED);
    // What was handed on is another principal's.
    assert_eq!(refusal(&kernel, &Claim::Held(child.id()), now()), None);
    // It is granted nothing more, and nothing is handed on to it.
    let granted = scene.kernel.grant(path_grant("agent", "/srv"), None, &scene.log, now());
    assert!(matches!(granted, Err(IssueError::Holder)));
    let handed_on = scene.kernel.delegate(child.id(), pass_on("agent"), &scene.log, now());
    assert!(matches!(handed_on, Err(IssueError::Holder)));
}

#[test]
fn a_revocation_that_is_none_is_not_committed() {
    let scene = Scene::new();
    let before = scene.store.epoch();
    let nameless = RevocationTarget::Issuer(String::new());
    let done = scene.kernel.revoke(Target::Evidence(nameless), "x", &scene.log, now());
    assert!(matches!(done, Err(RevokeError::Invalid(_))), "{done:?}");
    assert_eq!(scene.store.epoch(), before);
    assert!(scene.kernel.list(now()).is_ok());
}
