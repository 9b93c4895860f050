import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedTransferQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/** Workloads that share something: locks, queues, futures. */
final class Share {
    private static final int GREENLETS = 1000;
    private static final int WRITES_ONE_IN = 10;
    private static final int BATCH = 1000;
    private static final int ROOM = 1024;
    /** Queues cannot be closed: each receiver ends at one of these. */
    private static final Long END = -1L;

    private Share() {}

    /** What a lock guards. */
    private static final class Counter {
        long value;
    }

    static Main.Outcome lockUncontended(int workers, int n) {
        ReentrantLock lock = new ReentrantLock();
        Counter counter = new Counter();
        long begun = System.nanoTime();
        for (int i = 0; i < n; i++) {
            add(lock, counter);
        }
        Main.Outcome outcome = Main.Outcome.nsEach(begun, n);
        Main.check(counter.value == n, "counter");
        return outcome;
    }

    private static void add(ReentrantLock lock, Counter counter) {
        lock.lock();
        try {
            counter.value++;
        } finally {
            lock.unlock();
        }
    }

    static Main.Outcome lockContended(int workers, int n) throws InterruptedException {
        ReentrantLock lock = new ReentrantLock();
        Counter counter = new Counter();
        int each = n / GREENLETS;
        long begun = System.nanoTime();
        Compute.all(GREENLETS, me -> {
            for (int i = 0; i < each; i++) {
                add(lock, counter);
            }
        });
        Main.Outcome outcome = Main.Outcome.nsEach(begun, (long) each * GREENLETS);
        Main.check(counter.value == (long) each * GREENLETS, "counter");
        return outcome;
    }

    static Main.Outcome rwlock(int workers, int n) throws InterruptedException {
        ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
        Counter counter = new Counter();
        int each = n / GREENLETS;
        long begun = System.nanoTime();
        Compute.all(GREENLETS, me -> {
            long last = 0;
            for (int i = 0; i < each; i++) {
                if (i % WRITES_ONE_IN == 0) {
                    lock.writeLock().lock();
                    try {
                        counter.value++;
                    } finally {
                        lock.writeLock().unlock();
                    }
                } else {
                    long now;
                    lock.readLock().lock();
                    try {
                        now = counter.value;
                    } finally {
                        lock.readLock().unlock();
                    }
                    Main.check(now >= last, "counter");
                    last = now;
                }
            }
        });
        Main.Outcome outcome = Main.Outcome.nsEach(begun, (long) each * GREENLETS);
        int writes = (each + WRITES_ONE_IN - 1) / WRITES_ONE_IN;
        Main.check(counter.value == (long) writes * GREENLETS, "counter");
        return outcome;
    }

    static Main.Workload bounded(int senders, int receivers) {
        return messages(senders, receivers, () -> new ArrayBlockingQueue<>(ROOM));
    }

    static Main.Workload unbounded(int senders, int receivers) {
        return messages(senders, receivers, LinkedTransferQueue::new);
    }

    static Main.Workload rendezvous() {
        return messages(1, 1, SynchronousQueue::new);
    }

    private static Main.Workload messages(int senders, int receivers, Supplier<BlockingQueue<Long>> make) {
        return (workers, n) -> {
            BlockingQueue<Long> queue = make.get();
            int each = n / senders;
            long sent = (long) each * senders;
            AtomicLong sum = new AtomicLong();
            long begun = System.nanoTime();
            Thread receiving = Virtual.THREADS.newThread(() -> all(receivers, me -> {
                long mine = 0;
                for (Long message = queue.take(); message >= 0; message = queue.take()) {
                    mine += message;
                }
                sum.addAndGet(mine);
            }));
            receiving.start();
            all(senders, me -> {
                for (long message = (long) me * each; message < (me + 1L) * each; message++) {
                    queue.put(message);
                }
            });
            for (int i = 0; i < receivers; i++) {
                queue.put(END);
            }
            receiving.join();
            Main.Outcome outcome = Main.Outcome.nsEach(begun, sent);
            Main.check(sum.get() == sent * (sent - 1) / 2, "sum");
            return outcome;
        };
    }

    interface Body {
        void run(int i) throws InterruptedException;
    }

    /** As {@link Compute#all}. Nobody interrupts anybody here. */
    private static void all(int threads, Body body) {
        try {
            Compute.all(threads, i -> {
                try {
                    body.run(i);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    static Main.Outcome pingPongChannel(int workers, int n) throws InterruptedException {
        BlockingQueue<Long> toOther = new ArrayBlockingQueue<>(1);
        BlockingQueue<Long> toOne = new ArrayBlockingQueue<>(1);
        Thread other = Virtual.THREADS.newThread(() -> all(1, me -> {
            for (Long message = toOther.take(); message >= 0; message = toOther.take()) {
                toOne.put(message + 1);
            }
        }));
        other.start();
        play(toOther, toOne, 1);
        long begun = System.nanoTime();
        play(toOther, toOne, n / 2);
        Main.Outcome outcome = Main.Outcome.nsEach(begun, n / 2 * 2L);
        toOther.put(END);
        other.join();
        return outcome;
    }

    private static void play(BlockingQueue<Long> to, BlockingQueue<Long> from, int rounds) throws InterruptedException {
        for (long i = 0; i < rounds; i++) {
            to.put(i);
            Main.check(from.take() == i + 1, "answer");
        }
    }

    static Main.Outcome oneshot(int workers, int n) throws Exception {
        long begun = System.nanoTime();
        int batches = n / BATCH;
        for (int turn = 0; turn < batches; turn++) {
            List<CompletableFuture<Long>> futures = new ArrayList<>(BATCH);
            for (int i = 0; i < BATCH; i++) {
                futures.add(new CompletableFuture<>());
            }
            Thread other = Virtual.THREADS.newThread(() -> {
                long message = 0;
                for (CompletableFuture<Long> future : futures) {
                    future.complete(message++);
                }
            });
            other.start();
            long sum = 0;
            for (CompletableFuture<Long> future : futures) {
                sum += future.get();
            }
            Main.check(sum == (long) BATCH * (BATCH - 1) / 2, "sum");
            other.join();
        }
        return Main.Outcome.nsEach(begun, (long) batches * BATCH);
    }
}
