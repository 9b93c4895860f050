//! Size classes: the sizes in which stacks come.
//!
//! Powers of two, so that the sizes that users ask for fall into few lists, and a slot that comes back fits
//! the next one that asks. Rounding up costs address space only: a stack's memory is what has been touched of
//! it.
#![forbid(unsafe_code)]

use super::sys;
use std::io;

/// One of the sizes in which stacks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// Usable bytes of the smallest class. Where pages are larger, one page is the smallest. What the queues do on a greenlet's
    /// stack when they shrink takes a few KB in optimised code, and several times as much in other (the test `the_smallest_stacks`).
    pub(crate) const SMALLEST_SIZE: usize = if cfg!(debug_assertions) {
        32 << 10
    } else {
        16 << 10
    };
    /// Usable bytes of the largest class.
    pub(crate) const LARGEST_SIZE: usize = 1 << 30;
    /// Usable bytes of the class for those who do not say: enough for what std and common crates do in one
    /// thread, and a million of them still leave 99.8 % of a 47-bit address space.
    pub(crate) const DEFAULT_SIZE: usize = 256 << 10;
    /// The number of classes.
    pub(super) const COUNT: usize =
        (Self::LARGEST_SIZE.ilog2() - Self::SMALLEST_SIZE.ilog2() + 1) as usize;

    /// The smallest class with at least `bytes` usable bytes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if no class is as large as that.
    pub(crate) fn for_size(bytes: usize) -> io::Result<Class> {
        if bytes > Self::LARGEST_SIZE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a stack of {bytes} bytes was asked for; the largest is {} bytes ({} MiB)",
                    Self::LARGEST_SIZE,
                    Self::LARGEST_SIZE >> 20,
                ),
            ));
        }
        let size = bytes.max(Self::SMALLEST_SIZE).max(sys::page_size());
        let class = size.next_power_of_two().ilog2() - Self::SMALLEST_SIZE.ilog2();
        Ok(Class(class as u8))
    }

    /// The usable bytes of a stack of this class, its guard not counted.
    pub(crate) fn size(self) -> usize {
        Self::SMALLEST_SIZE << self.0
    }

    /// The place of the class in a table of `COUNT`.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    /// All classes, the smallest first.
    pub(super) fn all() -> impl Iterator<Item = Class> {
        (0..Self::COUNT as u8).map(Class)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_up_to_a_class() {
        let smallest = Class::SMALLEST_SIZE.max(sys::page_size());
        for (asked, given) in [
            (0, smallest),
            (1, smallest),
            (smallest, smallest),
            (smallest + 1, 2 * smallest),
            ((64 << 10) + 1, 128 << 10),
            (Class::DEFAULT_SIZE - 1, Class::DEFAULT_SIZE),
            (Class::DEFAULT_SIZE, Class::DEFAULT_SIZE),
            (Class::DEFAULT_SIZE + 1, 2 * Class::DEFAULT_SIZE),
            (Class::LARGEST_SIZE - 1, Class::LARGEST_SIZE),
            (Class::LARGEST_SIZE, Class::LARGEST_SIZE),
        ] {
            assert_eq!(Class::for_size(asked).unwrap().size(), given, "{asked}");
        }
    }

    #[test]
    fn too_large_a_size_is_an_error_that_names_both_sizes() {
        for asked in [Class::LARGEST_SIZE + 1, usize::MAX] {
            let error = Class::for_size(asked).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains(&asked.to_string()), "{text}");
            assert!(text.contains("1073741824 bytes (1024 MiB)"), "{text}");
        }
    }

    #[test]
    fn classes_are_distinct_and_complete() {
        let classes: Vec<Class> = Class::all().collect();
        assert_eq!(classes.len(), Class::COUNT);
        assert_eq!(classes[0].size(), Class::SMALLEST_SIZE);
        assert_eq!(classes[Class::COUNT - 1].size(), Class::LARGEST_SIZE);
        for (index, class) in classes.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            if class.size() >= sys::page_size() {
                assert_eq!(Class::for_size(class.size()).unwrap(), class);
            }
        }
    }
}
