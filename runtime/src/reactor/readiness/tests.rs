//! The transitions of the word, one after the other.
#![forbid(unsafe_code)]

use super::Direction::{Read, Write};
use super::*;

const IN: Event = Event(READABLE);
const OUT: Event = Event(WRITABLE);
const END: Event = Event(READABLE | READ_CLOSED);

fn tick(word: &Readiness, direction: Direction) -> Tick {
    match word.look(direction) {
        Look::Ready(tick) => tick,
        Look::Unready => panic!("{direction:?} is not ready: {word:?}"),
    }
}

#[test]
fn an_event_since_the_look_forbids_the_clearing() {
    let word = Readiness::new(Write);
    assert_eq!(word.look(Write), Look::Unready);
    let seen = tick(&word, Read);
    assert_eq!(
        word.event(IN),
        Wake {
            readers: false,
            writers: false
        }
    );
    word.exhausted(Read, seen);
    word.short(Read, seen);
    let seen = tick(&word, Read);
    word.exhausted(Read, seen);
    assert_eq!(word.look(Read), Look::Unready);
}

#[test]
fn a_short_read_before_the_end_clears_nothing_but_an_empty_one_does() {
    let word = Readiness::new(Read);
    let _ = word.event(END);
    let seen = tick(&word, Read);
    word.short(Read, seen);
    assert_eq!(tick(&word, Read), seen);
    word.short(Write, seen);
    assert_eq!(word.look(Write), Look::Unready);
    word.exhausted(Read, seen);
    assert_eq!(word.look(Read), Look::Unready);
}

#[test]
fn an_event_wakes_its_own_direction_once() {
    let word = Readiness::new(Read);
    word.exhausted(Write, tick(&word, Write));
    assert_eq!(word.enlist(Read), Enlist::Waits);
    assert_eq!(word.enlist(Write), Enlist::Waits);
    assert_eq!(
        word.event(OUT),
        Wake {
            readers: false,
            writers: true
        }
    );
    assert_eq!(
        word.event(IN),
        Wake {
            readers: true,
            writers: false
        }
    );
    assert_eq!(
        word.event(IN),
        Wake {
            readers: false,
            writers: false
        }
    );
    assert_eq!(word.enlist(Read), Enlist::Ready);
}

#[test]
fn closing_wakes_everybody_and_nobody_waits_after_it() {
    let word = Readiness::new(Read);
    assert_eq!(word.enlist(Read), Enlist::Waits);
    assert_eq!(
        word.shut(),
        Wake {
            readers: true,
            writers: false
        }
    );
    assert_eq!(word.enlist(Read), Enlist::Shut);
    assert_eq!(
        word.enlist(Write),
        Enlist::Ready,
        "what is ready still works"
    );
}
