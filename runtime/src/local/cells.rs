//! What std offers for thread-locals that are a `Cell` or a `RefCell`.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};

use super::key::LocalKey;

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the caller's value. At the first use the initializer is not called.
    ///
    /// # Panics
    ///
    /// If the value has been dropped or is being dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// sward::greenlet_local! {
    ///     static LIMIT: Cell<u32> = panic!("no limit was set");
    /// }
    ///
    /// let handle = sward::spawn(|| {
    ///     LIMIT.set(7);
    ///     LIMIT.get()
    /// });
    /// assert_eq!(handle.join().unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.put(
            value,
            Cell::new,
            |of_thread, value| of_thread.set(value),
            |cell, value| cell.set(value),
        );
    }

    /// A copy of the caller's value.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// sward::greenlet_local! {
    ///     static DEPTH: Cell<u32> = const { Cell::new(1) };
    /// }
    ///
    /// assert_eq!(sward::spawn(|| DEPTH.get()).join().unwrap(), 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the caller's value, and leaves the default.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// sward::greenlet_local! {
    ///     static NEXT: Cell<Option<u32>> = const { Cell::new(Some(1)) };
    /// }
    ///
    /// let handle = sward::spawn(|| (NEXT.take(), NEXT.take()));
    /// assert_eq!(handle.join().unwrap(), (Some(1), None));
    /// ```
    #[inline]
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Sets the caller's value, and returns the one before.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// sward::greenlet_local! {
    ///     static DEPTH: Cell<u32> = const { Cell::new(1) };
    /// }
    ///
    /// let handle = sward::spawn(|| (DEPTH.replace(2), DEPTH.get()));
    /// assert_eq!(handle.join().unwrap(), (1, 2));
    /// ```
    #[inline]
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with the caller's value, borrowed. The borrow lasts while `f` waits.
    ///
    /// # Panics
    ///
    /// If the value is borrowed mutably; and as [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// sward::greenlet_local! {
    ///     static LINES: RefCell<Vec<&'static str>> = RefCell::new(vec!["one"]);
    /// }
    ///
    /// assert_eq!(sward::spawn(|| LINES.with_borrow(Vec::len)).join().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with the caller's value, borrowed mutably. The borrow lasts while `f` waits.
    ///
    /// # Panics
    ///
    /// If the value is borrowed; and as [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// sward::greenlet_local! {
    ///     static LINES: RefCell<Vec<&'static str>> = RefCell::new(Vec::new());
    /// }
    ///
    /// let handle = sward::spawn(|| {
    ///     LINES.with_borrow_mut(|lines| lines.push("one"));
    ///     LINES.with_borrow(Vec::len)
    /// });
    /// assert_eq!(handle.join().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the caller's value. At the first use the initializer is not called.
    ///
    /// # Panics
    ///
    /// If the value is borrowed; if it has been dropped or is being dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// sward::greenlet_local! {
    ///     static USER: RefCell<String> = panic!("no user was set");
    /// }
    ///
    /// let handle = sward::spawn(|| {
    ///     USER.set("ada".to_owned());
    ///     USER.with_borrow(String::len)
    /// });
    /// assert_eq!(handle.join().unwrap(), 3);
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.put(
            value,
            RefCell::new,
            |of_thread, value| of_thread.set(value),
            |cell, value| drop(cell.replace(value)),
        );
    }

    /// Takes the caller's value, and leaves the default.
    ///
    /// # Panics
    ///
    /// If the value is borrowed; and as [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// sward::greenlet_local! {
    ///     static LINES: RefCell<Vec<&'static str>> = RefCell::new(vec!["one"]);
    /// }
    ///
    /// let handle = sward::spawn(|| (LINES.take().len(), LINES.take().len()));
    /// assert_eq!(handle.join().unwrap(), (1, 0));
    /// ```
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Sets the caller's value, and returns the one before.
    ///
    /// # Panics
    ///
    /// If the value is borrowed; and as [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// sward::greenlet_local! {
    ///     static NAME: RefCell<String> = RefCell::new("one".to_owned());
    /// }
    ///
    /// let handle = sward::spawn(|| NAME.replace("two".to_owned()));
    /// assert_eq!(handle.join().unwrap(), "one");
    /// ```
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}
