//! What several agree on against a simple sequential model: whatever is tried in whatever order by one thread, both say the same.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sward::sync::{Event, Mutex, Notify, OwnedPermit, RwLock, Semaphore, TryAcquireError};

proptest! {
    #[test]
    fn semaphores(
        start in 0_usize..6,
        ops in prop::collection::vec((0_u8..9, 0_usize..5), 0..80),
    ) {
        let semaphore = Arc::new(Semaphore::new(start));
        let (mut free, mut closed) = (start, false);
        let mut held: Vec<OwnedPermit> = Vec::new();
        for (op, count) in ops {
            let taken = match op {
                0 | 1 => Some(semaphore.clone().try_acquire_many_owned(count)),
                2 => Some(semaphore.clone().acquire_many_owned_timeout(count, Duration::ZERO)),
                _ => None,
            };
            if let Some(taken) = taken {
                let wanted = match closed {
                    true => Err(TryAcquireError::Closed),
                    false => free.checked_sub(count).ok_or(TryAcquireError::NoPermits),
                };
                let got = taken.as_ref().map(OwnedPermit::count).map_err(|error| *error);
                prop_assert_eq!(got, wanted.map(|_| count));
                if let (Ok(permit), Ok(left)) = (taken, wanted) {
                    held.push(permit);
                    free = left;
                }
                continue;
            }
            match op {
                3 | 4 if !held.is_empty() => {
                    let permit = held.swap_remove(count % held.len());
                    free += permit.count();
                    drop(permit);
                }
                5 if !held.is_empty() => held.swap_remove(count % held.len()).forget(),
                5 => {
                    semaphore.add_permits(count);
                    free += count;
                }
                6 => {
                    prop_assert_eq!(semaphore.forget_permits(count), count.min(free));
                    free -= count.min(free);
                }
                7 if held.len() > 1 => {
                    let other = held.pop().unwrap();
                    let one = held.last_mut().unwrap();
                    let sum = one.count() + other.count();
                    one.merge(other);
                    prop_assert_eq!(one.count(), sum);
                }
                8 if count == 0 => {
                    semaphore.close();
                    closed = true;
                }
                8 if !held.is_empty() => {
                    let all = held[0].count();
                    let part = held[0].split(count);
                    prop_assert_eq!(part.as_ref().map(OwnedPermit::count), (all >= count).then_some(count));
                    held.extend(part);
                }
                _ => {}
            }
            prop_assert_eq!((semaphore.available_permits(), semaphore.is_closed()), (free, closed));
        }
        let sum: usize = held.iter().map(OwnedPermit::count).sum();
        drop(held);
        prop_assert_eq!(semaphore.available_permits(), free + sum);
    }

    #[test]
    fn reader_writer_locks(ops in prop::collection::vec((0_u8..6, 0_usize..4), 0..60)) {
        let lock = RwLock::new(0);
        let (mut readers, mut writer, mut value) = (Vec::new(), None, 0);
        for (op, at) in ops {
            match op {
                0 | 1 => {
                    let taken = match at {
                        0 => lock.read_timeout(Duration::ZERO),
                        _ => lock.try_read(),
                    };
                    prop_assert_eq!(taken.is_ok(), writer.is_none());
                    if let Ok(reader) = taken {
                        prop_assert_eq!(*reader, value);
                        readers.push(reader);
                    }
                }
                2 => {
                    let free = writer.is_none() && readers.is_empty();
                    let taken = match at {
                        0 => lock.write_timeout(Duration::ZERO),
                        _ => lock.try_write(),
                    };
                    prop_assert_eq!(taken.is_ok(), free);
                    if let Ok(mut taken) = taken {
                        value += 1;
                        *taken = value;
                        writer = Some(taken);
                    }
                }
                3 => writer = None,
                _ if !readers.is_empty() => drop(readers.swap_remove(at % readers.len())),
                _ => {}
            }
        }
        drop((readers, writer));
        prop_assert!(lock.try_write().is_ok());
        prop_assert_eq!(lock.into_inner().unwrap(), value);
    }

    #[test]
    fn mutexes_events_and_notifications(ops in prop::collection::vec(0_u8..9, 0..60)) {
        let (mutex, event, notify) = (Mutex::new(0), Event::new(), Notify::new());
        let (mut guard, mut value, mut set, mut kept) = (None, 0, false, false);
        for op in ops {
            match op {
                0 | 1 => {
                    let taken = match op {
                        0 => mutex.try_lock(),
                        _ => mutex.lock_timeout(Duration::ZERO),
                    };
                    prop_assert_eq!(taken.is_ok(), guard.is_none());
                    if let Ok(mut taken) = taken {
                        prop_assert_eq!(*taken, value);
                        value += 1;
                        *taken = value;
                        guard = Some(taken);
                    }
                }
                2 => guard = None,
                3 => {
                    event.set();
                    set = true;
                }
                4 => {
                    event.clear();
                    set = false;
                }
                5 => {
                    notify.notify_one();
                    kept = true;
                }
                6 => notify.notify_all(),
                7 => prop_assert_eq!(notify.try_wait(), std::mem::take(&mut kept)),
                _ => prop_assert_eq!(notify.wait_timeout(Duration::ZERO), std::mem::take(&mut kept)),
            }
            prop_assert_eq!((event.is_set(), event.wait_timeout(Duration::ZERO)), (set, set));
        }
    }
}
