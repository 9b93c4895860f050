//! `Barrier` with those who stop waiting at any moment: the count stays right.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::sync::Barrier;
use sward_tests::{Member, Rng, each_crowd};

/// Each round lets as many pass as the barrier is for, with one leader, whoever else leaves while it ends.
#[test]
fn as_many_pass_as_it_is_for() {
    const SIZE: usize = 6;
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((
            Barrier::new(SIZE),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        ));
        let theirs = shared.clone();
        crowd.run(runtime, SIZE + 2, move |number| {
            let (barrier, passed, leaders, left) = &*theirs;
            let mut rng = Rng::new(number as u64);
            for _ in 0..200 {
                let limit = Duration::from_micros(rng.below(300));
                match barrier.wait_timeout(limit) {
                    Some(result) => {
                        passed.fetch_add(1, SeqCst);
                        leaders.fetch_add(usize::from(result.is_leader()), SeqCst);
                    }
                    None => {
                        left.fetch_add(1, SeqCst);
                    }
                }
            }
        });
        let (barrier, passed, leaders, left) = &*shared;
        let passed = passed.load(SeqCst);
        assert_eq!(passed, SIZE * leaders.load(SeqCst));
        assert_eq!(passed + left.load(SeqCst), 200 * (SIZE + 2));
        // Nobody is counted that is not there.
        assert!(barrier.wait_timeout(Duration::ZERO).is_none());
        let again = shared.clone();
        let patient: Vec<_> = (0..SIZE)
            .map(|number| {
                let theirs = again.clone();
                crowd.start(runtime, number, move || theirs.0.wait().is_leader())
            })
            .collect();
        let leaders = patient.into_iter().map(Member::join).filter(|&leads| leads);
        assert_eq!(leaders.count(), 1);
    });
}
