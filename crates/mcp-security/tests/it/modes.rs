//! Central and token mode: the same requests have the same outcomes.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mcp_security::kernel::TokenError;
use mcp_security::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::scene::{pass_on, path_grant, read};

/// One clock for all threads of one case: proptest runs a case on one thread.
mod clock {
    use super::{AtomicI64, DateTime, Ordering, TimeDelta, Utc};

    thread_local! {
        static SECONDS: AtomicI64 = const { AtomicI64::new(0) };
    }

    pub(super) fn now() -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        start + TimeDelta::seconds(SECONDS.with(|seconds| seconds.load(Ordering::SeqCst)))
    }

    pub(super) fn set(seconds: i64) {
        SECONDS.with(|now| now.store(seconds, Ordering::SeqCst));
    }

    pub(super) fn advance(seconds: i64) {
        SECONDS.with(|now| now.fetch_add(seconds, Ordering::SeqCst));
    }
}

const FOLDERS: [&str; 4] = ["/srv", "/srv/a", "/srv/a/b", "/etc"];
const NAMES: [&str; 3] = ["agent", "helper", "other"];

/// What happens. Numbers choose among what there is by then.
#[derive(Clone, Debug)]
enum Step {
    Grant { name: usize, folder: usize, calls: Option<u64>, seconds: Option<i64> },
    Delegate { parent: usize, name: usize, folder: usize, cut: bool },
    Revoke { which: usize },
    RevokePrincipal { name: usize },
    RevokeForGood { name: usize },
    RevokeBefore { name: usize, seconds: i64 },
    RevokeAnywhere { which: usize },
    Renew { which: usize },
    Rotate,
    Wait { seconds: i64 },
    Read { which: usize, folder: usize },
    ReadBoth { which: usize, folder: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..64;
    let (name, folder) = (0..NAMES.len(), 0..FOLDERS.len());
    prop_oneof![
        8 => (name.clone(), 0..2_usize, prop::option::weighted(0.3, 1_u64..4),
              prop::option::weighted(0.5, 60_i64..1500))
            .prop_map(|(name, folder, calls, seconds)| Step::Grant { name, folder, calls, seconds }),
        6 => (which.clone(), name.clone(), folder.clone(), any::<bool>())
            .prop_map(|(parent, name, folder, cut)| Step::Delegate { parent, name, folder, cut }),
        2 => which.clone().prop_map(|which| Step::Revoke { which }),
        1 => name.clone().prop_map(|name| Step::RevokePrincipal { name }),
        1 => name.clone().prop_map(|name| Step::RevokeForGood { name }),
        1 => (name, -1000_i64..10)
            .prop_map(|(name, seconds)| Step::RevokeBefore { name, seconds }),
        1 => which.clone().prop_map(|which| Step::RevokeAnywhere { which }),
        3 => which.clone().prop_map(|which| Step::Renew { which }),
        1 => Just(Step::Rotate),
        4 => (1_i64..900).prop_map(|seconds| Step::Wait { seconds }),
        16 => (which.clone(), folder.clone()).prop_map(|(which, folder)| Step::Read { which, folder }),
        4 => (which, folder).prop_map(|(which, folder)| Step::ReadBoth { which, folder }),
    ]
}

/// One state, and the evidence for each of its capabilities in the one form.
struct World {
    security: Security,
    mode: TokenMode,
    held: Vec<(CapabilityId, Evidence)>,
}

/// What a step comes to, in words that both modes must share.
type Outcome = String;

impl World {
    fn new(mode: TokenMode) -> Self {
        let security = Security::in_memory()
            .unwrap()
            .with_clock(clock::now)
            .with_token_ttl(Duration::from_secs(24 * 3600))
            .unwrap();
        security.set_token_mode(mode);
        Self { security, mode, held: Vec::new() }
    }

    fn pick(&self, which: usize) -> Option<&(CapabilityId, Evidence)> {
        self.held.get(which.checked_rem(self.held.len())?)
    }

    fn keep(&mut self, issued: Result<Issued, mcp_security::RequestError>) -> Outcome {
        match issued {
            Ok(issued) => {
                let is_token = matches!(issued.evidence, Evidence::Token(_));
                assert_eq!(is_token, self.mode == TokenMode::Token);
                let cut = issued.cut.len();
                self.held.push((issued.capability.id(), issued.evidence));
                format!("issued, {cut} cut")
            }
            // Ids differ between the worlds, and stand in the texts.
            Err(mcp_security::RequestError::Issue(error)) => {
                format!("not issued: {}", format!("{error:?}").split(['(', '{']).next().unwrap())
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn check(&self, which: usize, requests: &[AccessRequest]) -> Outcome {
        let Some((id, evidence)) = self.pick(which) else { return "nobody".into() };
        let validation = self.security.validate_capability(evidence, requests, "message");
        let expired_and_revoked = || {
            let listed = self.security.list_capabilities().unwrap();
            let standing = listed.iter().find(|it| it.capability.id() == *id).unwrap();
            standing.capability.is_expired(clock::now())
                && standing.refused == Some(DenyCode::CapabilityRevoked)
        };
        match validation.outcome {
            Ok(permit) => permit.into_message().into(),
            // Either code tells the truth.
            Err(denial)
                if denial.code() == DenyCode::CapabilityExpired && expired_and_revoked() =>
            {
                DenyCode::CapabilityRevoked.code().into()
            }
            Err(denial) => denial.code().code().into(),
        }
    }

    fn take(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Grant { name, folder, calls, seconds } => {
                let mut grant = path_grant(NAMES[name], FOLDERS[folder]);
                grant.constraints.max_calls = calls;
                grant.expires_at = seconds.map(|s| clock::now() + TimeDelta::seconds(s));
                let issued = self.security.request_capability(grant);
                self.keep(issued)
            }
            Step::Delegate { parent, name, folder, cut } => {
                let Some((parent, _)) = self.pick(parent) else { return "nobody".into() };
                let attenuation = if cut { Attenuation::Intersect } else { Attenuation::Strict };
                let resource = Some(FOLDERS[folder].into());
                let asked = Delegation { resource, attenuation, ..pass_on(NAMES[name]) };
                let issued = self.security.delegate_capability(*parent, asked);
                self.keep(issued)
            }
            Step::Revoke { which } => {
                let Some((id, _)) = self.pick(which) else { return "nobody".into() };
                format!("{:?}", self.security.revoke_capability(*id, "told to").is_ok())
            }
            Step::RevokePrincipal { name } => {
                let name = NAMES[name].parse().unwrap();
                format!("{:?}", self.security.revoke_all_for_principal(&name, "told to").is_ok())
            }
            Step::RevokeForGood { name } => {
                let target = RevocationTarget::Principal(NAMES[name].parse().unwrap());
                format!("{:?}", self.security.revoke_evidence(target, "told to").is_ok())
            }
            Step::RevokeBefore { name, seconds } => {
                let until = clock::now() + TimeDelta::seconds(seconds);
                let name = NAMES[name].parse().unwrap();
                let target = RevocationTarget::PrincipalBefore(name, until);
                format!("{:?}", self.security.revoke_evidence(target, "told to").is_ok())
            }
            Step::RevokeAnywhere { which } => {
                let Some((id, _)) = self.pick(which) else { return "nobody".into() };
                let target = RevocationTarget::Capability(*id);
                format!("{:?}", self.security.revoke_evidence(target, "told to").is_ok())
            }
            Step::Renew { which } => {
                let Some((id, _)) = self.pick(which) else { return "nobody".into() };
                let (id, at) = (*id, which % self.held.len());
                match self.security.evidence_in(self.mode, id) {
                    Ok(evidence) => {
                        self.held[at].1 = evidence;
                        "renewed".into()
                    }
                    Err(error) => error.to_string(),
                }
            }
            Step::Rotate => format!("{:?}", self.security.change_keys(&KeyChange::Rotate).is_ok()),
            Step::Wait { .. } => "waited".into(),
            Step::Read { which, folder } => {
                let path = format!("{}/file", FOLDERS[folder]);
                self.check(which, &[read(&path)])
            }
            Step::ReadBoth { which, folder } => {
                let path = format!("{}/file", FOLDERS[folder]);
                self.check(which, &[read(&path), read("/srv/a/other")])
            }
        }
    }
}

fn outcomes(steps: &[Step]) -> Vec<(Outcome, Outcome)> {
    clock::set(0);
    let (mut central, mut token) = (World::new(TokenMode::Central), World::new(TokenMode::Token));
    let both = steps.iter().map(|step| {
        if let Step::Wait { seconds } = step {
            clock::advance(*seconds);
        }
        (central.take(step), token.take(step))
    });
    both.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_same_request_has_the_same_outcome_in_either_mode(steps in vec(step(), 1..40)) {
        for (at, (central, token)) in outcomes(&steps).into_iter().enumerate() {
            prop_assert_eq!(central, token, "step {}: {:?}", at, steps[at]);
        }
    }
}

#[test]
fn the_steps_reach_permits_and_every_kind_of_denial() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..60 {
        let steps = vec(step(), 40..60).new_tree(&mut runner).unwrap().current();
        for (central, _) in outcomes(&steps) {
            *seen.entry(central).or_default() += 1;
        }
    }
    for wanted in
        ["message", "path-outside", "capability-revoked", "capability-expired", "limit-calls"]
    {
        assert!(seen.get(wanted).is_some_and(|times| *times > 3), "{wanted}: {seen:?}");
    }
}

#[test]
fn the_mode_changes_while_it_runs_and_evidence_of_both_forms_stays_good() {
    let security = Security::in_memory().unwrap();
    assert_eq!(security.token_mode(), TokenMode::Central);
    let central = security.request_capability(path_grant("agent", "/srv")).unwrap();
    security.set_token_mode(TokenMode::Token);
    let token = security.request_capability(path_grant("agent", "/srv")).unwrap();
    let handed_on = security.delegate_capability(central.capability.id(), pass_on("b")).unwrap();
    security.set_token_mode(TokenMode::Central);
    let again = security.request_capability(path_grant("agent", "/srv")).unwrap();
    let is_token = |issued: &Issued| matches!(issued.evidence, Evidence::Token(_));
    assert_eq!([&central, &token, &handed_on, &again].map(is_token), [false, true, true, false]);
    for issued in [&central, &token, &handed_on, &again] {
        let evidence = Evidence::from_text(issued.evidence_text());
        let validation = security.validate_capability(&evidence, &[read("/srv/a")], ());
        assert!(validation.is_permitted(), "{validation}");
    }
}

#[test]
fn the_form_is_chosen_for_one_request_too() {
    let security = Security::in_memory().unwrap();
    let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
    let id = issued.capability.id();
    let central = security.evidence_in(TokenMode::Central, id).unwrap();
    assert_eq!(central, issued.evidence);
    let token = security.evidence_in(TokenMode::Token, id).unwrap();
    assert!(matches!(token, Evidence::Token(_)) && security.token_mode() == TokenMode::Central);
    for evidence in [&central, &token] {
        assert!(security.validate_capability(evidence, &[read("/srv/a")], ()).is_permitted());
    }
    security.revoke_capability(id, "done").unwrap();
    for mode in [TokenMode::Central, TokenMode::Token] {
        let refused = security.evidence_in(mode, id);
        let code = DenyCode::CapabilityRevoked;
        assert!(matches!(refused, Err(TokenError::Capability(it)) if it == code));
    }
    for evidence in [&central, &token] {
        let validation = security.validate_capability(evidence, &[read("/srv/a")], ());
        assert_eq!(validation.denial().unwrap().code(), DenyCode::CapabilityRevoked);
    }
}
