//! A capability's id with its MAC.

use cap_core::{DenyCode, Evidence};
use cap_crypto::{MacKeyring, OsRandom, Purpose};
use cap_kernel::{Claim, Kernel};

use crate::scene::{Scene, decide, now, path_grant, read, refusal};

fn text(text: &str) -> Claim {
    Claim::Evidence(Evidence::CapabilityId(text.into()))
}

#[test]
fn good_evidence_is_verified_and_gives_what_was_granted() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let claim = scene.evidence(&capability);
    let authority = scene.kernel.verify(&claim, now()).unwrap();
    assert_eq!(authority.capabilities().collect::<Vec<_>>(), [&*capability]);
    assert!(decide(&scene.kernel, &claim, &[read("/srv/a")], now()).is_allow());
    assert!(!decide(&scene.kernel, &claim, &[read("/etc/a")], now()).is_allow());
}

#[test]
fn evidence_that_does_not_verify_has_one_code_and_one_sentence_whatever_is_wrong_with_it() {
    let scene = Scene::new();
    let one = scene.grant(path_grant("agent", "/srv"));
    let other = scene.grant(path_grant("agent", "/srv"));
    let good = scene.kernel.evidence(&one);
    let (id, mac) = good.split_once('.').unwrap();
    let (key, tag) = mac.split_once('.').unwrap();
    let others = scene.kernel.evidence(&other);
    let mut wrong_tag = tag.to_owned();
    let first = if tag.starts_with('A') { "B" } else { "A" };
    wrong_tag.replace_range(..1, first);
    let unknown = scene.kernel.new_id(now()).unwrap();
    let foreign = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let foreign = foreign.mac(one.to_json().as_bytes());
    let audit = MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap();
    let audit = audit.mac(one.to_json().as_bytes());

    let bad = [
        format!("{id}.{key}.{wrong_tag}"),
        format!("{id}.{}", others.split_once('.').unwrap().1),
        format!("{unknown}.{mac}"),
        format!("{id}.{foreign}"),
        format!("{id}.{audit}"),
        format!("{id}.{key}.{}", "A".repeat(43)),
        format!("{id}.{key}"),
        format!("{id}.{mac}."),
        format!("{id}.{mac} "),
        format!(" {id}.{mac}"),
        format!("{}.{mac}", id.to_uppercase()),
        format!("{}.{mac}", id.replace('-', "")),
        id.to_owned(),
        mac.to_owned(),
        String::new(),
        ".".into(),
        "..".into(),
        "\0".into(),
        "x".repeat(100_000),
    ];
    let denials: Vec<_> =
        bad.iter().map(|bad| scene.kernel.verify(&text(bad), now()).unwrap_err()).collect();
    assert_eq!(denials[0].code(), DenyCode::EvidenceInvalid);
    assert!(denials.iter().all(|denial| *denial == denials[0]));
    assert_eq!(refusal(&scene.kernel, &text(&good), now()), None);
}

#[test]
fn evidence_is_the_same_in_every_kernel_of_one_state_and_worth_nothing_in_another() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let claim = scene.evidence(&capability);
    assert_eq!(refusal(&scene.another_kernel(), &claim, now()), None);
    assert_eq!(refusal(&Scene::new().kernel, &claim, now()), Some(DenyCode::EvidenceInvalid));
}

#[test]
fn evidence_of_a_retiring_key_is_good_until_the_key_is_retired() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let claim = scene.evidence(&capability);
    let open = || MacKeyring::open(scene.folder.path(), Purpose::CapabilityMac).unwrap();
    let kernel = |macs| {
        Kernel::open(scene.store.clone(), macs, None, std::sync::Arc::new(OsRandom)).unwrap()
    };
    let macs = open();
    let old = macs.active().clone();
    macs.rotate(&OsRandom, now()).unwrap();
    assert_eq!(refusal(&kernel(open()), &claim, now()), None);
    macs.retire(&old).unwrap();
    assert_eq!(refusal(&kernel(open()), &claim, now()), Some(DenyCode::EvidenceInvalid));
}

#[test]
fn a_capability_that_expired_is_refused_under_good_evidence() {
    let scene = Scene::new();
    let mut grant = path_grant("agent", "/srv");
    grant.expires_at = Some(crate::scene::after(60));
    let claim = scene.evidence(&scene.grant(grant));
    assert_eq!(refusal(&scene.kernel, &claim, crate::scene::after(59)), None);
    let expired = refusal(&scene.kernel, &claim, crate::scene::after(60));
    assert_eq!(expired, Some(DenyCode::CapabilityExpired));
}
