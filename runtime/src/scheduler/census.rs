//! The list of greenlets that have been suspended and have not ended.
//!
//! A greenlet enters it at its first suspension and leaves at its end; one that runs to completion is never in it. It
//! is what shutdown needs to find those that are parked. Sharded, so that workers hardly ever meet in it.
#![forbid(unsafe_code)]

use std::num::NonZero;
use std::sync::Mutex;

use crossbeam_utils::CachePadded;

use crate::base::lock::lock;
use crate::greenlet::{GreenletRef, Place};

#[derive(Debug, Default)]
struct Shard {
    places: Vec<Option<GreenletRef>>,
    free: Vec<usize>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Census(Box<[CachePadded<Mutex<Shard>>]>);

impl Census {
    /// An empty list with a shard for each of `workers` workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self(
            (0..workers.max(1))
                .map(|_| CachePadded::default())
                .collect(),
        )
    }

    /// Enters a greenlet.
    pub(crate) fn enter(&self, shard: usize, greenlet: GreenletRef) -> Place {
        let mut inner = lock(&self.0[shard]);
        let place = match inner.free.pop() {
            Some(place) => {
                inner.places[place] = Some(greenlet);
                place
            }
            None => {
                inner.places.push(Some(greenlet));
                inner.places.len() - 1
            }
        };
        let number = u32::try_from(place + 1).ok().and_then(NonZero::new);
        Place {
            shard: shard as u16,
            number: number.expect("fewer than four billion greenlets"),
        }
    }

    /// Takes a greenlet out.
    pub(crate) fn leave(&self, place: Place) {
        let mut inner = lock(&self.0[usize::from(place.shard)]);
        let place = place.number.get() as usize - 1;
        let greenlet = inner.places[place].take();
        inner.free.push(place);
        if inner.free.len() == inner.places.len() && inner.places.capacity() > 4096 {
            // Give back what a large crowd needed.
            *inner = Shard::default();
        }
        drop(inner);
        drop(greenlet);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0
            .iter()
            .map(|shard| {
                let inner = lock(shard);
                inner.places.len() - inner.free.len()
            })
            .sum()
    }

    /// Everybody who is in it.
    pub(crate) fn everybody(&self) -> Vec<GreenletRef> {
        let places = |shard: &Mutex<Shard>| {
            lock(shard)
                .places
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(|shard| places(shard)).collect()
    }
}
