//! Channels of numbers, of runtimes whose code blocks ([`Channel`], [`SharedChannel`], [`Once`]) and of those whose code
//! awaits ([`TaskChannel`], [`SharedTaskChannel`], [`TaskOnce`]).

use std::marker::PhantomData;

/// From one to one.
pub(crate) trait Channel: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    /// With room for `capacity` messages, or for any number where the runtime has no other.
    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, message: u64);
    /// `None` when all senders are gone.
    fn receive(receiver: &Self::Receiver) -> Option<u64>;
}

/// From any number to any number.
pub(crate) trait SharedChannel: Channel<Sender: Clone, Receiver: Clone> {
    fn unbounded() -> (Self::Sender, Self::Receiver);
}

/// A channel for one message.
pub(crate) trait Once: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn once() -> (Self::Sender, Self::Receiver);
    fn send(sender: Self::Sender, message: u64);
    fn receive(receiver: Self::Receiver) -> u64;
}

/// As [`Channel`].
pub(crate) trait TaskChannel: 'static {
    type Sender: Send + Sync + 'static;
    type Receiver: Send + 'static;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, message: u64) -> impl Future<Output = ()> + Send;
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

/// As [`SharedChannel`].
pub(crate) trait SharedTaskChannel: TaskChannel<Sender: Clone, Receiver: Clone> {
    fn unbounded() -> (Self::Sender, Self::Receiver);
}

/// As [`Once`].
pub(crate) trait TaskOnce: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn once() -> (Self::Sender, Self::Receiver);
    fn send(sender: Self::Sender, message: u64) -> impl Future<Output = ()> + Send;
    fn receive(receiver: Self::Receiver) -> impl Future<Output = u64> + Send;
}

/// A channel of one place for one message, where the runtime has nothing that is made for that.
pub(crate) struct OnePlace<C>(PhantomData<C>);

impl<C: Channel> Once for OnePlace<C> {
    type Sender = C::Sender;
    type Receiver = C::Receiver;

    fn once() -> (Self::Sender, Self::Receiver) {
        C::bounded(1)
    }

    fn send(sender: Self::Sender, message: u64) {
        C::send(&sender, message);
    }

    fn receive(receiver: Self::Receiver) -> u64 {
        C::receive(&receiver).expect("it was sent")
    }
}

impl<C: TaskChannel> TaskOnce for OnePlace<C> {
    type Sender = C::Sender;
    type Receiver = C::Receiver;

    fn once() -> (Self::Sender, Self::Receiver) {
        C::bounded(1)
    }

    async fn send(sender: Self::Sender, message: u64) {
        C::send(&sender, message).await;
    }

    async fn receive(mut receiver: Self::Receiver) -> u64 {
        C::receive(&mut receiver).await.expect("it was sent")
    }
}
