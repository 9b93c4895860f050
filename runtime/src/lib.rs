//! sward
