use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::{Beneath, CommandRequest, Kinds, Mapping, ToolRequest};

fn owner() -> CapabilityId {
    "01a1fdfa-4600-7000-8000-000000000000".parse().unwrap()
}

fn obligation(limits: Limits) -> Obligation {
    Obligation { owner: owner(), limits }
}

fn budget(max: u64, cost: &[(&str, u64)]) -> Budget {
    let cost = cost.iter().map(|(tool, units)| (tool.parse().unwrap(), *units)).collect();
    Budget { cost, max }
}

fn in_seconds(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 999_999_999).unwrap()
}

fn tool(name: &str) -> AccessRequest {
    tool_with(name, Mapping::Listed { kinds: Kinds::NONE, unlisted_argument: None })
}

fn tool_with(name: &str, mapping: Mapping) -> AccessRequest {
    let arguments = serde_json::Map::new();
    let tool = ToolRequest { name: name.parse().unwrap(), arguments, mapping };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

fn path(what: &[Operation], size: Option<u64>, physical: Physical, reach: Reach) -> AccessRequest {
    let path =
        PathRequest { size, physical, reach, ..PathRequest::lexical("/a/b".parse().unwrap()) };
    AccessRequest::new(Resource::Path(path), what.iter().copied().collect())
}

fn found(sizes: &[Result<u64, DenyCode>]) -> Physical {
    let beneath = |size: &Result<u64, DenyCode>| Beneath {
        root: "/a".parse().unwrap(),
        real: size.map(|_| "/a/b".parse().unwrap()),
        size: size.unwrap_or(1_000_000),
    };
    Physical::Resolved(sizes.iter().map(beneath).collect())
}

fn method() -> AccessRequest {
    AccessRequest::new(Resource::Method("prompts/get".into()), Operations::CALL)
}

fn command() -> AccessRequest {
    let command = CommandRequest { program: "git".into(), arguments: vec![], environment: vec![] };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

/// What is charged for a call, by meter.
fn charged(limits: &Limits, requests: &[AccessRequest]) -> Result<Vec<(Meter, u64)>, DenyCode> {
    let charges = obligation(limits.clone()).charges(requests);
    let charges = charges.map_err(|denial| denial.code())?;
    assert!(charges.iter().all(|charge| charge.owner == owner()));
    Ok(charges.iter().map(|charge| (charge.meter, charge.amount)).collect())
}

#[test]
fn a_burst_comes_free_at_the_rate_rounded_up() {
    for (burst, max, per_seconds, seconds) in [
        (10, 60, 60, 10),
        (7, 100, 60, 5),
        (5, 100, 60, 3),
        (1, 2, 1, 1),
        (1, 3, 10, 4),
        (1, MAX_RATE, MAX_RATE_SECONDS, 1),
        (MAX_RATE - 1, MAX_RATE, MAX_RATE_SECONDS, MAX_RATE_SECONDS),
    ] {
        let rate = RateLimit { burst: Some(burst), ..RateLimit::new(max, per_seconds) };
        rate.check().unwrap();
        assert_eq!(rate.burst_seconds(), Some(seconds), "{rate:?}");
    }
    assert_eq!(RateLimit::new(60, 60).burst_seconds(), None);
    // What `check` refuses ends in no panic, either.
    let huge = RateLimit { burst: Some(u64::MAX), ..RateLimit::new(0, u64::MAX) };
    assert_eq!(huge.burst_seconds(), Some(u64::MAX));
}

#[test]
fn limits_have_bounds() {
    let rate = |burst, max, per_seconds| Limits {
        rate_limit: Some(RateLimit { burst, max, per_seconds }),
        ..Limits::default()
    };
    let calls = |max| Limits { max_calls: Some(max), ..Limits::default() };
    let bytes = |max| Limits { max_bytes: Some(max), ..Limits::default() };
    let budget = |max, cost| Limits { budget: Some(budget(max, cost)), ..Limits::default() };
    for good in [
        Limits::default(),
        rate(None, 1, 1),
        rate(None, MAX_RATE, MAX_RATE_SECONDS),
        rate(Some(1), 2, 1),
        rate(Some(MAX_RATE - 1), MAX_RATE, 1),
        calls(1),
        calls(MAX_UNITS),
        bytes(0),
        bytes(MAX_UNITS),
        budget(1, &[("*", 0)]),
        budget(MAX_UNITS, &[("a/b", MAX_UNITS), ("a/*", 0)]),
    ] {
        assert_eq!(good.check(), Ok(()), "{good:?}");
    }
    for (field, bad) in [
        ("rate_limit", rate(None, 0, 1)),
        ("rate_limit", rate(None, 1, 0)),
        ("rate_limit", rate(None, MAX_RATE + 1, 1)),
        ("rate_limit", rate(None, 1, MAX_RATE_SECONDS + 1)),
        ("rate_limit", rate(Some(0), 2, 1)),
        ("rate_limit", rate(Some(2), 2, 1)),
        ("rate_limit", rate(Some(1), 1, 1)),
        ("rate_limit", rate(Some(u64::MAX), 2, 1)),
        ("max_calls", calls(0)),
        ("max_calls", calls(MAX_UNITS + 1)),
        ("max_bytes", bytes(MAX_UNITS + 1)),
        ("budget", budget(0, &[("*", 1)])),
        ("budget", budget(MAX_UNITS + 1, &[("*", 1)])),
        ("budget", budget(1, &[("*", MAX_UNITS + 1)])),
        ("budget", budget(1, &[])),
    ] {
        assert_eq!(bad.check().unwrap_err().field(), field, "{bad:?}");
    }
    let many = |count| {
        let cost = (0..count).map(|n| (alloc::format!("a/{n}").parse().unwrap(), 1)).collect();
        Budget { cost, max: 1 }
    };
    assert_eq!(many(MAX_ALTERNATIVES).check(), Ok(()));
    assert!(many(MAX_ALTERNATIVES + 1).check().is_err());
    assert!(obligation(Limits::default()).check().is_err());
    assert!(obligation(calls(1)).check().is_ok());
    assert!(obligation(calls(0)).check().is_err());
}

#[test]
fn limits_are_empty_when_each_is() {
    assert!(Limits::default().is_empty());
    for one in [
        Limits { rate_limit: Some(RateLimit::new(1, 1)), ..Limits::default() },
        Limits { max_calls: Some(1), ..Limits::default() },
        Limits { max_bytes: Some(0), ..Limits::default() },
        Limits { budget: Some(budget(1, &[("*", 1)])), ..Limits::default() },
    ] {
        assert!(!one.is_empty(), "{one:?}");
    }
}

#[test]
fn every_limit_is_charged_on_its_own_meter() {
    let all = Limits {
        rate_limit: Some(RateLimit { burst: Some(3), max: 10, per_seconds: 60 }),
        max_calls: Some(100),
        max_bytes: Some(1_000),
        budget: Some(budget(50, &[("*", 7)])),
    };
    let read = path(&[Operation::Read], None, found(&[Ok(20)]), Reach::Object);
    let charges = obligation(all.clone()).charges(&[tool("a/b"), read]).unwrap();
    let expected = [
        (Meter::Rate, 1, 10, Some(60)),
        (Meter::Burst, 1, 3, Some(18)),
        (Meter::Calls, 1, 100, None),
        (Meter::Bytes, 20, 1_000, None),
        (Meter::Budget, 7, 50, None),
    ];
    let expected = expected.map(|(meter, amount, max, per_seconds)| Charge {
        owner: owner(),
        meter,
        amount,
        max,
        per_seconds,
    });
    assert_eq!(charges, expected);
    let periods = |now| charges.iter().map(|charge| charge.period(now)).collect::<Vec<_>>();
    assert_eq!(periods(in_seconds(0)), [0, 0, 0, 0, 0]);
    assert_eq!(periods(in_seconds(17)), [0, 0, 0, 0, 0]);
    assert_eq!(periods(in_seconds(18)), [0, 1, 0, 0, 0]);
    assert_eq!(periods(in_seconds(119)), [1, 6, 0, 0, 0]);
    assert_eq!(periods(in_seconds(120)), [2, 6, 0, 0, 0]);
    assert_eq!(periods(in_seconds(-1_000)), [0, 0, 0, 0, 0]);
    assert_eq!(RateLimit::new(10, 60).period(in_seconds(119)), 1);
    assert_eq!(RateLimit::new(10, 0).period(in_seconds(119)), 0);
    // Nothing is charged for no bytes, and nothing for what is free.
    let free = Limits { budget: Some(budget(50, &[("*", 0)])), ..all };
    let amounts = charged(&free, &[tool("a/b")]).unwrap();
    assert_eq!(amounts, [(Meter::Rate, 1), (Meter::Burst, 1), (Meter::Calls, 1)]);
}

#[test]
fn a_call_costs_what_the_most_specific_entry_says() {
    let table = budget(100, &[("*", 1), ("a/*", 10), ("a/b", 20), ("b/x", 30), ("a/free", 0)]);
    let limits = Limits { budget: Some(table.clone()), ..Limits::default() };
    for (name, units) in [
        ("a/b", 20),
        ("a/c", 10),
        ("a/b/c", 10),
        ("a/B", 10),
        ("ab/b", 1),
        ("b/x", 30),
        ("b/y", 1),
        ("c/a/b", 1),
    ] {
        assert_eq!(table.cost_of(&name.parse().unwrap()), Some(units), "{name}");
        assert_eq!(charged(&limits, &[tool(name)]), Ok(vec![(Meter::Budget, units)]), "{name}");
    }
    assert_eq!(charged(&limits, &[tool("a/free")]), Ok(vec![]));
    let read = path(&[Operation::Read], None, Physical::Unknown, Reach::Subtree);
    assert_eq!(charged(&limits, &[read.clone(), tool("a/b")]), Ok(vec![(Meter::Budget, 20)]));
    assert_eq!(
        charged(&limits, &[tool("a/b"), tool("b/x"), command()]),
        Ok(vec![(Meter::Budget, 50)])
    );
    let dear = Limits { budget: Some(budget(100, &[("*", u64::MAX)])), ..Limits::default() };
    assert_eq!(charged(&dear, &[tool("a/b"), tool("a/b")]), Ok(vec![(Meter::Budget, u64::MAX)]));
}

#[test]
fn a_call_without_a_cost_is_refused() {
    let limits =
        Limits { budget: Some(budget(100, &[("a/*", 10), ("b/x", 1)])), ..Limits::default() };
    let unknown = Err(DenyCode::CostUnknown);
    assert_eq!(charged(&limits, &[tool("b/y")]), unknown);
    assert_eq!(charged(&limits, &[tool("ab/x")]), unknown);
    assert_eq!(charged(&limits, &[tool("b/x/y")]), unknown);
    assert_eq!(charged(&limits, &[tool("b/x"), tool("b/y")]), unknown);
    let denial = obligation(limits).charges(&[tool("b/y`")]).unwrap_err();
    assert_eq!(denial.constraint(), Some("budget"));
    let expected = "the budget of capability 01a1fdfa-4600-7000-8000-000000000000 and its \
                    descendants has no cost for tool `b/y\\u{60}`; a call of a tool that \
                    it lists would pass";
    assert_eq!(denial.reason(), expected);
    // A pattern of tools does not mean what is none, as in `allowed_tools`.
    let any = Limits { budget: Some(budget(100, &[("*", 1)])), ..Limits::default() };
    let read = path(&[Operation::Read], Some(1), Physical::Unknown, Reach::Object);
    for requests in [vec![method()], vec![read], vec![command()], vec![]] {
        assert_eq!(charged(&any, &requests), unknown, "{requests:?}");
    }
}

#[test]
fn bytes_are_those_that_are_read_and_those_that_are_written() {
    use Operation::{Delete, List, Read, Write};
    let limits = Limits { max_bytes: Some(MAX_UNITS), ..Limits::default() };
    let escapes = Err(DenyCode::PathEscapes);
    let unknown = || Physical::Unknown;
    let object = Reach::Object;
    for (request, bytes) in [
        (path(&[Read], None, found(&[Ok(7)]), object), Some(7)),
        (path(&[Read], Some(9), found(&[Ok(7)]), object), Some(7)),
        (path(&[Read], None, found(&[Ok(7), Ok(8), Ok(6)]), object), Some(8)),
        (path(&[Read], None, found(&[escapes, Ok(8)]), object), Some(8)),
        (path(&[Read], None, found(&[Ok(0)]), object), Some(0)),
        (path(&[Read], Some(9), unknown(), object), Some(9)),
        (path(&[Read], Some(9), found(&[]), object), Some(9)),
        (path(&[Write], Some(9), unknown(), object), Some(9)),
        (path(&[Write], Some(9), found(&[Ok(1_000)]), object), Some(9)),
        (path(&[Write, Delete, List], Some(9), unknown(), object), Some(9)),
        (path(&[Read, Write], Some(9), found(&[Ok(7)]), object), Some(16)),
        (path(&[Read, Write], Some(u64::MAX), found(&[Ok(7)]), object), Some(u64::MAX)),
        (path(&[List, Delete], None, unknown(), Reach::Subtree), Some(0)),
        (method(), Some(0)),
        (tool("a/b"), Some(0)),
        // What is not known.
        (path(&[Read], None, unknown(), object), None),
        (path(&[Read], None, found(&[]), object), None),
        (path(&[Read], None, found(&[escapes]), object), None),
        (path(&[Read], Some(9), Physical::Refused(DenyCode::PathEscapes), object), None),
        (path(&[Write], None, unknown(), object), None),
        (path(&[Write], None, found(&[Ok(7)]), object), None),
        (path(&[Read, Write], None, found(&[Ok(7)]), object), None),
        (path(&[Read], Some(9), found(&[Ok(7)]), Reach::Subtree), None),
        (path(&[Write], Some(9), found(&[Ok(7)]), Reach::Subtree), None),
        (path(&[Operation::Execute], Some(9), found(&[Ok(7)]), object), None),
        (path(&[Operation::Execute, Read], Some(9), found(&[Ok(7)]), object), None),
        (command(), None),
        (tool_with("a/b", Mapping::Unlisted), None),
        (
            tool_with(
                "a/b",
                Mapping::Listed { kinds: Kinds::NONE, unlisted_argument: Some("x".into()) },
            ),
            None,
        ),
    ] {
        let expected = match bytes {
            Some(0) => Ok(vec![]),
            Some(bytes) => Ok(vec![(Meter::Bytes, bytes)]),
            None => Err(DenyCode::SizeUnknown),
        };
        let requests = [request];
        assert_eq!(charged(&limits, &requests), expected, "{requests:?}");
        let [request] = requests;
        let known = path(&[Read], None, found(&[Ok(5)]), object);
        let together = charged(&limits, &[known, request]);
        let expected = bytes.map(|bytes| vec![(Meter::Bytes, bytes.saturating_add(5))]);
        assert_eq!(together.ok(), expected);
        // Whoever does not limit bytes does not ask for them.
        let calls = Limits { max_calls: Some(1), ..Limits::default() };
        assert!(charged(&calls, &requests_of(bytes)).is_ok());
    }
}

/// Some call of as many bytes.
fn requests_of(size: Option<u64>) -> Vec<AccessRequest> {
    vec![path(&[Operation::Write], size, Physical::Unknown, Reach::Object)]
}

#[cfg(feature = "url")]
#[test]
fn bytes_of_a_url_are_not_known() {
    let limits = Limits { max_bytes: Some(MAX_UNITS), ..Limits::default() };
    let url = crate::UrlRequest::lexical(crate::UrlTarget::parse("https://example.com/").unwrap());
    let read = Operations::NONE.with(Operation::Read);
    let request = AccessRequest::new(Resource::Url(url), read);
    assert_eq!(charged(&limits, &[request]), Err(DenyCode::SizeUnknown));
}

#[test]
fn unknown_bytes_are_refused_with_what_would_pass() {
    let limits = Limits { max_bytes: Some(10), ..Limits::default() };
    let denial = obligation(limits).charges(&requests_of(None)).unwrap_err();
    assert_eq!(denial.constraint(), Some("max_bytes"));
    assert!(denial.reason().contains(&owner().to_string()), "{denial}");
    assert!(denial.reason().ends_with("a call on single files of known size would pass"));
}

#[test]
fn a_refusal_names_the_limit_its_owner_and_what_would_pass() {
    let refusal = |meter, amount, per_seconds, left| {
        let charge = Charge { owner: owner(), meter, amount, max: 50, per_seconds };
        let denial = charge.refusal(left);
        assert_eq!(denial.constraint(), Some(meter.constraint()));
        assert_eq!(denial.code(), meter.deny_code());
        denial.reason().to_string()
    };
    let set = "which capability 01a1fdfa-4600-7000-8000-000000000000 sets for itself and its \
               descendants, is";
    for (reason, expected) in [
        (
            refusal(Meter::Rate, 1, Some(60), 0),
            alloc::format!(
                "the limit of 50 calls in 60 s, {set} reached; a call in the next period would pass"
            ),
        ),
        (
            refusal(Meter::Burst, 1, Some(7), 0),
            alloc::format!(
                "the limit of 50 calls in 7 s, {set} reached; a call in the next period would pass"
            ),
        ),
        (
            refusal(Meter::Calls, 1, None, 0),
            alloc::format!(
                "the limit of 50 calls, {set} reached; nothing more passes that is charged to it"
            ),
        ),
        (
            refusal(Meter::Bytes, 30, None, 20),
            alloc::format!(
                "the limit of 50 bytes, {set} not enough; this call needs 30, and one that needs \
                 at most 20 would pass"
            ),
        ),
        (
            refusal(Meter::Budget, 30, None, 20),
            alloc::format!(
                "the limit of 50 units, {set} not enough; this call needs 30, and one that needs \
                 at most 20 would pass"
            ),
        ),
    ] {
        assert_eq!(reason, expected);
    }
}

#[test]
fn names_of_meters_are_those_of_stores() {
    let names = Meter::ALL.map(|meter| meter.to_string());
    assert_eq!(names, ["rate", "burst", "calls", "bytes", "budget"]);
}

#[cfg(feature = "serde")]
mod json {
    use super::*;

    const OWNER: &str = r#""owner":"01a1fdfa-4600-7000-8000-000000000000""#;

    fn read(members: &str) -> Result<Obligation, serde_json::Error> {
        serde_json::from_str(&alloc::format!("{{{members}}}"))
    }

    #[test]
    fn an_obligation_is_an_object_of_its_owner_and_its_limits() {
        let rate = r#""rate_limit":{"max":2,"per_seconds":1}"#;
        for members in [
            alloc::format!("{OWNER},{rate}"),
            alloc::format!(r#"{OWNER},"rate_limit":{{"burst":1,"max":2,"per_seconds":1}}"#),
            alloc::format!(r#""max_calls":1,{OWNER}"#),
            alloc::format!(r#""max_bytes":0,{OWNER}"#),
            alloc::format!(r#""budget":{{"cost":{{"a/*":1}},"max":3}},{OWNER}"#),
            alloc::format!(
                r#""budget":{{"cost":{{"!/b":0,"*":1,"a/*":2,"a/b":3}},"max":9007199254740991}},"max_bytes":5,"max_calls":4,{OWNER},{rate}"#
            ),
        ] {
            let obligation = read(&members).unwrap();
            let text = serde_json::to_string(&obligation).unwrap();
            assert_eq!(text, alloc::format!("{{{members}}}"));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::from_value::<Obligation>(value).unwrap(), obligation);
        }
    }

    #[test]
    fn what_is_no_obligation_is_refused() {
        for members in [
            "",
            r#""max_calls":1"#,
            r#""owner":null,"max_calls":1"#,
            r#""owner":"x","max_calls":1"#,
        ] {
            assert!(read(members).is_err(), "{members}");
        }
        for limits in [
            "",
            r#""limits":{"max_calls":1}"#,
            r#""max_calls":1,"extra":1"#,
            r#""max_calls":1,"max_calls":1"#,
            r#""max_calls":null"#,
            r#""max_calls":0"#,
            r#""max_calls":-1"#,
            r#""max_calls":1.0"#,
            r#""max_calls":1e3"#,
            r#""max_calls":"1""#,
            r#""max_calls":true"#,
            r#""max_calls":9007199254740992"#,
            r#""max_calls":18446744073709551616"#,
            r#""max_bytes":null"#,
            r#""max_bytes":-1"#,
            r#""max_bytes":[1]"#,
            r#""max_bytes":9007199254740992"#,
            r#""rate_limit":null"#,
            r#""rate_limit":5"#,
            r#""rate_limit":[2,1]"#,
            r#""rate_limit":{"max":2}"#,
            r#""rate_limit":{"max":2,"per_seconds":1,"x":1}"#,
            r#""rate_limit":{"max":2,"per_seconds":1,"burst":null}"#,
            r#""rate_limit":{"max":2,"per_seconds":1,"burst":0}"#,
            r#""rate_limit":{"max":2,"per_seconds":1,"burst":2}"#,
            r#""rate_limit":{"max":3,"per_seconds":1,"burst":1,"burst":2}"#,
            r#""rate_limit":{"max":0,"per_seconds":1}"#,
            r#""budget":null"#,
            r#""budget":[{"*":1},1]"#,
            r#""budget":{"max":1}"#,
            r#""budget":{"cost":{"*":1}}"#,
            r#""budget":{"cost":{"*":1},"max":0}"#,
            r#""budget":{"cost":{"*":1},"max":1,"x":1}"#,
            r#""budget":{"cost":{},"max":1}"#,
            r#""budget":{"cost":null,"max":1}"#,
            r#""budget":{"cost":["*"],"max":1}"#,
            r#""budget":{"cost":{"*":null},"max":1}"#,
            r#""budget":{"cost":{"*":-1},"max":1}"#,
            r#""budget":{"cost":{"*":1.5},"max":1}"#,
            r#""budget":{"cost":{"*":1.0},"max":1}"#,
            r#""budget":{"cost":{"*":"1"},"max":1}"#,
            r#""budget":{"cost":{"*":9007199254740992},"max":1}"#,
            r#""budget":{"cost":{"*":1,"*":1},"max":1}"#,
            r#""budget":{"cost":{"a/b":1,"a/b":2},"max":1}"#,
            r#""budget":{"cost":{"a":1},"max":1}"#,
            r#""budget":{"cost":{"a/":1},"max":1}"#,
            r#""budget":{"cost":{"":1},"max":1}"#,
        ] {
            assert!(read(&alloc::format!("{OWNER},{limits}")).is_err(), "{limits}");
        }
        assert!(serde_json::from_str::<Obligation>(r#"["x",1]"#).is_err());
        assert!(serde_json::from_str::<Obligation>("null").is_err());
    }
}
