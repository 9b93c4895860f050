//! Messages through channels: from some greenlets to some others, by whichever of the ways to send and to receive.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use sward::channel::{self, Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use sward::{Select, select};

use crate::counts::Event;
use crate::ground::Ground;
use crate::ledger::Token;
use crate::plan::{Flow, Lane, Passing};
use crate::watch;

/// A message: the greatest number comes first, where there is an order.
#[derive(Debug)]
struct Message {
    number: u64,
    _token: Token,
}

impl Message {
    fn new(number: u64) -> Message {
        Message {
            number,
            _token: Token::new(),
        }
    }
}

impl Ord for Message {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Message {}

type Senders = [Sender<Message>; 2];
type Receivers = [Receiver<Message>; 2];

/// Has all messages sent and received. The sum of those that came.
pub(crate) fn flow(ground: &Arc<Ground>, flow: &Flow) -> u64 {
    let [(one, from_one), (other, from_other)] = flow.lanes.map(make);
    let mut first = 0;
    let senders: Vec<_> = flow
        .senders
        .iter()
        .map(|&(count, passing)| {
            let (lanes, token) = ([one.clone(), other.clone()], Token::new());
            let numbers = first..first + count;
            first += count;
            sward::spawn(move || {
                numbers.for_each(|number| send(&lanes, passing, number));
                drop(token);
            })
        })
        .collect();
    drop((one, other));
    let receivers: Vec<_> = flow
        .receivers
        .iter()
        .map(|&passing| {
            let lanes = [from_one.clone(), from_other.clone()];
            let (theirs, token) = (ground.clone(), Token::new());
            let body = move || {
                let sum = receive(&theirs, &lanes, passing);
                drop(token);
                sum
            };
            match flow.beside {
                true => ground.beside.spawn(body),
                false => sward::spawn(body),
            }
        })
        .collect();
    for sender in senders {
        sender.join().expect("somebody receives");
    }
    let sums = receivers.into_iter().map(|receiver| receiver.join());
    let sum = sums.map(|sum| sum.expect("it receives all there is")).sum();
    assert!(from_one.try_recv().is_err() && from_other.try_recv().is_err());
    sum
}

fn make(lane: Lane) -> (Sender<Message>, Receiver<Message>) {
    match lane {
        Lane::Bounded(capacity) => channel::bounded(capacity),
        Lane::Unbounded => channel::unbounded(),
        Lane::Priority => channel::priority(),
        Lane::PriorityBounded(capacity) => channel::priority_bounded(capacity),
        Lane::Lifo => channel::lifo(),
        Lane::LifoBounded(capacity) => channel::lifo_bounded(capacity),
    }
}

/// Sends a message by one of the lanes, however long it takes.
fn send(lanes: &Senders, passing: Passing, number: u64) {
    let lane = &lanes[number as usize % 2];
    let message = Message::new(number);
    match passing {
        Passing::Plainly => lane.send(message).expect("somebody receives"),
        Passing::Timed(micros) => {
            let limit = Duration::from_micros(micros);
            let mut left = Some(message);
            while let Some(message) = left {
                left = match lane.send_timeout(message, limit) {
                    Ok(()) => None,
                    Err(SendTimeoutError::Timeout(message)) => Some(message),
                    Err(SendTimeoutError::Disconnected(_)) => panic!("nobody receives"),
                };
            }
        }
        Passing::Selected(micros) => {
            let limit = Duration::from_micros(micros);
            let mut message = Some(message);
            while message.is_some() {
                select! {
                    sent = lane.send_from(&mut message) => sent.expect("somebody receives"),
                    timeout(limit) => {}
                }
            }
        }
        Passing::Built => {
            let mut message = Some(message);
            let mut select = Select::new();
            select.send(lane, &mut message, |sent| sent.expect("somebody receives"));
            select.wait();
            assert!(message.is_none(), "sent and kept");
        }
    }
}

/// Receives from both lanes until both have ended. The sum of all.
fn receive(ground: &Ground, lanes: &Receivers, passing: Passing) -> u64 {
    let mut open = [true, true];
    let (mut sum, mut turn) = (0, 0);
    while open != [false, false] {
        let (lane, received) = match passing {
            Passing::Plainly => select! {
                received = lanes[0].recv(), if open[0] => (0, received.ok()),
                received = lanes[1].recv(), if open[1] => (1, received.ok()),
            },
            Passing::Selected(micros) => select! {
                biased;
                received = lanes[1].recv(), if open[1] => (1, received.ok()),
                received = lanes[0].recv(), if open[0] => (0, received.ok()),
                timeout(Duration::from_micros(micros)) => continue,
            },
            Passing::Timed(micros) => {
                turn = 1 - turn;
                match lanes[turn].recv_timeout(Duration::from_micros(micros)) {
                    Ok(message) => (turn, Some(message)),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => (turn, None),
                }
            }
            Passing::Built => {
                let mut select = Select::new();
                for (lane, receiver) in lanes.iter().enumerate().filter(|(lane, _)| open[*lane]) {
                    select.recv(receiver, move |received| (lane, received.ok()));
                }
                select.wait()
            }
        };
        match received {
            Some(message) => {
                sum += message.number;
                ground.tally.add(Event::Message, 1);
                watch::step();
            }
            None => open[lane] = false,
        }
    }
    sum
}
