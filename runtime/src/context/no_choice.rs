//! One switch is built in, `boost`: there is nothing to choose. The counterpart of `choice`.

pub(super) use super::boost::{fresh, switch};

/// The names of the backends, for `SWARD_CONTEXT`.
pub(crate) const NAMES: &[&str] = &["boost"];

/// Whether there is a backend of that name; without one, the default is meant.
#[must_use]
pub(crate) fn choose(name: Option<&str>) -> bool {
    name.is_none_or(|name| NAMES.contains(&name))
}

/// There is no portable hint.
#[inline(always)]
pub(super) fn prefetch(_address: *const u8) {}
