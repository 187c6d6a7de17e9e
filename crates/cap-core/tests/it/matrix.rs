//! Which kind of request each type of capability, and each constraint, permits.

use cap_core::{AccessRequest, Kind, Kinds, ResourceType};
use serde_json::{Value, json};

use crate::support::*;

/// The requests of the columns, each in its most ordinary form.
fn columns() -> Vec<AccessRequest> {
    let mapped = |kind| tool("s/t", json!({}), Some(Kinds::NONE.with(kind)));
    vec![
        command("git"),
        method("prompts/get"),
        read("/srv/data/a.txt"),
        url("https://a.example/x"),
        url("http://127.0.0.1"),
        tool("s/t", json!({}), None),
        call("s/t"),
        mapped(Kind::Command),
        mapped(Kind::Path),
        mapped(Kind::Url),
    ]
}

/// One line of a table: a type, a resource, constraints, and a mark for each column.
fn check(table: &str) {
    let mut rows = 0;
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [kind, resource, constraints, marks] = cells[..] else { panic!("{line}") };
        let kind: ResourceType = kind.parse().unwrap();
        let constraints: Value = serde_json::from_str(constraints).unwrap();
        let capability = grant(kind, resource, constraints);
        let columns = columns();
        let marks: Vec<&str> = marks.split_whitespace().collect();
        assert_eq!(marks.len(), columns.len(), "{line}");
        for (at, (request, mark)) in columns.iter().zip(marks).enumerate() {
            let wanted = match mark {
                "+" => true,
                "-" => false,
                other => panic!("{other}"),
            };
            assert_eq!(permits(&capability, request), wanted, "column {}: {line}", at + 1);
        }
        rows += 1;
    }
    assert!(rows > 0);
}

#[test]
fn each_type_permits_its_kind_and_the_tools_that_are_mapped_to_it() {
    // Columns: command, method, path, URL, URL of this machine; then a tool: unlisted, listed
    // without kinds, mapped to commands, to paths, to URLs.
    check(
        "
        any     | *                 | {} | + + + + +  + + + + +
        command | *                 | {} | + - - - -  - - + - -
        command | git               | {} | + - - - -  - - + - -
        command | ls                | {} | - - - - -  - - + - -
        method  | *                 | {} | - + - - -  - - - - -
        method  | prompts/*         | {} | - + - - -  - - - - -
        method  | tasks/*           | {} | - - - - -  - - - - -
        path    | *                 | {} | - - + - -  - - - + -
        path    | /srv/data         | {} | - - + - -  - - - + -
        path    | /srv/*/*.txt      | {} | - - + - -  - - - + -
        path    | /srv/dat          | {} | - - - - -  - - - + -
        tool    | *                 | {} | - - - - -  + + + + +
        tool    | s/*               | {} | - - - - -  + + + + +
        tool    | s/t               | {} | - - - - -  + + + + +
        tool    | s/u               | {} | - - - - -  - - - - -
        url     | *                 | {} | - - - + -  - - - - +
        url     | https://a.example | {} | - - - + -  - - - - +
        url     | http://127.0.0.1  | {} | - - - - -  - - - - +
        ",
    );
}

#[test]
fn a_constraint_that_speaks_of_a_kind_grants_it_and_one_that_only_bounds_it_does_not() {
    check(
        r#"
        tool | * | {"paths": ["/srv"]}                                      | - - + - -  - + + + +
        tool | * | {"urls": ["*"]}                                          | - - - + -  - + + + +
        tool | * | {"allowed_domains": ["a.example"]}                       | - - - + -  - + + + +
        tool | * | {"protocols": ["https"]}                                 | - - - + -  - + + + +
        tool | * | {"commands": ["git"]}                                    | + - - - -  - + + + +
        tool | * | {"allowed_methods": ["*"]}                               | - + - - -  + + + + +
        tool | * | {"and": [{"paths": ["/srv"]}, {"commands": ["*"]}]}      | + - + - -  - + + + +
        tool | * | {"paths": ["/srv"], "kinds": ["tool"]}                   | - - - - -  - + + + +
        tool | * | {"kinds": ["*"]}                                         | - - - - -  + + + + +
        tool | * | {"allowed_extensions": ["txt"], "max_file_size": 9}      | - - - - -  + + + + +
        tool | * | {"ports": [443], "methods": ["GET"], "cidr": ["::/0"]}    | - - - - -  + + + + +
        tool | * | {"private_networks": true}                               | - - - - -  + + + + +
        tool | * | {"command_args": {"git": [["**"]]}, "environment": ["A"]} | - - - - -  + + + + +
        tool | * | {"urls": ["*"], "private_networks": true}                 | - - - + +  - + + + +
        tool | * | {"tool_kinds": ["path"], "paths": ["/srv"]}                | - - + - -  - - - + -
        tool | * | {"allowed_tools": ["*"]}                                 | - - - - -  + + + + +
        path | * | {"allowed_tools": ["s/t"]}                               | - - + - -  - + + + +
        path | * | {"and": [{"allowed_tools": ["s/t"]}]}                    | - - + - -  - + + + +
        path | * | {"allowed_tools": ["s/u"]}                               | - - + - -  - - - - -
        path | * | {"allowed_tools": ["s/t"], "tool_kinds": ["path"]}       | - - + - -  - - - + -
        path | * | {"urls": ["*"]}                                          | - - + + -  - - - + -
        path | * | {"kinds": ["path"]}                                      | - - + - -  - - - - -
        url  | * | {"private_networks": true}                               | - - - + +  - - - - +
        url  | http://127.0.0.1 | {"private_networks": true}                | - - - - +  - - - - +
        url  | * | {"ports": ["1-443"]}                                     | - - - + -  - - - - +
        url  | * | {"ports": [80], "private_networks": true}                | - - - - +  - - - - +
        url  | * | {"methods": ["GET"]}                                     | - - - - -  - - - - +
        url  | * | {"cidr": ["0.0.0.0/0"]}                                  | - - - - -  - - - - +
        command | * | {"command_args": {"git": []}, "environment": []}      | - - - - -  - - + - -
        command | * | {"command_args": {"git": [["**"]]}}                   | + - - - -  - - + - -
        url  | * | {"allowed_domains": ["b.example"]}                       | - - - - -  - - - - +
        any  | * | {"paths": ["/srv"]}                                      | + + + + +  - + + + +
        any  | * | {"paths": ["/etc"]}                                      | + + - + +  - + + + +
        any  | * | {"kinds": ["path"]}                                      | - - + - -  - - - - -
        any  | * | {"private_networks": false}                              | + + + + -  + + + + +
        any  | * | {"command_args": {"git": []}}                            | - + + + +  + + + + +
        any  | * | {"allowed_tools": []}                                    | + + + + +  - - - - -
        "#,
    );
}

#[test]
fn each_operation_is_permitted_only_where_it_is_granted() {
    for granted in cap_core::Operation::ALL {
        let capability = constrained(json!({"operations": [granted.name()]}));
        for asked in cap_core::Operation::ALL {
            let request = on_path(path("/a"), cap_core::Operations::NONE.with(asked));
            assert_eq!(permits(&capability, &request), granted == asked, "{granted} {asked}");
        }
    }
}
