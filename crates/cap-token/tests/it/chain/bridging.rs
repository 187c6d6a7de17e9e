//! Capabilities of this project and chains, where they mean the same.

use std::time::Duration;

use cap_core::{
    AbsPath, AccessRequest, Attenuation, Capability, CapabilityId, CommandRequest, Constraints,
    Delegation, Kinds, Mapping, Operation, Operations, PathRequest, Resource, ResourceType,
    RootGrant, ToolName, ToolRequest, UrlRequest, UrlTarget,
};
use cap_crypto::Signer;
use cap_token::chain::{
    Author, BridgeError, Call, CapabilityRoot, ChainLimits, ChainVerifier, MintError, Presentation,
    RootToken, Tools, Untracked, VerifiedChain,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::support::{Case, ISSUER, NOW, RANDOM, at, key, policy};

fn id(byte: u8) -> CapabilityId {
    CapabilityId::new([byte; 10], at(NOW))
}

fn constraints(value: Value) -> Constraints {
    serde_json::from_value(value).unwrap()
}

fn granted(kind: ResourceType, resource: &str, more: Value) -> Capability {
    let grant = RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: kind,
        resource: resource.to_owned(),
        operations: Operations::NONE.with(Operation::Call),
        constraints: constraints(more),
        expires_at: Some(at(NOW) + TimeDelta::hours(1)),
    };
    Capability::grant(id(1), grant, at(NOW)).unwrap()
}

fn tool(resource: &str, more: Value) -> Capability {
    granted(ResourceType::Tool, resource, more)
}

fn refused(capability: &Capability) -> BridgeError {
    Tools::from_capability(capability).unwrap_err()
}

fn rooted(capability: &Capability, now: DateTime<Utc>) -> Result<CapabilityRoot, BridgeError> {
    RootToken::from_capability(
        capability,
        ISSUER,
        key(2).key().clone(),
        &ChainLimits::default(),
        now,
    )
}

fn permitted(root: &CapabilityRoot, name: &str, args: &str) -> Option<VerifiedChain> {
    let author = Author::default();
    let token = author.mint_root_of(root, &key(1), &RANDOM, at(NOW)).unwrap();
    let proof = author.prove(&token, &Call::new(name, args), &key(2), &RANDOM, at(NOW)).ok()?;
    let presentation = Presentation { aat_chain: vec![token], aat_pop: proof };
    let verifier = ChainVerifier::new(policy()).unwrap();
    Some(verifier.verify(&presentation, name, args, &Untracked, at(NOW)).unwrap())
}

fn request(name: &str, args: &str) -> AccessRequest {
    let tool = ToolRequest {
        name: name.parse().unwrap(),
        arguments: serde_json::from_str(args).unwrap(),
        mapping: Mapping::Listed { kinds: Kinds::NONE, unlisted_argument: None },
    };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

#[test]
fn a_capability_for_tools_and_its_chain_permit_the_same_calls() {
    let arguments = json!({"fs/read": {
        "path": {"constraint_type": "one_of", "values": ["/a", "/b"]},
        "head": {"constraint_type": "range", "max": 10, "optional": true},
    }});
    let capability =
        tool("fs/*", json!({"allowed_tools": ["fs/read", "fs/list"], "arguments": arguments}));
    let root = rooted(&capability, at(NOW)).unwrap();
    assert_eq!((root.token.lifetime, root.token.max_depth), (Duration::from_secs(3600), 5));
    let mut both = 0;
    for name in ["fs/read", "fs/list", "fs/write", "net/read"] {
        for args in [
            "{}",
            r#"{"path":"/a"}"#,
            r#"{"path":"/c"}"#,
            r#"{"path":"/b","head":10.0}"#,
            r#"{"path":"/b","head":11}"#,
            r#"{"path":"/a","x":1}"#,
            r#"{"head":1}"#,
            r#"{"path":7}"#,
        ] {
            let here = capability.permits(&request(name, args), at(NOW)).is_allow();
            let verified = permitted(&root, name, args);
            assert_eq!(here, verified.is_some(), "{name} {args}");
            if let Some(verified) = verified {
                let back = capability_of(&verified, ResourceType::Tool, name);
                assert!(back.permits(&request(name, args), at(NOW)).is_allow());
                assert!(!back.permits(&request("net/read", args), at(NOW)).is_allow());
                let end = verified.expires_at();
                assert!(!back.permits(&request(name, args), end).is_allow());
                both += 1;
            }
        }
    }
    assert_eq!(both, 8 + 2);
}

/// What a verified chain permits, as a capability of this project.
fn capability_of(verified: &VerifiedChain, kind: ResourceType, resource: &str) -> Capability {
    let grant = RootGrant {
        principal: "chain".parse().unwrap(),
        resource_type: kind,
        resource: resource.to_owned(),
        operations: if kind == ResourceType::Any { Operations::ALL } else { Operations::CALL },
        constraints: verified.to_constraints().unwrap(),
        expires_at: Some(verified.expires_at()),
    };
    Capability::grant(id(2), grant, at(NOW)).unwrap()
}

#[test]
fn a_chain_permits_nothing_that_a_tool_touches() {
    let capability = tool("net/*", json!({"allowed_tools": ["net/get"]}));
    let args = r#"{"url":"http://169.254.169.254/"}"#;
    let verified = permitted(&rooted(&capability, at(NOW)).unwrap(), "net/get", args).unwrap();
    let url = UrlTarget::parse("http://169.254.169.254/").unwrap();
    let path = AbsPath::parse("/etc/passwd").unwrap();
    let command = CommandRequest {
        program: "tar".to_owned(),
        arguments: vec!["-x".to_owned()],
        environment: vec![],
    };
    let touched = [
        (Resource::Url(UrlRequest::lexical(url)), Operation::Read),
        (Resource::Path(PathRequest::lexical(path)), Operation::Read),
        (Resource::Command(command), Operation::Execute),
        (Resource::Method("resources/read".to_owned()), Operation::Call),
    ]
    .map(|(resource, operation)| AccessRequest::new(resource, Operations::NONE.with(operation)));
    let mut mapped = request("net/get", args);
    if let Resource::Tool(tool) = &mut mapped.resource {
        let kinds = Kinds::RESOURCES;
        tool.mapping = Mapping::Listed { kinds, unlisted_argument: None };
    }
    // The widest capability permits all of it, but for what the constraints forbid.
    let top = granted_all();
    for back in [
        capability_of(&verified, ResourceType::Tool, "net/get"),
        capability_of(&verified, ResourceType::Any, "*"),
    ] {
        let permits =
            |it: &Capability, request: &AccessRequest| it.permits(request, at(NOW)).is_allow();
        assert_eq!(permits(&back, &mapped), permits(&capability, &mapped));
        assert!(permits(&back, &mapped));
        for request in &touched {
            assert!(permits(&top, request), "{request:?}");
            assert!(!permits(&capability, request), "{request:?}");
            assert!(!permits(&back, request), "{request:?}");
        }
    }
}

fn granted_all() -> Capability {
    let grant = RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: ResourceType::Any,
        resource: "*".to_owned(),
        operations: Operations::ALL,
        constraints: Constraints::default(),
        expires_at: None,
    };
    Capability::grant(id(3), grant, at(NOW)).unwrap()
}

#[test]
fn a_root_never_outlives_its_capability_however_late_it_is_minted() {
    let capability = tool("fs/read", json!({"allowed_tools": ["fs/read"]}));
    let root = rooted(&capability, at(NOW)).unwrap();
    let end = capability.expires_at().unwrap();
    let verifier = ChainVerifier::new(policy()).unwrap();
    for late in [0, 1, 1800, 3599] {
        let now = at(NOW + late);
        let token = Author::default().mint_root_of(&root, &key(1), &RANDOM, now).unwrap();
        let chain = [token];
        assert!(verifier.verify_chain(&chain, end - TimeDelta::seconds(1)).is_ok());
        assert!(verifier.verify_chain(&chain, end).is_err(), "{late}");
    }
    for late in [3600, 3601] {
        let late = Author::default().mint_root_of(&root, &key(1), &RANDOM, at(NOW + late));
        assert_eq!(late, Err(MintError::Lifetime));
    }
    let mut shorter = root;
    shorter.token.lifetime = Duration::from_secs(60);
    let token = Author::default().mint_root_of(&shorter, &key(1), &RANDOM, at(NOW)).unwrap();
    assert!(verifier.verify_chain(&[token], at(NOW + 60)).is_err());
}

#[test]
fn what_a_chain_cannot_say_is_refused_by_name() {
    let one = |more: Value| {
        let mut all = json!({"allowed_tools": ["fs/read"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(&tool("fs/*", all))
    };
    for (more, name) in [
        (json!({"max_calls": 3}), "limits"),
        (json!({"not_before": "2024-01-01T00:00:00Z"}), "not_before"),
        (json!({"custom": {"x": 1}}), "custom"),
    ] {
        assert_eq!(one(more), BridgeError::Constraint(name));
    }
    assert_eq!(refused(&tool("fs/*", json!({}))), BridgeError::ToolsNotNamed);
    assert_eq!(refused(&tool("*", json!({}))), BridgeError::ToolsNotNamed);
    assert_eq!(refused(&tool("fs/*", json!({"paths": ["/srv/**"]}))), BridgeError::NotOfTools);
    assert_eq!(refused(&granted(ResourceType::Any, "*", json!({}))), BridgeError::NotOfTools);
    assert_eq!(
        refused(&granted(ResourceType::Path, "/srv/**", json!({}))),
        BridgeError::NotOfTools
    );
    let arguments = |rules: Value| {
        let more = json!({"allowed_tools": ["fs/read"], "arguments": {"fs/read": rules}});
        refused(&tool("fs/*", more))
    };
    let ours = arguments(json!({"p": {"constraint_type": "path", "within": ["/srv/**"]}}));
    assert!(matches!(ours, BridgeError::Arguments { tool, .. } if tool == "fs/read"));
    let nested = arguments(
        json!({"p": {"constraint_type": "all", "constraints": [{"constraint_type": "glob", "pattern": "*"}]}}),
    );
    assert!(matches!(nested, BridgeError::Arguments { .. }));
}

#[test]
fn a_delegated_capability_gives_what_is_left_of_it() {
    let parent = tool("fs/*", json!({"allowed_tools": ["fs/read", "fs/list"]}));
    let delegation = |more: Value| Delegation {
        principal: "bob".parse().unwrap(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: constraints(more),
        expires_at: None,
        attenuation: Attenuation::Intersect,
    };
    let child = |more: Value| parent.delegate(id(2), delegation(more), at(NOW)).unwrap().0;
    let one = child(json!({"allowed_tools": ["fs/list", "net/get"]}));
    let tools = Tools::from_capability(&one).unwrap();
    assert_eq!(tools.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["fs/list"]);
    let expiring = child(json!({"expires_at": "2024-01-01T00:30:00Z"}));
    let root = rooted(&expiring, at(NOW)).unwrap();
    assert_eq!(i64::try_from(root.token.lifetime.as_secs()).unwrap(), 1_704_069_000 - NOW);
    assert_eq!(rooted(&expiring, at(1_704_069_000)).unwrap_err(), BridgeError::Expired);
    assert_eq!(rooted(&parent, at(NOW + 3600)).unwrap_err(), BridgeError::Expired);
}

#[test]
fn what_of_a_chain_has_no_equal_here_is_refused() {
    let verified = Case::of(1).run().unwrap();
    let name = BridgeError::ToolName("read_file".into());
    assert_eq!(verified.to_constraints().unwrap_err(), name);
    let mut deep = json!({"constraint_type": "wildcard"});
    for _ in 0..9 {
        deep = json!({"constraint_type": "any", "constraints": [deep]});
    }
    let mut case =
        Case::of(1).tools(0, json!({"fs/read": {"path": deep}})).proof("aat_tool", "fs/read");
    case.tool = "fs/read".into();
    let error = case.run().unwrap().to_constraints().unwrap_err();
    assert!(matches!(error, BridgeError::Arguments { .. }));
    assert!("fs/read".parse::<ToolName>().is_ok());
    let mut empty = rooted(&tool("fs/read", json!({})), at(NOW)).unwrap();
    empty.token.tools = Tools::new();
    assert_eq!(
        Author::default().mint_root_of(&empty, &key(1), &RANDOM, at(NOW)),
        Err(MintError::Empty)
    );
}
