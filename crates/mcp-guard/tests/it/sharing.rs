//! Several guards and shells on one state folder.

use std::collections::BTreeSet;
use std::sync::mpsc;

use cap_kernel::Target;
use serde_json::{Value, json};

use crate::library::{Library, everything, limited, now};
use crate::puppet::{Puppet, text_result};
use crate::support::{AUTHORITY, Client, GRANT_NOTHING, Place, code, done, request};

/// A guard of this state whose server answers every call.
fn guard(place: &Place) -> Client {
    let puppet = Puppet::new();
    let client = Client::start(&mut place.run(GRANT_NOTHING, &puppet.command()));
    let server = puppet.started(&client);
    drop(server.answering(|request| text_result(request, "answered")));
    client
}

fn call(client: &mut Client, evidence: &str) -> Value {
    client.call_with(&json!(evidence), "t", &json!({}))
}

#[test]
fn two_guards_spend_a_shared_limit_to_the_last_unit_and_no_further() {
    for max in [1, 2, 7, 100, 1000] {
        let place = Place::new();
        let mut guards = [guard(&place), guard(&place)];
        let library = Library::open(&place.state());
        let log = library.log("test");
        let capability = library.grant(limited("agent", max), &log);
        let evidence = library.kernel.evidence(&capability);
        let allowed = spend(&mut guards, &evidence, max);
        assert_eq!(allowed, max, "of a limit of {max}");
        for guard in &mut guards {
            assert_eq!(code(&call(guard, &evidence)), "limit-rate");
        }
        let [first, second] = guards;
        assert_eq!((first.finish().code, second.finish().code), (Some(0), Some(0)));
        log.close(now()).unwrap();
        library.assert_intact();
        let allowed = library.records().into_iter().filter(|body| {
            body.capability == Some(capability.id().to_string())
                && body.decision == Some(cap_audit::Decision::Allow)
        });
        assert_eq!(allowed.count() as u64, max);
    }
}

/// Calls through both guards at once, until both refuse; how many were allowed.
fn spend(guards: &mut [Client; 2], evidence: &str, max: u64) -> u64 {
    std::thread::scope(|scope| {
        let counts = guards.each_mut().map(|guard| {
            scope.spawn(move || {
                let mut allowed = 0;
                loop {
                    let answer = call(guard, evidence);
                    match code(&answer) {
                        "" => allowed += 1,
                        // Another process is just drawing: nobody is allowed anything by that.
                        "limit-unavailable" => {}
                        "limit-rate" => return allowed,
                        other => panic!("{other}"),
                    }
                    assert!(allowed <= max);
                }
            })
        });
        counts.map(|count| count.join().unwrap()).iter().sum()
    })
}

#[test]
fn descendants_spend_from_the_limit_of_their_ancestor_through_all_guards() {
    let place = Place::new();
    let mut guards = [guard(&place), guard(&place)];
    let library = Library::open(&place.state());
    let log = library.log("test");
    let parent = library.grant(limited("agent", 20), &log);
    let children = ["a", "b"].map(|name| {
        let delegation = cap_core::Delegation {
            principal: name.parse().unwrap(),
            resource_type: None,
            resource: None,
            operations: None,
            constraints: cap_core::Constraints::default(),
            expires_at: None,
            attenuation: cap_core::Attenuation::Strict,
        };
        let (child, _) = library.kernel.delegate(parent.id(), delegation, &log, now()).unwrap();
        library.kernel.evidence(&child)
    });
    let parent = library.kernel.evidence(&parent);
    let mut allowed = 0;
    for evidence in [&parent, &children[0], &children[1]].into_iter().cycle().take(90) {
        for guard in &mut guards {
            allowed += u32::from(code(&call(guard, evidence)).is_empty());
        }
    }
    assert_eq!(allowed, 20);
}

/// 500 in each of two guards.
const REVOCATIONS: usize = 500;

#[test]
fn a_call_after_an_acknowledged_revocation_is_refused_every_time_in_every_guard() {
    let place = Place::new();
    let mut guards = [guard(&place), guard(&place)];
    let library = Library::open(&place.state());
    let log = library.log("test");
    let (mut before, mut after) = (0, 0);
    for round in 0..REVOCATIONS {
        let capability = library.grant(everything("agent"), &log);
        let evidence = library.kernel.evidence(&capability);
        for guard in &mut guards {
            assert_eq!(done(&call(guard, &evidence)), "answered");
            before += 1;
        }
        // The last calls before are not yet answered when the revocation is made.
        let unanswered: Vec<_> = guards.iter_mut().map(|guard| send(guard, &evidence)).collect();
        library
            .kernel
            .revoke(Target::Capability(capability.id()), "the test", &log, now())
            .unwrap();
        let next: Vec<_> = guards.iter_mut().map(|guard| send(guard, &evidence)).collect();
        for (guard, (unanswered, next)) in guards.iter_mut().zip(unanswered.into_iter().zip(next)) {
            for _ in 0..2 {
                let answer = guard.message();
                if answer["id"] == next {
                    assert_eq!(code(&answer), "capability-revoked", "round {round}");
                    after += 1;
                } else {
                    assert_eq!(answer["id"], unanswered);
                }
            }
        }
    }
    assert_eq!((before, after), (2 * REVOCATIONS, 2 * REVOCATIONS));
    println!("{after} calls after {REVOCATIONS} acknowledged revocations, all refused");
    drop(guards);
    log.close(now()).unwrap();
}

fn send(client: &mut Client, evidence: &str) -> u64 {
    let id = client.fresh_id();
    let params = json!({ "name": "t", "arguments": {}, "_meta": { AUTHORITY: evidence } });
    client.tell(&request(id, "tools/call", &params));
    id
}

#[test]
fn a_revocation_binds_while_calls_are_streaming_through_other_guards() {
    let place = Place::new();
    let guards = [guard(&place), guard(&place)];
    let library = Library::open(&place.state());
    let log = library.log("test");
    let capability = library.grant(everything("agent"), &log);
    let evidence = library.kernel.evidence(&capability);
    let (revoked, seen) = (std::sync::atomic::AtomicBool::new(false), mpsc::channel());
    std::thread::scope(|scope| {
        for mut guard in guards {
            let (evidence, revoked, seen) = (&evidence, &revoked, seen.0.clone());
            scope.spawn(move || {
                let mut after = 0;
                while after < 50 {
                    // SECURITY: asked before the call is sent.
                    let was_revoked = revoked.load(std::sync::atomic::Ordering::SeqCst);
                    let answer = call(&mut guard, evidence);
                    if was_revoked {
                        assert_eq!(code(&answer), "capability-revoked");
                        after += 1;
                    } else {
                        seen.send(()).unwrap();
                    }
                }
            });
        }
        for _ in 0..100 {
            seen.1.recv_timeout(crate::support::PATIENCE).unwrap();
        }
        library
            .kernel
            .revoke(Target::Capability(capability.id()), "the test", &log, now())
            .unwrap();
        revoked.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn everything_of_a_principal_ends_for_all_guards_at_once() {
    let place = Place::new();
    let mut guards = [guard(&place), guard(&place)];
    let library = Library::open(&place.state());
    let log = library.log("test");
    let evidence: Vec<_> = ["agent", "agent", "other"]
        .map(|principal| library.kernel.evidence(&library.grant(everything(principal), &log)))
        .into();
    let revoked = place.shell_json(&["revoke", "--principal", "agent", "--json"]);
    assert_eq!(revoked, json!({ "revoked": { "principal": "agent" } }));
    for guard in &mut guards {
        assert_eq!(code(&call(guard, &evidence[0])), "capability-revoked");
        assert_eq!(code(&call(guard, &evidence[1])), "capability-revoked");
        assert_eq!(done(&call(guard, &evidence[2])), "answered");
    }
    // What is granted afterwards is not covered.
    let again = library.kernel.evidence(&library.grant(everything("agent"), &log));
    assert_eq!(done(&call(&mut guards[0], &again)), "answered");
}

#[test]
fn many_guards_may_open_a_new_state_at_once() {
    let place = Place::new();
    let file = place.write("policy.toml", crate::support::ALLOW_ALL);
    let guards: Vec<_> = (0..8)
        .map(|_| {
            let mut command = place.program(&["run", "--policy", file.to_str().unwrap()]);
            command.args(["--", "/bin/cat"]);
            Client::start(&mut command)
        })
        .collect();
    let codes: BTreeSet<_> = guards.into_iter().map(|guard| guard.finish().code).collect();
    assert_eq!(codes, BTreeSet::from([Some(0)]));
    place.assert_intact();
    let library = Library::open(&place.state());
    assert_eq!(library.of_sessions().len(), 8);
    assert!(library.of_sessions().iter().all(|standing| standing.refused.is_some()));
    assert_eq!(library.verify().logs.len(), 8);
}
