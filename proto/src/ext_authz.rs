//! `envoy.service.auth.v3`: how Envoy asks whether a request may pass. Modules are nested as the packages are.

#![expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "generated; documented in the .proto files"
)]

/// Envoy's packages.
pub mod envoy {
    pub mod config {
        pub mod core {
            pub mod v3 {
                tonic::include_proto!("envoy.config.core.v3");
            }
        }
    }
    pub mod service {
        pub mod auth {
            pub mod v3 {
                tonic::include_proto!("envoy.service.auth.v3");
            }
        }
    }
    pub mod r#type {
        pub mod v3 {
            tonic::include_proto!("envoy.r#type.v3");
        }
    }
}

/// Google's.
pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

pub use envoy::{
    config::core::v3 as core,
    service::auth::v3::{self, authorization_server},
    r#type::v3 as http,
};
pub use google::rpc;
