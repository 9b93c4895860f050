//! How a worker runs greenlets: what one needs before it runs, what is done for one that has left, and who is next.
//!
//! `Conductor` is what the greenlets ask, on their own stacks; `run` is the base's way in.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Worker;
use crate::base::link::Link;
use crate::greenlet::switch::{self, Conductor, Ended, Next, Request};
use crate::greenlet::{Header, NOWHERE, NeverRan, Publish, Runnable, UNPARKED};
use crate::home::{Enter, Home};
use crate::scheduler::shared::Presence;
use crate::stack::Stack;

impl Worker {
    /// Runs a greenlet, and those that follow it, until one comes back here.
    pub(super) fn run(&self, mut runnable: Runnable) {
        match self.prepare(&mut runnable, ptr::null(), Effort::Whatever) {
            // SAFETY: we are the carrier's worker on its own stack; the home is occupied and the stack there.
            Prepared::Ready => unsafe { switch::run(ptr::from_ref(self).cast(), runnable) },
            Prepared::Waits => _ = runnable.into_raw(),
            Prepared::NoStack => self.refuse(runnable),
            Prepared::TooMuch => unreachable!("the base does whatever is needed"),
        }
    }

    /// Occupies the greenlet's home, unless it is `mine`, and sees that it has a stack; both it gets now if it never ran.
    #[inline]
    fn prepare(&self, runnable: &mut Runnable, mine: *const Home, effort: Effort) -> Prepared {
        let link = runnable.link();
        let life = runnable.life();
        if life.worker == NOWHERE {
            return self.prepare_fresh(runnable, mine, effort);
        }
        if let Some(context) = &life.context {
            context.prefetch();
        }
        let home = life.home.as_deref().expect("it has run");
        if self.enter_home(home, link, &mut life.holds_home, mine) == Enter::Waits {
            return Prepared::Waits;
        }
        if life.worker != self.index as u32 {
            life.worker = self.index as u32;
            let migrations = &self.remote().counts.migrations;
            migrations.store(migrations.load(Relaxed) + 1, Relaxed);
        }
        Prepared::Ready
    }

    /// The same for one that never ran.
    #[inline(never)]
    fn prepare_fresh(
        &self,
        runnable: &mut Runnable,
        mine: *const Home,
        effort: Effort,
    ) -> Prepared {
        let link = runnable.link();
        let class = runnable.header().class;
        if effort == Effort::Little && !self.stacks.borrow().has(class) {
            return Prepared::TooMuch;
        }
        let life = runnable.life();
        let is_local = life.is_local;
        let home = match &life.home {
            Some(home) => home,
            None => match self.fresh_home(effort) {
                Some(home) => life.home.insert(home),
                None => return Prepared::TooMuch,
            },
        };
        if self.enter_home(home, link, &mut life.holds_home, mine) == Enter::Waits {
            return Prepared::Waits;
        }
        let taken = self.stacks.borrow_mut().take(class);
        match taken {
            Ok(mut stack) => {
                if self.shared.settings.measure {
                    stack.clear();
                }
                let bottom = stack.bottom();
                life.stack = Some(stack);
                runnable.header().stack_mark.begin(bottom);
            }
            Err(error) => {
                self.refusal.replace(Some(Refusal { error, is_local }));
                return Prepared::NoStack;
            }
        }
        runnable.life().worker = self.index as u32;
        Prepared::Ready
    }

    /// Occupies `home` for the greenlet at `link`, unless that holds it already or it is `mine`.
    #[inline]
    fn enter_home(
        &self,
        home: &Home,
        link: NonNull<Link>,
        holds_home: &mut bool,
        mine: *const Home,
    ) -> Enter {
        if home.worker().is_some() || std::mem::take(holds_home) {
            debug_assert!(home.worker().is_none_or(|worker| worker == self.index));
            Enter::Entered
        } else if ptr::eq(home, mine) && !self.is_awaited(home) {
            // Otherwise it queues up behind those who wait.
            self.home_kept.set(true);
            Enter::Entered
        } else {
            // SAFETY: we hold the right to the greenlet, which is in no list. The home outlives the call: the pool keeps it.
            unsafe { home.occupy(link) }
        }
    }

    /// Whether a greenlet waits for `home`, which this worker occupies.
    fn is_awaited(&self, home: &Home) -> bool {
        // SAFETY: as said.
        unsafe { home.is_awaited() }
    }

    /// The next one that is here, ready to run, on behalf of a greenlet that leaves the home `mine`.
    #[inline]
    fn next_here(&self, mine: *const Home) -> Option<Runnable> {
        while let Some(runnable) = self.take_local() {
            match self.prepare_here(runnable, mine) {
                Here::Ready(runnable) => return Some(runnable),
                Here::Waits => {}
                Here::Stashed => return None,
            }
        }
        None
    }

    /// Makes it ready to run if that takes little; otherwise leaves it to the base.
    #[inline]
    fn prepare_here(&self, mut runnable: Runnable, mine: *const Home) -> Here {
        match self.prepare(&mut runnable, mine, Effort::Little) {
            Prepared::Ready => Here::Ready(runnable),
            Prepared::Waits => {
                let _ = runnable.into_raw();
                Here::Waits
            }
            Prepared::TooMuch => {
                self.stash.replace(Some(runnable));
                Here::Stashed
            }
            Prepared::NoStack => unreachable!("a stack was there"),
        }
    }

    /// The home for a greenlet that runs for the first time. `None` if it takes more than a little to get one.
    fn fresh_home(&self, effort: Effort) -> Option<Arc<Home>> {
        if let Some(own) = &self.own_home {
            return Some(own.clone());
        }
        let hot = self.hot.borrow_mut().pop();
        hot.or_else(|| match effort {
            Effort::Little => self.shared.homes.try_acquire(),
            Effort::Whatever => {
                // Threads are started, which may take long on a busy machine: no greenlet holds us up.
                self.remote().set(Presence::Prepares);
                let home = self.shared.homes.acquire();
                self.remote().set(Presence::Up);
                Some(home.expect("a runtime is built with a home"))
            }
        })
    }

    /// Leaves a home that this worker occupies. A greenlet that waited for it runs next.
    fn leave_home(&self, home: &Home) {
        if home.worker().is_some() || self.home_kept.replace(false) {
            return;
        }
        // SAFETY: we occupy it: the greenlet that ran here had it.
        if let Some(link) = unsafe { home.leave() } {
            // SAFETY: the home's list gave the right to it to us.
            let mut next = unsafe { Runnable::from_link(link) };
            next.life().holds_home = true;
            self.push_next(next);
            // It keeps its home from others meanwhile, and the one that runs next has been chosen already.
            self.shared.wake_one_unless_busy();
        }
    }

    /// Enters a greenlet into the census when it suspends for the first time.
    fn note_suspended(&self, runnable: &mut Runnable) {
        if runnable.life().census.is_none() {
            let greenlet = runnable.reference();
            self.residents.set(self.residents.get().wrapping_add(1));
            runnable.life().census = Some(self.shared.census.enter(self.shard(), greenlet));
        }
    }

    /// Counts an end; what the greenlet had is taken from it, and its joiner is told.
    fn finish(&self, mut runnable: Runnable) -> (Option<Stack>, Option<Arc<Home>>) {
        let used = if self.shared.settings.measure {
            self.measure(runnable.header())
        } else {
            None
        };
        runnable.header().stack_mark.end(used);
        let life = runnable.life();
        if let Some(place) = life.census.take() {
            self.shared.census.leave(place);
            // Wraps where greenlets end elsewhere than they were first suspended, with moving homes; nobody looks there.
            self.residents.set(self.residents.get().wrapping_sub(1));
        }
        let had = (life.stack.take(), life.home.take());
        if had.0.is_some() {
            self.stacks.borrow().count_passed(false);
        }
        Self::count(&self.remote().counts.finished);
        runnable.finish();
        if self.shared.is_closed() {
            self.shared.tell_if_drained();
        }
        had
    }

    /// Enters what a greenlet has used of its stack, if it has one, into the table.
    #[cold]
    fn measure(&self, header: &Header) -> Option<usize> {
        let used = header.stack_used()?;
        self.shared
            .usage
            .enter(header.site, used, header.class.size());
        Some(used)
    }

    /// Leaves the home of one that has ended, and keeps it hot for the next or gives it back.
    fn leave_for_good(&self, home: Arc<Home>) {
        self.leave_home(&home);
        let mut hot = self.hot.borrow_mut();
        // A home that a local child lives in still is not for strangers.
        if hot.len() < self.hot_room && home.is_unshared() {
            hot.push(home);
        } else {
            self.shared.homes.release(&home);
        }
    }

    /// Ends a greenlet for which there is no stack. Whoever joins it is told first, for its closure's destructor is user code
    /// and may wait for any greenlet: it runs on the monitor's thread if it can be sent there. One that cannot belongs to the
    /// home it was spawned in, and is dropped under that identity, on the worker's stack, as if on a plain thread.
    #[cold]
    fn refuse(&self, mut runnable: Runnable) {
        let Refusal { error, is_local } = self.refusal.take().expect("it was refused");
        let unrun = runnable.refuse(NeverRan::NoStack(error));
        let (_, home) = self.finish(runnable);
        let home = home.expect("it has entered its home");
        if is_local {
            let carrier = if home.worker().is_some() {
                ptr::from_ref(self).cast()
            } else {
                ptr::null()
            };
            // SAFETY: we occupy the home, on a registered thread; what runs there is a destructor, on the worker's stack, under
            // the identity the closure belongs to. It counts as a plain thread meanwhile.
            unsafe {
                home.announce(ptr::null(), carrier);
                home.run_as(|| unrun.drop_here());
            }
            self.leave_for_good(home);
        } else {
            self.leave_for_good(home);
            // SAFETY: it is not local, so the closure is `Send`.
            self.shared.monitor.drop_later(unsafe { unrun.sendable() });
        }
    }
}

/// How much may be done to make a greenlet run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effort {
    /// What needs no system call and not much of a stack: we are on a greenlet's.
    Little,
    Whatever,
}

/// What `prepare` has made of a greenlet.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prepared {
    /// It has its home and its stack.
    Ready,
    /// It waits for its home: it has been given away to whoever leaves that.
    Waits,
    /// It takes more effort; nothing has been done.
    TooMuch,
    /// There is no stack for it. Its home is occupied.
    NoStack,
}

/// Why a greenlet cannot run.
#[derive(Debug)]
pub(super) struct Refusal {
    error: io::Error,
    /// It was given its home by its parent.
    is_local: bool,
}

/// What `prepare_here` has made of a greenlet.
#[derive(Debug)]
enum Here {
    Ready(Runnable),
    Waits,
    /// The base will run it.
    Stashed,
}

// SAFETY: `carrier` is the first field of a `repr(C)` struct, and made for this type.
unsafe impl Conductor for Worker {
    fn next(&self, leaving: &Header, request: Request) -> Next {
        if request == Request::Park && leaving.wait.is_fired() {
            return Next::Stay;
        }
        if self.shared.stopping.load(Relaxed) {
            // The base sees to it.
        } else if self.tick() || self.carrier.is_budget_spent() {
            self.look_outside.set(true);
        } else {
            // SAFETY: the running greenlet lets us read its life for a moment.
            let life = unsafe { leaving.life() };
            let mine = life.home.as_ref().map_or(ptr::null(), Arc::as_ptr);
            if let Some(runnable) = self.next_here(mine) {
                return Next::Greenlet(runnable);
            }
            let injected = self.shared.has_injected(self.index);
            if request == Request::Yield
                && self.stash.borrow().is_none()
                && !injected
                && !life
                    .home
                    .as_deref()
                    .is_some_and(|home| self.is_awaited(home))
            {
                return Next::Stay;
            }
            // Or the base would find this one first.
            self.look_outside.set(injected);
        }
        self.to_base.set(true);
        Next::Base
    }

    fn settle(&self, mut runnable: Runnable, request: Request) {
        self.note_suspended(&mut runnable);
        if let Some(home) = runnable.life().home.as_deref() {
            // Left before the greenlet is published, so that whoever runs it next finds the home free.
            self.leave_home(home);
        }
        let lonely =
            self.to_base.replace(false) && self.queues.is_empty() && self.stash.borrow().is_none();
        match request {
            // The base will take it itself.
            Request::Yield if lonely && runnable.bound_to().is_none() => {
                self.queues.ready.push(runnable)
            }
            Request::Yield => self.push(runnable),
            Request::Park => match runnable.header().wait.publish() {
                // The right to run it is in the word now.
                Publish::Parked => _ = runnable.into_raw(),
                Publish::Fired => self.push(runnable),
            },
            Request::ParkOpen => match runnable.header().wait.publish_open(UNPARKED) {
                Publish::Parked => _ = runnable.into_raw(),
                Publish::Fired => self.push(runnable),
            },
        }
    }

    fn ended(&self, runnable: Runnable) -> Ended {
        let (Some(stack), Some(home)) = self.finish(runnable) else {
            unreachable!("a greenlet that ran has a stack and a home")
        };
        if self.shared.stopping.load(Relaxed) {
            // The base sees to it.
        } else if self.tick() {
            self.look_outside.set(true);
        } else {
            let mine = Arc::as_ptr(&home);
            while let Some(mut next) = self.take_local() {
                let class = next.header().class;
                let life = next.life();
                if life.worker == NOWHERE
                    && life.home.is_none()
                    && class == stack.class()
                    && !self.shared.settings.measure
                    && home.is_unshared()
                {
                    self.stacks.borrow().count_passed(true);
                    let bottom = stack.bottom();
                    life.stack = Some(stack);
                    life.home = Some(home);
                    life.worker = self.index as u32;
                    next.header().stack_mark.begin(bottom);
                    return Ended::Here(next);
                }
                match self.prepare_here(next, mine) {
                    Here::Ready(next) => {
                        self.spent.replace(Some((stack, home)));
                        return Ended::Greenlet(next);
                    }
                    Here::Waits => {}
                    Here::Stashed => break,
                }
            }
        }
        self.spent.replace(Some((stack, home)));
        Ended::Base
    }

    fn settle_ended(&self) {
        let (stack, home) = self.spent.take().expect("somebody has ended");
        self.stacks.borrow_mut().give_passed(stack);
        self.leave_for_good(home);
    }
}
