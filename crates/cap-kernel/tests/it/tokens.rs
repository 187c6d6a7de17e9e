//! Capability tokens, and what the state has to say about them.

use cap_core::{Capability, CapabilityId, DenyCode};
use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use cap_kernel::{Kernel, Target};
use chrono::{DateTime, Utc};

use crate::scene::{
    Scene, after, decide, limited, now, pass_on, pass_on_limited, path_grant, read, refusal,
    token_by,
};

/// One that the state does not know.
fn foreign(principal: &str, now: DateTime<Utc>) -> Capability {
    Capability::grant(CapabilityId::new([9; 10], now), path_grant(principal, "/srv"), now).unwrap()
}

fn below(parent: &Capability, asked: cap_core::Delegation) -> Capability {
    let id = CapabilityId::new([7; 10], now());
    parent.delegate(id, asked, now()).unwrap().0
}

const INVALID: Option<DenyCode> = Some(DenyCode::EvidenceInvalid);
const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);

#[test]
fn a_token_gives_what_its_capability_gives() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let token = scene.token(&capability, &[]);
    assert!(decide(&scene.kernel, &token, &[read("/srv/a")], now()).is_allow());
    assert!(!decide(&scene.kernel, &token, &[read("/etc/a")], now()).is_allow());
}

#[test]
fn a_good_token_that_is_too_old_says_so_and_a_bad_one_says_nothing() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let token = scene.token(&capability, &[]);
    let leeway = 300;
    assert_eq!(refusal(&scene.kernel, &token, after(900 + leeway - 1)), None);
    let old = refusal(&scene.kernel, &token, after(900 + leeway));
    assert_eq!(old, Some(DenyCode::CapabilityExpired));

    let strangers = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
    let token = token_by(&strangers, &capability, &[]);
    for now in [now(), after(10_000)] {
        assert_eq!(refusal(&scene.kernel, &token, now), INVALID);
    }
    for text in ["", "ey", "eyJ.e30.x", "ey..", &"ey".repeat(100_000)] {
        let claim = cap_kernel::Claim::Evidence(cap_core::Evidence::from_text(text));
        assert_eq!(refusal(&scene.kernel, &claim, now()), INVALID);
    }
}

#[test]
fn a_kernel_without_a_validator_takes_no_token() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let random = std::sync::Arc::new(OsRandom);
    let kernel = Kernel::open(scene.store.clone(), macs, None, random).unwrap();
    assert_eq!(refusal(&kernel, &scene.token(&capability, &[]), now()), INVALID);
}

#[test]
fn a_token_is_refused_when_its_capability_or_an_ancestor_is_revoked() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    let leaf = scene.delegate(&child, pass_on("sub-sub-agent"));
    let of_leaf = scene.token(&leaf, &[root.id(), child.id()]);
    let of_root = scene.token(&root, &[]);
    assert_eq!(refusal(&scene.kernel, &of_leaf, now()), None);
    scene.revoke(Target::Capability(child.id()));
    assert_eq!(refusal(&scene.kernel, &of_leaf, now()), REVOKED);
    assert_eq!(refusal(&scene.kernel, &of_root, now()), None);
    scene.revoke(Target::Capability(root.id()));
    assert_eq!(refusal(&scene.kernel, &of_root, now()), REVOKED);
}

#[test]
fn a_token_of_a_trusted_issuer_is_good_though_the_state_does_not_know_its_capability() {
    let scene = Scene::new();
    let root = foreign("agent", now());
    let child = below(&root, pass_on("sub-agent"));
    assert_eq!(refusal(&scene.kernel, &scene.token(&root, &[]), now()), None);
    let of_child = scene.token(&child, &[root.id()]);
    assert_eq!(refusal(&scene.kernel, &of_child, now()), None);
    assert!(decide(&scene.kernel, &of_child, &[read("/srv/a")], now()).is_allow());
    // There is nothing to look up, so the id alone is worth nothing.
    assert_eq!(refusal(&scene.kernel, &scene.evidence(&root), now()), INVALID);
    assert_eq!(refusal(&scene.kernel, &cap_kernel::Claim::Held(root.id()), now()), INVALID);
}

#[test]
fn a_foreign_token_below_a_known_capability_falls_with_it() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let known = scene.delegate(&root, pass_on("sub-agent"));
    let child = below(&known, pass_on("elsewhere"));
    let token = scene.token(&child, &[root.id(), known.id()]);
    assert_eq!(refusal(&scene.kernel, &token, now()), None);
    scene.revoke(Target::Capability(root.id()));
    assert_eq!(refusal(&scene.kernel, &token, now()), REVOKED);
}

#[test]
fn a_token_that_contradicts_the_state_about_its_capability_is_refused() {
    let scene = Scene::new();
    let known = scene.grant(path_grant("agent", "/srv"));
    // The same id, with more authority; and with another holder, whom no revocation knows.
    for grant in [path_grant("agent", "/"), path_grant("another", "/srv")] {
        let forged = Capability::grant(known.id(), grant, now()).unwrap();
        assert_eq!(refusal(&scene.kernel, &scene.token(&forged, &[]), now()), INVALID);
    }
    let same = Capability::grant(known.id(), path_grant("agent", "/srv"), now()).unwrap();
    assert_eq!(refusal(&scene.kernel, &scene.token(&same, &[]), now()), None);
}

#[test]
fn a_token_that_hangs_a_known_capability_elsewhere_is_refused() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let other = scene.grant(path_grant("agent", "/srv"));
    let known = scene.delegate(&root, pass_on("sub-agent"));
    let leaf = scene.delegate(&known, pass_on("leaf"));
    // Under a root that is not revoked when the true one is.
    let moved = scene.token(&leaf, &[other.id(), known.id()]);
    assert_eq!(refusal(&scene.kernel, &moved, now()), INVALID);
    let unknown = CapabilityId::new([3; 10], now());
    let moved = scene.token(&leaf, &[unknown, known.id()]);
    assert_eq!(refusal(&scene.kernel, &moved, now()), INVALID);
    let foreign = below(&known, pass_on("elsewhere"));
    let moved = scene.token(&foreign, &[other.id(), known.id()]);
    assert_eq!(refusal(&scene.kernel, &moved, now()), INVALID);
}

#[test]
fn a_foreign_token_charges_the_limits_of_the_known_ones_above_it() {
    let scene = Scene::new();
    let root = scene.grant(limited(path_grant("agent", "/srv"), 3));
    let child = below(&root, pass_on_limited("elsewhere", 100));
    let token = scene.token(&child, &[root.id()]);
    for _ in 0..3 {
        assert!(decide(&scene.kernel, &token, &[read("/srv/a")], now()).is_allow());
    }
    let held = scene.evidence(&root);
    for claim in [&token, &held] {
        let denied = decide(&scene.kernel, claim, &[read("/srv/a")], now());
        assert_eq!(crate::scene::code(&denied), Some(DenyCode::LimitRate));
    }
}

#[test]
fn a_token_that_leaves_out_or_widens_a_limit_above_it_is_refused() {
    let scene = Scene::new();
    let known = scene.grant(limited(path_grant("agent", "/srv"), 3));
    for limits in [serde_json::json!([]), widened(&known)] {
        let mut wire = serde_json::to_value(below(&known, pass_on("elsewhere"))).unwrap();
        assert!(wire["inherited_limits"].is_array());
        wire["inherited_limits"] = limits;
        let child: Capability = serde_json::from_value(wire).unwrap();
        assert_eq!(refusal(&scene.kernel, &scene.token(&child, &[known.id()]), now()), INVALID);
    }
}

fn widened(owner: &Capability) -> serde_json::Value {
    serde_json::json!([{"owner": owner.id(), "rate_limit": {"max": 1000, "per_seconds": 60}}])
}

#[test]
fn a_token_that_leaves_out_one_of_the_limits_of_an_owner_is_refused() {
    let scene = Scene::new();
    let mut grant = limited(path_grant("agent", "/srv"), 3);
    grant.constraints.max_bytes = Some(5);
    let known = scene.grant(grant);
    let mut wire = serde_json::to_value(below(&known, pass_on("elsewhere"))).unwrap();
    for left_out in ["rate_limit", "max_bytes"] {
        let whole = wire.clone();
        let limits = wire["inherited_limits"][0].as_object_mut().unwrap();
        limits.remove(left_out).unwrap();
        let child: Capability = serde_json::from_value(wire).unwrap();
        assert_eq!(refusal(&scene.kernel, &scene.token(&child, &[known.id()]), now()), INVALID);
        wire = whole;
    }
    let child: Capability = serde_json::from_value(wire).unwrap();
    assert_eq!(refusal(&scene.kernel, &scene.token(&child, &[known.id()]), now()), None);
}

#[test]
fn a_token_cannot_charge_a_limit_that_is_not_above_it() {
    let scene = Scene::new();
    let victim = scene.grant(limited(path_grant("victim", "/srv"), 3));
    let root = foreign("agent", now());
    let mut wire = serde_json::to_value(below(&root, pass_on("elsewhere"))).unwrap();
    wire["inherited_limits"] = widened(&victim);
    let child: Capability = serde_json::from_value(wire).unwrap();
    assert_eq!(refusal(&scene.kernel, &scene.token(&child, &[root.id()]), now()), INVALID);
}

#[test]
fn foreign_tokens_of_a_revoked_principal_are_refused_up_to_the_instant_and_the_skew() {
    let scene = Scene::new();
    scene.revoke(Target::Principal("agent".parse().unwrap()));
    let skew = 300;
    for (issued, refused) in [(-3600, true), (0, true), (skew, true), (skew + 1, false)] {
        let keys = &scene.tokens;
        let capability = foreign("agent", after(issued));
        let text = cap_token::Issuer::new(crate::scene::ISSUER, crate::scene::AUDIENCE, keys)
            .issue(&capability, &[], std::time::Duration::from_secs(900), &OsRandom, after(400))
            .unwrap();
        let token = cap_kernel::Claim::Evidence(cap_core::Evidence::Token(text));
        let expected = refused.then_some(DenyCode::CapabilityRevoked);
        assert_eq!(refusal(&scene.kernel, &token, after(400)), expected, "{issued}");
    }
    let other = foreign("another", now());
    assert_eq!(refusal(&scene.kernel, &scene.token(&other, &[]), now()), None);
}
