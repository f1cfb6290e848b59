//! The edge's readers of foreign bytes, compiled without the edge: what is fuzzed needs no server, no TLS and no gRPC,
//! and so it builds in seconds. `proxy` is the edge's own folder, by a link.

#![allow(dead_code, reason = "only the readers of the edge are called")]

pub mod proxy;
