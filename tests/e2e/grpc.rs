//! The gRPC services as strangers find them: reflection, health, and refusals without a key.

use serde_json::Value;
use turnpike_tests::{dev::Dev, place, process};

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

#[tokio::test]
async fn every_service_refuses_whoever_has_no_key() {
    let dev = Dev::start().await;
    let at = dev.admin.control_plane().to_string();
    let (_, services) = grpcurl(&[&at, "list"]).await;
    let guarded = services.lines().filter(|name| name.starts_with("turnpike."));
    for service in guarded.filter(|name| !name.ends_with("BootstrapService")) {
        let (done, methods) = grpcurl(&[&at, "list", service]).await;
        assert!(done && !methods.trim().is_empty(), "{methods}");
        let (service, name) = methods.lines().next().unwrap().rsplit_once('.').unwrap();
        let (done, answer) = grpcurl(&["-d", "{}", &at, &format!("{service}/{name}")]).await;
        assert!(
            !done && answer.contains("Unauthenticated"),
            "{service}/{name}: {answer}"
        );
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
