//! What the examples need and what is not about greenlets: `hello_http`'s understanding of a request.
//!
//! The examples themselves are the files in `examples/`; start one with
//! `cargo run --release -p sward-examples --example hello_http`.

#![forbid(unsafe_code)]

pub mod request;
