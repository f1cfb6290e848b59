//! The gRPC services as strangers find them: reflection, health, and refusals without a key.

use serde_json::Value;
use tonic::Code;
use turnpike_tests::{dev::Dev, place, process, rpc::Rpc};

async fn grpcurl(arguments: &[&str]) -> (bool, String) {
    let mut command = process::command(place::python().with_file_name("grpcurl"));
    let ended = command.arg("-plaintext").args(arguments).output().await.unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    (
        ended.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test]
async fn reflection_tells_of_every_service_and_health_answers() {
    let dev = Dev::start().await;
    let at = dev.admin.control_plane().to_string();
    let (done, services) = grpcurl(&[&at, "list"]).await;
    assert!(done, "{services}");
    for service in [
        "turnpike.admin.v1.CredentialService",
        "turnpike.admin.v1.GrantService",
        "turnpike.admin.v1.AuditService",
        "turnpike.sync.v1.",
        "turnpike.audit.v1.",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(service), "{service} is not in {services}");
    }
    let (done, health) = grpcurl(&[&at, "grpc.health.v1.Health/Check"]).await;
    assert!(done && health.contains("SERVING"), "{health}");
}

/// It is on the listener for edges that have enrolled, where its own tests ask.
const ELSEWHERE: &str = "turnpike.sync.v1.Enrolment";

/// Every method of ours that a control plane has, as `package.Service/Method`.
pub(crate) async fn methods(dev: &Dev) -> Vec<String> {
    let at = dev.admin.control_plane().to_string();
    let (_, services) = grpcurl(&[&at, "list"]).await;
    let mut all = Vec::new();
    let here = |name: &&str| name.starts_with("turnpike.") && *name != ELSEWHERE;
    for service in services.lines().filter(here) {
        let (done, methods) = grpcurl(&[&at, "list", service]).await;
        assert!(done && !methods.trim().is_empty(), "{methods}");
        let named = methods.lines().filter_map(|method| method.rsplit_once('.'));
        all.extend(named.map(|(service, method)| format!("{service}/{method}")));
    }
    assert!(all.len() > 80, "{all:?}");
    all
}

/// It asks for a token of its own.
pub(crate) const BOOTSTRAP: &str = "turnpike.admin.v1.BootstrapService/Bootstrap";

#[tokio::test]
async fn every_method_refuses_whoever_has_no_key_and_those_of_edges_whoever_has_any() {
    let dev = Dev::start().await;
    let rpc = Rpc::at(dev.admin.control_plane());
    let key = dev.granted("caller").await;
    let (own, operators) = (dev.admin.token(), dev.operator.token());
    for method in methods(&dev).await.iter().filter(|method| *method != BOOTSTRAP) {
        let without = rpc.call(method, None, None).await;
        assert_eq!(without.0, Code::Unauthenticated, "{method}: {without:?}");
        for bad in [
            "",
            "tp_va_made_up",
            "eyJhbGciOiJub25lIn0.e30.",
            &"x".repeat(5_000),
        ] {
            assert_eq!(
                rpc.call(method, Some(bad), None).await,
                without,
                "{method} by {bad}"
            );
        }
        if method.starts_with("turnpike.admin.") {
            continue;
        }
        // What edges ask is answered to no person and no application, whatever they may.
        for somebody in [own, operators, &key.text] {
            for tenant in [None, Some("platform")] {
                assert_eq!(
                    rpc.call(method, Some(somebody), tenant).await,
                    without,
                    "{method}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_program_without_our_command_line_administers_by_reflection_alone() {
    let dev = Dev::start().await;
    let at = dev.admin.control_plane().to_string();
    let authorization = format!("authorization: Bearer {}", dev.admin.token());
    let create = r#"{"account": {"name": "by-hand"}, "options": {"wait": "WAIT_APPLIED"}}"#;
    let arguments = [
        "-H",
        &authorization,
        "-d",
        create,
        &at,
        "turnpike.admin.v1.VirtualAccountService/Create",
    ];
    let (done, answer) = grpcurl(&arguments).await;
    assert!(done, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["account"]["principal"], &answer["receipt"]["applied"]),
        (&"virtual-account:by-hand".into(), &true.into())
    );
}
