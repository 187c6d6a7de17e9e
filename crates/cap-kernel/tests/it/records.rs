//! What is in the log.

use std::sync::Arc;

use cap_audit::{Decision, Kind};
use cap_core::{DenyCode, Evidence};
use cap_kernel::{Change, Claim, Context, Target, rule};

use crate::scene::{Scene, now, pass_on, path_grant, read, records, send};
use crate::troubled::Troubled;

fn raw(scene: &Scene) -> String {
    scene.log.flush().unwrap();
    std::fs::read_to_string(scene.log.path()).unwrap()
}

/// No part of a secret of this claim is in the log.
fn tells_nothing_of(scene: &Scene, claim: &Claim) {
    let secret = match claim {
        Claim::Evidence(Evidence::Token(text)) => text.rsplit('.').next().unwrap(),
        Claim::Evidence(Evidence::CapabilityId(text)) => text.rsplit('.').next().unwrap(),
        _ => panic!("no evidence"),
    };
    assert!(secret.len() > 40);
    let log = raw(scene);
    assert!(!log.contains(secret) && !log.contains(secret.get(..20).unwrap()));
}

#[test]
fn the_record_of_a_ruling_names_the_capability_its_chain_the_code_and_the_reason() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let middle = scene.delegate(&root, pass_on("middle"));
    let leaf = scene.delegate(&middle, pass_on("leaf"));
    let claim = scene.evidence(&leaf);
    let _ = send(&scene, &claim, &[read("/srv/a")]).unwrap();
    let denial = send(&scene, &claim, &[read("/etc/a")]).unwrap_err();

    let records = scene.records();
    let [.., allowed, denied] = records.as_slice() else { panic!("two rulings") };
    for record in [allowed, denied] {
        assert_eq!(record.kind, Kind::Ruling);
        assert_eq!(record.trace, "trace");
        assert_eq!(record.server.as_deref(), Some("files"));
        assert_eq!(record.principal.as_deref(), Some("leaf"));
        assert_eq!(record.capability, Some(leaf.id().to_string()));
        // The nearest first.
        assert_eq!(record.chain, [middle.id().to_string(), root.id().to_string()]);
    }
    assert_eq!((allowed.decision, &allowed.code), (Some(Decision::Allow), &None));
    assert_eq!(denied.decision, Some(Decision::Deny));
    assert_eq!(denied.code.as_deref(), Some("path-outside"));
    assert_eq!(denied.reason.as_deref(), Some(denial.reason()));
    tells_nothing_of(&scene, &claim);
}

#[test]
fn the_record_of_a_token_names_its_id_and_not_the_token() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let claim = scene.token(&capability, &[]);
    let _ = send(&scene, &claim, &[read("/srv/a")]).unwrap();
    let record = scene.records().pop().unwrap();
    let id = record.detail["token"].as_str().unwrap();
    assert_eq!((id.len(), record.capability), (22, Some(capability.id().to_string())));
    tells_nothing_of(&scene, &claim);
}

#[test]
fn the_record_of_evidence_that_did_not_verify_names_nobody() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let good = scene.kernel.evidence(&capability);
    let mut bad = good.clone();
    let last = bad.pop();
    bad.push(if last == Some('A') { 'Q' } else { 'A' });
    let claim = Claim::Evidence(Evidence::CapabilityId(bad));
    send(&scene, &claim, &[read("/srv/a")]).unwrap_err();
    let record = scene.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some("evidence-invalid"));
    assert_eq!((record.capability, record.principal), (None, None));
    tells_nothing_of(&scene, &claim);
}

#[test]
fn what_the_caller_says_of_a_call_is_in_its_record() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let authority = scene.kernel.verify(&Claim::Held(capability.id()), now()).unwrap();
    let context = Context {
        trace: "t-1".into(),
        server: "files".into(),
        method: "tools/call".into(),
        tool: Some("read_file".into()),
        detail: serde_json::Map::from_iter([("arguments".to_owned(), "digest".into())]),
    };
    let ruling = rule(context, Ok(&[read("/srv/a")]), Ok(&authority), now());
    let (_, record) = scene.kernel.reserve(ruling, now());
    let body = record.body();
    assert_eq!((body.trace.as_str(), body.at), ("t-1", now()));
    assert_eq!(body.method.as_deref(), Some("tools/call"));
    assert_eq!(body.tool.as_deref(), Some("read_file"));
    assert_eq!(body.detail["arguments"], "digest");
}

#[test]
fn a_change_is_recorded_before_it_is_made() {
    let store = Arc::new(Troubled::default());
    let scene = Scene::on(store.clone());
    let path = scene.log.path();
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let witnessed = Arc::clone(&seen);
    store.watch_commits(move |changes| {
        // What has been given to the operating system, without any help of ours.
        let log = std::fs::read_to_string(&path).unwrap();
        let last = log.lines().rfind(|line| !line.contains(r#""kind":"checkpoint""#)).unwrap();
        let [change] = changes else { panic!("one change at a time") };
        witnessed.lock().push(match change {
            Change::Issued { capability, .. } => {
                last.contains(&format!(r#""capability":"{}""#, capability.id()))
                    && last.contains(r#""kind":"grant""#) != capability.parent().is_some()
                    && last.contains(r#""kind":"delegation""#) == capability.parent().is_some()
            }
            Change::Revoked { .. } => last.contains(r#""kind":"revocation""#),
            _ => false,
        });
    });
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    scene.revoke(Target::Capability(child.id()));
    scene.revoke(Target::Principal("agent".parse().unwrap()));
    scene.revoke(Target::Session(scene.kernel.new_id(now()).unwrap()));
    assert_eq!(*seen.lock(), [true; 5]);
}

#[test]
fn the_records_of_changes_say_what_was_changed_and_no_secret() {
    let scene = Scene::new();
    let session = scene.open_session();
    let root = scene.grant_in(session, path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    scene.revoke(Target::Capability(child.id()));
    scene.revoke(Target::Principal("agent".parse().unwrap()));
    scene.revoke(Target::Session(session));
    let records = records(&scene.log);
    let [grant, delegation, capability, principal, lapse] = records.as_slice() else {
        panic!("five records")
    };
    assert_eq!(grant.kind, Kind::Grant);
    assert_eq!(grant.principal.as_deref(), Some("agent"));
    assert_eq!(grant.capability, Some(root.id().to_string()));
    assert_eq!(grant.detail["capability"], serde_json::to_value(&*root).unwrap());
    assert_eq!(grant.detail["session"], session.to_string());
    assert_eq!(delegation.kind, Kind::Delegation);
    assert_eq!(delegation.principal.as_deref(), Some("sub-agent"));
    assert_eq!(delegation.detail["capability"]["parent"], root.id().to_string());
    for record in [capability, principal, lapse] {
        assert_eq!((record.kind, record.reason.as_deref()), (Kind::Revocation, Some("told to")));
    }
    assert_eq!(capability.capability, Some(child.id().to_string()));
    assert_eq!(principal.principal.as_deref(), Some("agent"));
    assert_eq!(lapse.detail["session"], session.to_string());
    let mut traces: Vec<_> = records.iter().map(|record| record.trace.clone()).collect();
    traces.sort();
    traces.dedup();
    assert_eq!((traces.len(), traces[0].len()), (5, 16));
    for secret in [scene.evidence(&root), scene.evidence(&child)] {
        tells_nothing_of(&scene, &secret);
    }
}

#[test]
fn the_codes_of_the_catalogue_are_those_of_the_records() {
    let scene = Scene::new();
    let claim = Claim::Principal("nobody".parse().unwrap());
    let denial = send(&scene, &claim, &[read("/srv/a")]).unwrap_err();
    assert_eq!(denial.code(), DenyCode::EvidenceMissing);
    let record = scene.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some(DenyCode::EvidenceMissing.code()));
}
