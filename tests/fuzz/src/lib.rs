//! The edge's readers of foreign bytes, compiled without the edge: what is fuzzed needs no server, no TLS and no gRPC,
//! and so it builds in seconds.

#![allow(dead_code, reason = "only the readers of the edge are called")]

/// The modules of the edge that are fuzzed, from the edge's own folder.
#[path = "../../../edge/src/proxy"]
pub mod proxy {
    pub mod authzen {
        pub mod properties;
        pub mod read;
    }
    pub mod body;
    pub mod metadata;
    pub mod meter;
    pub mod route;
}
