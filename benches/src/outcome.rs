//! What one measurement gives: named figures, on one line of JSON between processes.
//!
//! The names and their units are those of the workload's definition.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome(BTreeMap<String, f64>);

impl Outcome {
    /// An outcome with one figure; add others by [`with`](Self::with).
    pub(crate) fn of(name: &str, value: f64) -> Self {
        Self::default().with(name, value)
    }

    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Reads the line that a child printed.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let not_ours = || format!("not an outcome: {line:?}");
        let Ok(Value::Object(object)) = serde_json::from_str(line) else {
            return Err(not_ours());
        };
        let figure = |(name, value): (String, Value)| Some((name, value.as_f64()?));
        let figures: Option<_> = object.into_iter().map(figure).collect();
        figures.map(Self).ok_or_else(not_ours)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), (*value).into()));
        Value::Object(object.collect()).fmt(f)
    }
}
