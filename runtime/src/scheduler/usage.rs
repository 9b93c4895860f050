//! How much of their stacks the greenlets of each spawn site have used.
//!
//! Where a runtime measures, a greenlet begins on a stack without any memory, and at its end the pages that have memory are
//! counted: the system's own record, to the page. That costs two system calls a greenlet and a page fault for each page
//! that it uses, so it is asked for.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Mutex;

use crate::base::lock::lock;

/// How much stack the greenlets spawned at one place have used, as [`Handle::stack_usage`](crate::Handle::stack_usage) tells.
///
/// # Examples
///
/// ```
/// let runtime = sward::Runtime::builder().workers(1).measure_stacks(true).build()?;
/// for _ in 0..3 {
///     runtime.spawn(|| ()).join().unwrap();
/// }
/// let usage = &runtime.handle().stack_usage()[0];
/// assert_eq!((usage.greenlets, usage.site.file()), (3, file!()));
/// assert!(usage.most_used <= usage.stack_size);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StackUsage {
    /// Where they were spawned.
    pub site: &'static Location<'static>,
    /// How many there were that have run.
    pub greenlets: u64,
    /// The most that one of them has used, in bytes, a whole number of pages.
    pub most_used: usize,
    /// The size of the largest stack that one of them had, in bytes.
    pub stack_size: usize,
}

/// The table: one line a site.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<HashMap<&'static Location<'static>, StackUsage>>);

impl Usage {
    /// Enters a greenlet that has ended.
    pub(super) fn enter(&self, site: &'static Location<'static>, used: usize, size: usize) {
        add(&mut lock(&self.0), site, used, size);
    }

    /// The table with `others`, who have not ended, entered as well; the most used first.
    pub(super) fn table_with(
        &self,
        others: impl Iterator<Item = (&'static Location<'static>, usize, usize)>,
    ) -> Vec<StackUsage> {
        let mut table = lock(&self.0).clone();
        others.for_each(|(site, used, size)| add(&mut table, site, used, size));
        let mut table: Vec<_> = table.into_values().collect();
        table.sort_by_key(|line| (std::cmp::Reverse(line.most_used), line.site));
        table
    }
}

fn add(
    table: &mut HashMap<&'static Location<'static>, StackUsage>,
    site: &'static Location<'static>,
    used: usize,
    size: usize,
) {
    let line = table.entry(site).or_insert(StackUsage {
        site,
        greenlets: 0,
        most_used: 0,
        stack_size: 0,
    });
    line.greenlets += 1;
    line.most_used = line.most_used.max(used);
    line.stack_size = line.stack_size.max(size);
}
