//! Tests of the stacks as a whole. What kills or starves the process runs in a child: the same test of the
//! same program, told by its environment that it is the child.

use super::pool::TRIM_BATCH;
use super::shelf::RESERVE;
use super::slab::SlotInfo;
use super::{COLOUR_STEP, COLOURS, Cache, Class, Guard, Pool, Stack, sys};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BOTH: [Guard; 2] = [Guard::Auto, Guard::Mprotect];
const SECOND: Duration = Duration::from_secs(1);
const CHILD: &str = "SWARD_STACK_TEST_CHILD";

fn smallest() -> Class {
    Class::for_size(0).unwrap()
}

fn default() -> Class {
    Class::for_size(Class::DEFAULT_SIZE).unwrap()
}

fn take(pool: &Pool, class: Class, count: usize) -> Vec<Stack> {
    (0..count).map(|_| pool.take(class).unwrap()).collect()
}

fn give(pool: &Pool, stacks: impl IntoIterator<Item = Stack>) {
    stacks.into_iter().for_each(|stack| pool.give(stack));
}

/// The bytes of a stack, from `bottom` to `top`.
fn bytes(stack: &mut Stack) -> &mut [u8] {
    let len = stack.top().addr() - stack.bottom().addr();
    // SAFETY: the stack's memory is readable, writable and initialised (by the system, to zero), and nobody
    // else's while the stack is borrowed.
    unsafe { std::slice::from_raw_parts_mut(stack.bottom(), len) }
}

/// How many pages of a stack are in memory.
fn resident(stack: &Stack) -> usize {
    let mut pages = vec![0u8; stack.class().size() / sys::page_size()];
    // SAFETY: the range is mapped, and there is a byte for each of its pages.
    let result = unsafe {
        libc::mincore(
            stack.bottom().cast(),
            stack.class().size(),
            pages.as_mut_ptr(),
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    pages.iter().filter(|&&page| page & 1 != 0).count()
}

/// Runs the test named again, as a child that is told `what`.
fn child(test: &str, what: &str) -> Output {
    let path = module_path!().split_once("::").unwrap().1;
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{path}::{test}"), "--nocapture"])
        .env(CHILD, what)
        .output()
        .unwrap()
}

/// As `child`, and checks that it ends well.
fn good_child(test: &str, what: &str) {
    let output = child(test, what);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
}

/// What this process was told as a child.
fn told() -> Option<String> {
    std::env::var(CHILD).ok()
}

fn limit(resource: Resource, bytes: u64) {
    let limits = Rlimit {
        current: Some(bytes),
        maximum: None,
    };
    setrlimit(resource, limits).unwrap();
}

fn address_space() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').next().unwrap().parse().unwrap();
    pages * sys::page_size() as u64
}

#[test]
fn the_whole_usable_area_can_be_written() {
    for guard in BOTH {
        let pool = Pool::new(guard);
        for size in [0, 64 << 10, Class::DEFAULT_SIZE, 16 << 20] {
            let class = Class::for_size(size).unwrap();
            let mut stacks = take(&pool, class, 3);
            for (tag, stack) in stacks.iter_mut().enumerate() {
                bytes(stack).fill(tag as u8 + 1);
            }
            for (tag, stack) in stacks.iter_mut().enumerate() {
                assert!(bytes(stack).iter().all(|&byte| byte == tag as u8 + 1));
                assert_eq!(stack.top().addr() % 16, 0);
                assert_eq!(stack.bottom().addr() % sys::page_size(), 0);
                assert_eq!(stack.class(), class);
                assert_eq!(stack.class().size(), class.size());
                let lost = stack.class().size() - bytes(stack).len();
                assert!(lost <= (COLOURS - 1) * COLOUR_STEP, "{lost}");
            }
            give(&pool, stacks);
        }
    }
}

#[test]
fn the_largest_class_has_a_slab_of_its_own() {
    let pool = Pool::new(Guard::Auto);
    let stacks = take(&pool, Class::for_size(Class::LARGEST_SIZE).unwrap(), 2);
    for stack in &stacks {
        // SAFETY: both addresses lie in the stack, which is ours.
        unsafe {
            stack.bottom().write(1);
            stack.top().sub(1).write(1);
        }
        assert_eq!(resident(stack), 2);
    }
    give(&pool, stacks);
}

#[test]
fn neighbours_have_different_colours() {
    let pool = Pool::new(Guard::Auto);
    for size in [0, Class::DEFAULT_SIZE, 1 << 20] {
        let stacks = take(&pool, Class::for_size(size).unwrap(), COLOURS);
        let tops: HashSet<usize> = stacks
            .iter()
            .map(|stack| stack.top().addr() % sys::page_size())
            .collect();
        assert!(tops.len() >= COLOURS / 2, "{tops:?}");
        give(&pool, stacks);
    }
}

#[test]
fn a_guard_faults() {
    if let Some(told) = told() {
        limit(Resource::Core, 0);
        let guard = if told.starts_with("Auto") {
            Guard::Auto
        } else {
            Guard::Mprotect
        };
        let pool = Pool::new(guard);
        // Not the first of the slab, so that there are slots on both sides.
        let stacks = take(&pool, default(), 3);
        let below = if told.ends_with("top") {
            1
        } else {
            sys::page_size()
        };
        // SAFETY: the stack is ours.
        unsafe { stacks[1].bottom().write(1) };
        println!("about to fault");
        // SAFETY: none: the address lies in the guard, and the fault is what is tested.
        unsafe { stacks[1].bottom().sub(below).write(1) };
        println!("did not fault");
        give(&pool, stacks);
        return;
    }
    for told in ["Auto top", "Auto bottom", "Mprotect top", "Mprotect bottom"] {
        let output = child("a_guard_faults", told);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("about to fault"), "{output:?}");
        assert!(!text.contains("did not fault"), "{output:?}");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
    }
}

#[test]
fn an_address_finds_its_slot() {
    for guard in BOTH {
        let pool = Pool::new(guard);
        let page = sys::page_size();
        // More than one slab.
        let stacks = take(&pool, default(), 200);
        for stack in &stacks {
            let bottom = stack.bottom().addr();
            let top = bottom + stack.class().size();
            for (address, in_guard) in [
                (bottom - page, true),
                (bottom - 1, true),
                (bottom, false),
                (top - 1, false),
            ] {
                let info = SlotInfo {
                    bottom,
                    top,
                    in_guard,
                };
                assert_eq!(pool.find(address), Some(info));
            }
        }
        assert_eq!(pool.find(0), None);
        assert_eq!(pool.find(usize::MAX), None);
        assert_eq!(pool.find((&raw const page).addr()), None);
        assert_eq!(Pool::new(guard).find(stacks[0].bottom().addr()), None);
        give(&pool, stacks);
    }
}

#[test]
fn memory_goes_back_after_a_second_but_for_a_reserve() {
    for guard in BOTH {
        let pool = Pool::new(guard);
        let pages = default().size() / sys::page_size();
        let mut stacks = take(&pool, default(), 200);
        for stack in &mut stacks {
            bytes(stack).fill(7);
            assert_eq!(resident(stack), pages);
        }
        let start = Instant::now();
        assert_eq!(pool.trim(start), None, "nothing lies in the pool");
        give(&pool, stacks);
        assert_eq!(pool.trim(start), Some(start + SECOND));
        assert_eq!(pool.trim(start + SECOND / 2), Some(start + SECOND));
        // A warm one has kept what it held.
        let mut stack = pool.take(default()).unwrap();
        assert_eq!(bytes(&mut stack)[0], 7);
        pool.give(stack);
        // All but that one have lain here all the time.
        let again = start + SECOND;
        assert_eq!(pool.trim(again), Some(again + SECOND));
        let mut stacks = take(&pool, default(), 200);
        assert_eq!(resident(&stacks[0]), pages);
        assert!(stacks[1..RESERVE].iter().all(|stack| resident(stack) == 1));
        assert!(stacks[RESERVE..].iter().all(|stack| resident(stack) == 0));
        assert!(bytes(&mut stacks[0]).iter().all(|&byte| byte == 7));
        assert!(
            bytes(&mut stacks[1])
                .iter()
                .rev()
                .take(1_000)
                .all(|&byte| byte == 7)
        );
        assert!(
            bytes(&mut stacks[1])[..Class::DEFAULT_SIZE - sys::page_size()]
                .iter()
                .all(|&byte| byte == 0)
        );
        assert!(bytes(&mut stacks[RESERVE]).iter().all(|&byte| byte == 0));
        assert_eq!(pool.reserved(), 200);
        give(&pool, stacks);
        // In the end there is nothing to wait for.
        let mut now = again + SECOND;
        while let Some(next) = pool.trim(now) {
            assert!(next <= now + SECOND);
            now = next;
        }
        assert!(now <= again + 3 * SECOND);
        let stacks = take(&pool, default(), 200);
        assert!(stacks[..RESERVE].iter().all(|stack| resident(stack) <= 1));
        assert!(stacks[RESERVE..].iter().all(|stack| resident(stack) == 0));
        give(&pool, stacks);
    }
}

#[test]
fn guards_survive_the_giving_back_of_memory() {
    for guard in BOTH {
        let pool = Pool::new(guard);
        let mut stacks = take(&pool, smallest(), 1_000);
        let guards: Vec<_> = stacks
            .iter()
            .map(|stack| stack.bottom().wrapping_sub(1))
            .collect();
        stacks.iter_mut().for_each(|stack| bytes(stack).fill(7));
        give(&pool, stacks);
        let start = Instant::now();
        pool.trim(start);
        assert_eq!(pool.trim(start + SECOND), None);
        let mut pipe = Pipe::new();
        assert!(pipe.can_read(guards[0].wrapping_add(1)));
        for address in guards {
            assert!(!pipe.can_read(address), "{guard:?} {address:?}");
        }
    }
}

/// Asks the system whether an address can be read, by writing what is there into a pipe.
struct Pipe(io::PipeReader, io::PipeWriter);

impl Pipe {
    fn new() -> Pipe {
        let (reader, writer) = io::pipe().unwrap();
        Pipe(reader, writer)
    }

    fn can_read(&mut self, address: *const u8) -> bool {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        // SAFETY: the system checks the address itself.
        match unsafe { libc::write(self.1.as_raw_fd(), address.cast(), 1) } {
            1 => self.0.read_exact(&mut [0]).is_ok(),
            _ => {
                assert_eq!(
                    io::Error::last_os_error().raw_os_error(),
                    Some(libc::EFAULT)
                );
                false
            }
        }
    }
}

#[test]
fn stacks_in_use_between_cooled_ones_keep_their_contents() {
    for guard in BOTH {
        let pool = Pool::new(guard);
        let stacks = take(&pool, smallest(), 2_000);
        let mut used = Vec::new();
        let mut unused = Vec::new();
        for (n, mut stack) in stacks.into_iter().enumerate() {
            bytes(&mut stack).fill(7);
            if n % 7 == 0 || n % 11 == 0 {
                used.push(stack)
            } else {
                unused.push(stack)
            }
        }
        let count = unused.len();
        give(&pool, unused);
        let start = Instant::now();
        pool.trim(start);
        while pool.trim(start + SECOND).is_some() {}
        for stack in &mut used {
            assert!(bytes(stack).iter().all(|&byte| byte == 7));
        }
        let cooled = take(&pool, smallest(), count);
        assert_eq!(pool.reserved(), 2_000);
        assert!(cooled[RESERVE..].iter().all(|stack| resident(stack) == 0));
        give(&pool, used.into_iter().chain(cooled));
    }
}

#[test]
fn cooling_is_done_in_bounded_portions() {
    let pool = Pool::new(Guard::Auto);
    let mut stacks = take(&pool, smallest(), 10_000);
    for stack in &mut stacks {
        bytes(stack)[0] = 1;
    }
    give(&pool, stacks);
    let start = Instant::now();
    pool.trim(start);
    let now = start + SECOND;
    let mut calls = 1;
    while let Some(next) = pool.trim(now) {
        assert_eq!(next, now);
        calls += 1;
    }
    assert_eq!(calls, 10_000usize.div_ceil(TRIM_BATCH));
    let stacks = take(&pool, smallest(), 10_000);
    assert!(stacks.iter().all(|stack| resident(stack) == 0));
    give(&pool, stacks);
}

#[test]
fn several_may_trim_at_once() {
    let pool = Pool::new(Guard::Auto);
    let stacks = take(&pool, smallest(), 20_000);
    give(&pool, stacks);
    let start = Instant::now();
    pool.trim(start);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for seconds in 1..20 {
                    pool.trim(start + seconds * SECOND);
                    give(&pool, pool.take(smallest()));
                }
            });
        }
    });
    let stacks = take(&pool, smallest(), 20_000);
    let places: HashSet<usize> = stacks.iter().map(|stack| stack.bottom().addr()).collect();
    assert_eq!(places.len(), 20_000);
    give(&pool, stacks);
}

#[test]
fn a_cache_hands_out_the_same_few_stacks() {
    let pool = Arc::new(Pool::new(Guard::Auto));
    let mut cache = Cache::new(Arc::clone(&pool));
    for _ in 0..100_000 {
        let one = cache.take(default()).unwrap();
        let other = cache.take(default()).unwrap();
        let last = other.bottom();
        cache.give(one);
        cache.give(other);
        let next = cache.take(default()).unwrap();
        assert_eq!(next.bottom(), last, "the latest first");
        cache.give(next);
    }
    assert_eq!(pool.reserved(), 2);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn caches_share_through_the_pool() {
    let pool = Arc::new(Pool::new(Guard::Auto));
    let mut one = Cache::new(Arc::clone(&pool));
    let mut other = Cache::new(Arc::clone(&pool));
    // A producer and a consumer need no more than what is on its way and in the caches.
    for _ in 0..1_000 {
        let stacks: Vec<Stack> = (0..20).map(|_| one.take(default()).unwrap()).collect();
        assert_eq!(pool.in_use(), 20);
        stacks.into_iter().for_each(|stack| other.give(stack));
        assert_eq!(pool.in_use(), 0);
    }
    assert!(pool.reserved() <= 20 + 2 * 32 + 16, "{}", pool.reserved());
    let all = pool.reserved();
    one.flush();
    other.flush();
    let stacks = take(&pool, default(), all);
    assert_eq!(pool.reserved(), all, "nothing is left in the caches");
    let held = one.take(default()).unwrap();
    assert_eq!(pool.in_use(), all + 1);
    drop(other);
    drop(one);
    assert_eq!(pool.in_use(), all + 1, "what a cache counted outlives it");
    pool.give(held);
    give(&pool, stacks);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_cache_keeps_no_huge_stacks() {
    let pool = Arc::new(Pool::new(Guard::Auto));
    let mut cache = Cache::new(Arc::clone(&pool));
    for (size, kept) in [
        (0, 32),
        (Class::DEFAULT_SIZE, 32),
        (4 << 20, 2),
        (8 << 20, 1),
        (64 << 20, 0),
    ] {
        let class = Class::for_size(size).unwrap();
        let reserved = pool.reserved();
        let stacks: Vec<Stack> = (0..kept + 1).map(|_| cache.take(class).unwrap()).collect();
        stacks.into_iter().for_each(|stack| cache.give(stack));
        // What is over went to the pool, the rest is still in the cache.
        let shared = kept + 1 - kept / 2;
        let stacks = take(&pool, class, shared);
        // A few may have been made ready ahead.
        let made = pool.reserved() - reserved;
        assert!((kept + 1..=kept + 3).contains(&made), "{size}: {made}");
        give(&pool, stacks);
    }
}

/// Guards that are put up several at a time, as caches ask for them.
#[test]
fn stacks_made_ready_ahead_are_as_others_and_few() {
    let pool = Arc::new(Pool::new(Guard::Auto));
    let mut cache = Cache::new(Arc::clone(&pool));
    for count in [10, 300, 3_000] {
        let mut stacks: Vec<Stack> = (0..count).map(|_| cache.take(default()).unwrap()).collect();
        let places: HashSet<_> = stacks.iter().map(Stack::bottom).collect();
        assert_eq!(places.len(), count, "one stack was handed out twice");
        let ahead = pool.reserved() - count;
        assert!(ahead <= (count / 16).min(16), "{count}: {ahead} ahead");
        for stack in &mut stacks {
            bytes(stack)
                .iter_mut()
                .rev()
                .take(64)
                .for_each(|byte| *byte = 1);
            let guard = stack.bottom().wrapping_sub(1);
            let slot = pool.find(guard.addr()).unwrap();
            assert!(slot.in_guard && slot.bottom == stack.bottom().addr());
            if cfg!(target_os = "linux") {
                assert!(sys::is_guarded(NonNull::new(guard).unwrap()), "no guard");
            }
        }
        stacks.into_iter().for_each(|stack| cache.give(stack));
    }
}

#[test]
fn threads_never_share_a_stack() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 20_000;
    let pool = Arc::new(Pool::new(Guard::Auto));
    let passed: Mutex<Vec<(Stack, u64)>> = Mutex::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, passed) = (&pool, &passed);
            scope.spawn(move || {
                let mut cache = Cache::new(Arc::clone(pool));
                let mut held: Vec<(Stack, u64)> = Vec::new();
                for round in 0..ROUNDS {
                    let tag = (thread * ROUNDS + round) as u64 + 1;
                    let class = if round % 3 == 0 {
                        smallest()
                    } else {
                        default()
                    };
                    let stack = cache.take(class).unwrap();
                    // SAFETY: the stack is ours, and both addresses are aligned places in it.
                    unsafe {
                        stack.bottom().cast::<u64>().write(tag);
                        stack.top().cast::<u64>().sub(1).write(tag);
                    }
                    held.push((stack, tag));
                    if round % 5 == 0 {
                        // Some come back on another thread than the one they were taken on.
                        let mut passed = passed.lock().unwrap();
                        passed.push(held.swap_remove(round % held.len()));
                        let at = round % passed.len();
                        held.push(passed.swap_remove(at));
                    }
                    while held.len() > round % 50 {
                        let (stack, tag) = held.swap_remove(round % held.len());
                        // SAFETY: as above; both were written.
                        unsafe {
                            assert_eq!(stack.bottom().cast::<u64>().read(), tag);
                            assert_eq!(stack.top().cast::<u64>().sub(1).read(), tag);
                        }
                        if round % 17 == 0 {
                            pool.give(stack)
                        } else {
                            cache.give(stack)
                        }
                    }
                    if round % 1_000 == 0 {
                        pool.trim(Instant::now() + SECOND * round as u32);
                    }
                }
                held.into_iter().for_each(|(stack, _)| cache.give(stack));
            });
        }
    });
    give(
        &pool,
        passed
            .into_inner()
            .unwrap()
            .into_iter()
            .map(|(stack, _)| stack),
    );
    assert_eq!(pool.in_use(), 0);
    let most = THREADS * 2 * (50 + 32 + 16) + 4096;
    assert!(pool.reserved() <= most, "{}", pool.reserved());
}

#[test]
fn slabs_are_unmapped_with_the_pool() {
    // In a child, where nobody else maps memory at the same place.
    if told().is_none() {
        return good_child("slabs_are_unmapped_with_the_pool", "child");
    }
    let mut pipe = Pipe::new();
    for guard in BOTH {
        let pool = Pool::new(guard);
        let stacks = take(&pool, smallest(), 5_000);
        let places: Vec<*mut u8> = stacks.iter().map(Stack::bottom).collect();
        give(&pool, stacks);
        assert!(places.iter().all(|&place| pipe.can_read(place)));
        drop(pool);
        assert!(!places.iter().any(|&place| pipe.can_read(place)));
    }
}

#[test]
fn a_slab_with_a_stack_out_outlives_the_pool() {
    let pool = Pool::new(Guard::Mprotect);
    let mut stacks = take(&pool, smallest(), 3_000);
    let mut kept = stacks.pop().unwrap();
    give(&pool, stacks);
    drop(pool);
    bytes(&mut kept).fill(7);
    assert_eq!(resident(&kept), kept.class().size() / sys::page_size());
    assert!(!Pipe::new().can_read(kept.bottom().wrapping_sub(1)));
}

#[test]
#[should_panic(expected = "goes back to the runtime it is from")]
fn a_stack_of_another_pool_is_refused() {
    let pool = Pool::new(Guard::Auto);
    let stack = pool.take(smallest()).unwrap();
    // The first pool is not dropped in this test, since its stack is lost.
    std::mem::forget(pool);
    Cache::new(Arc::new(Pool::new(Guard::Auto))).give(stack);
}

#[test]
fn no_address_space_is_an_error_and_loses_nothing() {
    if told().is_none() {
        return good_child("no_address_space_is_an_error_and_loses_nothing", "child");
    }
    limit(Resource::As, address_space() + (200 << 20));
    if sys::map(1 << 30).is_ok() {
        return; // An emulator that lets its guest have what it likes.
    }
    for class in [smallest(), default(), Class::for_size(8 << 20).unwrap()] {
        let pool = Arc::new(Pool::new(Guard::Auto));
        let start = address_space();
        limit(Resource::As, start + (200 << 20));
        let mut cache = Cache::new(Arc::clone(&pool));
        let mut stacks = Vec::new();
        let mut take_all = |stacks: &mut Vec<Stack>| loop {
            match cache.take(class) {
                Ok(stack) => stacks.push(stack),
                Err(error) => return error,
            }
        };
        let error = take_all(&mut stacks);
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let text = error.to_string();
        assert!(
            text.contains("ulimit -v") && text.contains(&format!("{} KiB", class.size() >> 10)),
            "{text}"
        );
        // All space was used but for what the heap is left, which the heap can still have.
        let used = stacks.len() * (class.size() + sys::page_size());
        assert!(
            used > (200 << 20) - (4 << 20) - 2 * class.size() - (2 << 20),
            "{used}"
        );
        drop(Vec::<u8>::with_capacity(3 << 20));
        // A later attempt fails likewise, and what is given back can be taken again.
        let error = take_all(&mut stacks);
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let count = stacks.len();
        assert_eq!(pool.reserved(), count);
        stacks.into_iter().for_each(|stack| cache.give(stack));
        assert_eq!(pool.in_use(), 0);
        cache.flush();
        let stacks = take(&pool, class, count);
        assert_eq!(pool.reserved(), count);
        limit(Resource::As, start + (400 << 20));
        let more = take(&pool, class, 4);
        assert_eq!(pool.reserved(), count + 4);
        give(&pool, stacks.into_iter().chain(more));
    }
}

#[test]
fn too_many_mappings_is_an_error_that_names_the_limit() {
    let Some(allowed) = sys::mapping_limit().filter(|&limit| limit <= 4 << 20) else {
        return;
    };
    if told().is_none() {
        return good_child(
            "too_many_mappings_is_an_error_that_names_the_limit",
            "child",
        );
    }
    let other = Pool::new(Guard::Mprotect);
    let some = take(&other, smallest(), 100);
    let pool = Pool::new(Guard::Mprotect);
    let mut stacks = Vec::new();
    let mut take_all = || loop {
        match pool.take(smallest()) {
            Ok(stack) => stacks.push(stack),
            Err(error) => return (stacks.len(), error),
        }
    };
    let (count, error) = take_all();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let text = error.to_string();
    assert!(
        text.contains(&format!("vm.max_map_count ({allowed})")),
        "{text}"
    );
    assert!(
        count + 100 <= allowed / 2 && count > allowed / 2 - 1_000,
        "{count}"
    );
    assert_eq!(take_all().0, count);
    assert_eq!(pool.reserved(), count);
    // The heap and new threads can still have mappings.
    drop(vec![1u8; 64 << 20]);
    std::thread::spawn(|| ()).join().unwrap();
    // Guards that are gone make room for others.
    give(&other, some);
    drop(other);
    let (more, _) = take_all();
    assert_eq!(more, count + 100);
    let places: HashSet<usize> = stacks.iter().map(|stack| stack.bottom().addr()).collect();
    assert_eq!(places.len(), more);
    give(&pool, stacks);
}

#[test]
fn locked_memory_has_guards_too() {
    if told().is_none() {
        return good_child("locked_memory_has_guards_too", "child");
    }
    // The kernel makes no marks in locked memory, and takes none of it back.
    let pool = Pool::new(Guard::Auto);
    let first = pool.take(default()).unwrap();
    let locked = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if mlockall(locked).is_err() {
        return; // Who is not privileged may lock little.
    }
    let mut stacks = take(&pool, default(), 100);
    stacks.push(first);
    let mut pipe = Pipe::new();
    for stack in &mut stacks {
        bytes(stack)[0] = 7;
        assert!(pipe.can_read(stack.bottom()));
        assert!(!pipe.can_read(stack.bottom().wrapping_sub(1)));
    }
    give(&pool, stacks);
    let start = Instant::now();
    pool.trim(start);
    assert_eq!(pool.trim(start + SECOND), None);
}
