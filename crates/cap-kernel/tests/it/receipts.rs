//! Nothing is released without the receipt of its own record.

use cap_audit::{Durability, Kind, Record};
use cap_core::{Denial, DenyCode};
use cap_kernel::{Claim, admit, rule};

use crate::scene::{Scene, context, limited, now, path_grant, read, reserve, send};

fn scene_and_claim() -> (Scene, Claim) {
    let scene = Scene::new();
    let claim = Claim::Held(scene.grant(limited(path_grant("agent", "/srv"), 2)).id());
    (scene, claim)
}

#[test]
fn a_recorded_permission_releases_the_message() {
    let (scene, claim) = scene_and_claim();
    let permit = send(&scene, &claim, &[read("/srv/a")]).unwrap();
    assert_eq!(permit.into_message(), "message");
}

#[test]
fn a_receipt_of_another_record_releases_nothing() {
    let (scene, claim) = scene_and_claim();
    let (one, record) = reserve(&scene.kernel, &claim, &[read("/srv/a")], now());
    let other = Record::new(Kind::Ruling, "another trace", now());
    assert_ne!(record.digest(), other.digest());
    let receipt = scene.log.append(other, Durability::Synced).unwrap();
    let denial = one.release(receipt, Durability::Buffered, ()).unwrap_err();
    assert_eq!(denial.code(), DenyCode::ReceiptMismatch);

    // That of the denial of the same call, neither.
    let denied =
        rule(context(), Ok(&[read("/srv/a")]), Err(Denial::new(DenyCode::EvidenceMissing)), now());
    let (_, record) = scene.kernel.reserve(denied, now());
    let (allowed, _) = reserve(&scene.kernel, &claim, &[read("/srv/a")], now());
    assert!(allowed.decision().is_allow());
    let receipt = scene.log.append(record, Durability::Synced).unwrap();
    assert!(allowed.release(receipt, Durability::Buffered, ()).is_err());
}

#[test]
fn a_receipt_that_is_less_durable_than_wanted_releases_nothing() {
    use Durability::{Buffered, Synced, Written};
    let scene = Scene::new();
    let claim = Claim::Held(scene.grant(path_grant("agent", "/srv")).id());
    for had in [Buffered, Written, Synced] {
        for wanted in [Buffered, Written, Synced] {
            let (reserved, record) = reserve(&scene.kernel, &claim, &[read("/srv/a")], now());
            let receipt = scene.log.append(record, had).unwrap();
            let released = reserved.release(receipt, wanted, ());
            let code = released.as_ref().err().map(Denial::code);
            let expected = (had < wanted).then_some(DenyCode::ReceiptMismatch);
            assert_eq!(code, expected, "{had:?} {wanted:?}");
        }
    }
}

#[test]
fn a_denial_keeps_its_own_code_whatever_the_receipt() {
    let (scene, claim) = scene_and_claim();
    let denied = |receipt_of_its_own| {
        let (reserved, record) = reserve(&scene.kernel, &claim, &[read("/etc/a")], now());
        let other = Record::new(Kind::Ruling, "another trace", now());
        let appended = if receipt_of_its_own { record } else { other };
        let receipt = scene.log.append(appended, Durability::Buffered).unwrap();
        reserved.release(receipt, Durability::Synced, ()).unwrap_err().code()
    };
    assert_eq!(denied(true), DenyCode::PathOutside);
    assert_eq!(denied(false), DenyCode::PathOutside);
    for _ in 0..2 {
        let _ = send(&scene, &claim, &[read("/srv/a")]).unwrap();
    }
    let denial = send(&scene, &claim, &[read("/srv/a")]).unwrap_err();
    assert_eq!(denial.code(), DenyCode::LimitRate);
}

#[test]
fn a_message_that_needs_no_grant_needs_its_record_all_the_same() {
    let scene = Scene::new();
    let (reserved, record) = scene.kernel.reserve(admit(context(), now()), now());
    let other = Record::new(Kind::Ruling, "", now());
    let receipt = scene.log.append(other, Durability::Written).unwrap();
    assert!(reserved.release(receipt, Durability::Written, ()).is_err());
    let (reserved, again) = scene.kernel.reserve(admit(context(), now()), now());
    assert_eq!(record.digest(), again.digest());
    let receipt = scene.log.append(again, Durability::Written).unwrap();
    assert!(reserved.release(receipt, Durability::Written, ()).is_ok());
}
