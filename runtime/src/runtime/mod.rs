//! Floor 9: the runtime as users see it: making one, spawning into it, joining, ending it.
//!
//! - `config`: what a runtime can be told, by code and by environment; `builder`: `RuntimeBuilder`;
//! - `handle`: `Runtime`, `Handle`; `default`: the one that is there without being made;
//! - `spawn`: `spawn`, `spawn_local`, `Builder`; `join`: `JoinHandle` and its errors;
//! - `entry`: what the attribute macros call.

mod builder;
mod config;
mod default;
pub(crate) mod entry;
mod handle;
mod join;
mod spawn;

pub use builder::RuntimeBuilder;
pub use config::Homes;
pub(crate) use default::current_reactor;
pub use handle::{Handle, Runtime, ShutdownError};
pub use join::{JoinError, JoinHandle};
pub use spawn::{Builder, spawn, spawn_local};
