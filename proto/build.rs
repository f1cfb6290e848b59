//! Compiles the `.proto` files without `protoc`, and keeps their descriptors for gRPC reflection.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 4] = [
    "turnpike/admin/v1/admin.proto",
    "turnpike/admin/v1/policy.proto",
    "turnpike/audit/v1/audit.proto",
    "turnpike/sync/v1/sync.proto",
];

/// What `src/admin/secret.rs` shows without its secrets.
const SECRETS: [&str; 11] = [
    "turnpike.admin.v1.BootstrapRequest",
    "turnpike.admin.v1.BootstrapResponse",
    "turnpike.admin.v1.TenantResponse",
    "turnpike.admin.v1.SecretResponse",
    "turnpike.admin.v1.EnrolEdgeResponse",
    "turnpike.admin.v1.ReportLeakRequest",
    "turnpike.admin.v1.Introspection",
    "turnpike.admin.v1.CreateProviderRequest",
    "turnpike.admin.v1.UpdateProviderRequest",
    "turnpike.admin.v1.SetAlertDestinationRequest",
    "turnpike.admin.v1.SetAuditSinkRequest",
];

/// Envoy's. They are in no descriptor for reflection, because they are not on the control plane.
const ENVOY: [&str; 1] = ["envoy/service/auth/v3/external_auth.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for folder in ["turnpike", "envoy", "google"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Ordered maps, so that the same message always has the same bytes.
    tonic_prost_build::configure()
        .btree_map(".")
        .skip_debug(SECRETS)
        .compile_fds(descriptors)?;
    tonic_prost_build::configure()
        .btree_map(".")
        .build_client(false)
        .compile_fds(protox::compile(ENVOY, ["."])?)?;
    Ok(())
}
