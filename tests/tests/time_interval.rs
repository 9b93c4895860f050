//! `Interval`: never early, never off its times, and what was missed is dealt with as asked.

use std::time::{Duration, Instant};

use sward::time::{Interval, MissedTicks};
use sward_tests::each_crowd;

const PERIOD: Duration = Duration::from_millis(2);

#[test]
fn ticks_are_a_period_apart_and_never_early() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 4, |_| {
            let start = Instant::now() + PERIOD / 2;
            let mut interval = Interval::at(start, PERIOD);
            for number in 0..5 {
                let due = interval.tick();
                assert_eq!(due, start + number * PERIOD);
                assert!(Instant::now() >= due, "early");
            }
            let begun = Instant::now();
            assert!(Interval::new(PERIOD).tick() >= begun + PERIOD);
        });
    });
}

/// Ten periods pass unseen: what then comes, and when.
fn after_ten(missed: MissedTicks) -> (Instant, Instant, Vec<Instant>) {
    let start = Instant::now();
    let mut interval = Interval::at(start, PERIOD).missed_ticks(missed);
    sward::sleep(10 * PERIOD);
    let noticed = Instant::now();
    (start, noticed, (0..3).map(|_| interval.tick()).collect())
}

#[test]
fn what_was_missed() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let (start, _, ticks) = after_ten(MissedTicks::Burst);
            assert_eq!(ticks, [start, start + PERIOD, start + 2 * PERIOD]);
            let (start, noticed, ticks) = after_ten(MissedTicks::Delay);
            assert_eq!(ticks[0], start);
            assert!(ticks[1] >= noticed + PERIOD && ticks[2] >= ticks[1] + PERIOD);
            let (start, noticed, ticks) = after_ten(MissedTicks::Skip);
            assert_eq!(ticks[0], start);
            assert!(ticks[1] >= noticed);
            for tick in &ticks {
                let since = (*tick - start).as_nanos();
                assert_eq!(since % PERIOD.as_nanos(), 0, "the times stay");
            }
        });
    });
}

#[test]
fn resets() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let mut interval = Interval::new(Duration::from_secs(3600));
            let now = Instant::now();
            interval.reset_at(now);
            assert_eq!(interval.tick(), now);
            interval.reset_at(now);
            interval.reset();
            interval.reset_at(now + PERIOD);
            assert_eq!(interval.tick(), now + PERIOD);
            assert_eq!(interval.period(), Duration::from_secs(3600));
        });
    });
}

/// The end of time is not reached, and nothing overflows on the way.
#[test]
fn far_away() {
    let mut interval = Interval::at(Instant::now(), Duration::MAX).missed_ticks(MissedTicks::Skip);
    let first = interval.tick();
    assert!(first <= Instant::now());
    drop(Interval::new(Duration::MAX));
}

#[test]
#[should_panic(expected = "an interval of zero")]
fn no_period() {
    let _ = Interval::new(Duration::ZERO);
}
