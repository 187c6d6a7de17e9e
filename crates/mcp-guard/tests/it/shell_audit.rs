//! Reading and verifying the audit log from the shell.

use std::io::Write;

use serde_json::json;

use crate::shell::{grant, lines};
use crate::support::{Place, done, folder_policy, refusal};

#[test]
fn the_records_of_a_call_are_found_by_the_trace_id_of_its_answer() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let data = place.path("data");
    let mut client = place.demo(&folder_policy(&data, &["read"], ""), &data);
    assert_eq!(done(&client.call("read_file", &json!({ "path": "a.txt" }))), "a");
    let refused = client.call("read_file", &json!({ "path": "../secret-name" }));
    let trace = refusal(&refused).unwrap()["trace"].as_str().unwrap().to_owned();
    // Also while the guard is running.
    let shown = lines(&place.shell(&["audit", "show", &trace, "--json"]));
    assert_eq!(shown.len(), 1);
    let body = &shown[0]["body"];
    assert_eq!((&body["kind"], &body["decision"]), (&json!("ruling"), &json!("deny")));
    assert_eq!((&body["code"], &body["tool"]), (&json!("path-outside"), &json!("read_file")));
    assert_eq!(body["principal"], "agent");
    assert_eq!(client.finish().code, Some(0));
    let tail = place.shell(&["audit", "tail", "-n", "3"]);
    assert_eq!(tail.rest.len(), 3);
    assert!(place.shell(&["audit", "show", &trace]).stdout().contains("deny path-outside agent"));
}

#[test]
fn a_log_that_was_touched_is_named_with_its_record() {
    let place = Place::new();
    for n in 0..5 {
        grant(&place, &format!("p{n}"), &[]);
    }
    place.assert_intact();
    let file = place.path("state/audit/shell/log.jsonl");
    let good = std::fs::read_to_string(&file).unwrap();
    let put =
        |text: &str| std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    let cut: Vec<_> = good.lines().collect();
    for (bad, said, is_seen_at_once) in [
        (good.replacen("\"p2\"", "\"p9\"", 1), "record", false),
        ([&cut[..3], &cut[4..], &[""]].concat().join("\n"), "record 3", false),
        ([&cut[..5], &[""]].concat().join("\n"), "shell", true),
        (String::new(), "shell", true),
    ] {
        assert_ne!(bad, good);
        put(&bad);
        let ended = place.shell(&["audit", "verify"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout());
        assert!(
            ended.stdout().contains("BAD") && ended.stdout().contains(said),
            "{}",
            ended.stdout()
        );
        let report = place.shell(&["audit", "verify", "--json"]);
        assert_eq!((report.code, &lines(&report)[0]["intact"]), (Some(1), &json!(false)));
        // Where it does not continue what is registered, it is not written on.
        if !is_seen_at_once {
            continue;
        }
        let refused = place.shell(&[
            "grant",
            "--principal",
            "p",
            "--type",
            "any",
            "--resource",
            "*",
            "--operations",
            "*",
        ]);
        assert_eq!(refused.code, Some(2), "{}", refused.stdout());
    }
    std::fs::remove_dir_all(place.path("state/audit/shell")).unwrap();
    let missing = place.shell(&["audit", "verify"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stdout().contains("shell"), "{}", missing.stdout());
}
