import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/** Workloads that compute, spawn and switch. */
final class Compute {
    private static final int BATCH = 1000;
    private static final int CHILDREN = 10;
    private static final int FIB_OF = 18;
    private static final int FIB_RESULT = 2584;
    private static final int FIB_SPAWNS = 4180;
    private static final int GREENLETS = 1000;
    private static final int TURNS = 20_000;

    private static final ExecutorService EXECUTOR = Virtual.executor();

    private static volatile long sink;

    private Compute() {}

    static Main.Workload yielding(int threads) {
        return (workers, n) -> {
            int each = n / threads;
            long begun = System.nanoTime();
            all(threads, i -> {
                for (int turn = 0; turn < each; turn++) {
                    Thread.yield();
                }
            });
            return Main.Outcome.nsEach(begun, (long) each * threads);
        };
    }

    static Main.Outcome spawnJoin(int workers, int n) throws Exception {
        return spawn(n, BATCH);
    }

    static Main.Outcome spawnBurst(int workers, int n) throws Exception {
        return spawn(n, n);
    }

    private static Main.Outcome spawn(int n, int batch) throws Exception {
        long begun = System.nanoTime();
        int batches = n / Math.max(batch, 1);
        for (int i = 0; i < batches; i++) {
            List<Future<Integer>> children = new ArrayList<>(batch);
            for (int child = 0; child < batch; child++) {
                int value = child;
                children.add(EXECUTOR.submit(() -> value));
            }
            long sum = 0;
            for (Future<Integer> child : children) {
                sum += child.get();
            }
            Main.check(sum == (long) batch * (batch - 1) / 2, "sum");
        }
        return Main.Outcome.nsEach(begun, (long) batches * batch);
    }

    static Main.Outcome skynet(int workers, int n) throws Exception {
        long begun = System.nanoTime();
        Main.check(node(0, n) == (long) n * (n - 1) / 2, "sum");
        return Main.Outcome.of("ms", (System.nanoTime() - begun) / 1e6);
    }

    private static long node(int first, int leaves) throws ExecutionException, InterruptedException {
        if (leaves == 1) {
            return first;
        }
        int part = leaves / CHILDREN;
        List<Future<Long>> children = new ArrayList<>(CHILDREN);
        for (int i = 0; i < CHILDREN; i++) {
            int start = first + i * part;
            children.add(EXECUTOR.submit(() -> node(start, part)));
        }
        long sum = 0;
        for (Future<Long> child : children) {
            sum += child.get();
        }
        return sum;
    }

    /** Whose turn it is, and how to wake it. */
    private static final class Player {
        private volatile boolean turn;
        private volatile Thread thread;

        void pass() {
            turn = true;
            LockSupport.unpark(thread);
        }

        void awaitTurn() {
            while (!turn) {
                LockSupport.park(this);
            }
            turn = false;
        }
    }

    static Main.Outcome pingPong(int workers, int n) throws InterruptedException {
        Player ping = new Player();
        Player pong = new Player();
        int rounds = n / 2;
        ping.thread = Thread.currentThread();
        pong.thread = Virtual.THREADS.newThread(() -> {
            for (int i = 0; i <= rounds; i++) {
                ping.pass();
                pong.awaitTurn();
            }
        });
        pong.thread.start();
        // The first turn says that the other has started.
        ping.awaitTurn();
        long begun = System.nanoTime();
        for (int i = 0; i < rounds; i++) {
            pong.pass();
            ping.awaitTurn();
        }
        Main.Outcome outcome = Main.Outcome.nsEach(begun, rounds * 2L);
        pong.pass();
        pong.thread.join();
        return outcome;
    }

    static Main.Outcome forkJoin(int workers, int n) throws Exception {
        long begun = System.nanoTime();
        for (int i = 0; i < n; i++) {
            Main.check(fib(FIB_OF) == FIB_RESULT, "fib");
        }
        return Main.Outcome.nsEach(begun, (long) n * FIB_SPAWNS);
    }

    private static int fib(int of) throws ExecutionException, InterruptedException {
        if (of < 2) {
            return of;
        }
        Future<Integer> half = EXECUTOR.submit(() -> fib(of - 1));
        int other = fib(of - 2);
        return half.get() + other;
    }

    private static long piece(long seed) {
        long x = seed;
        for (int i = 0; i < TURNS; i++) {
            x = (x * 6_364_136_223_846_793_005L) ^ (x >>> 29);
        }
        return x;
    }

    private static int pieces(int i, int n) {
        int fifty = n / (GREENLETS / 50);
        return i % 50 == 17 ? fifty / 2 : fifty / 2 / 49;
    }

    static Main.Outcome imbalance(int workers, int n) throws InterruptedException {
        long begun = System.nanoTime();
        for (int i = 0; i < GREENLETS; i++) {
            for (int seed = 0; seed < pieces(i, n); seed++) {
                sink = piece(seed);
            }
        }
        double row = (System.nanoTime() - begun) / 1e9;
        begun = System.nanoTime();
        all(GREENLETS, i -> {
            for (int seed = 0; seed < pieces(i, n); seed++) {
                sink = piece(seed);
                Thread.yield();
            }
        });
        double took = (System.nanoTime() - begun) / 1e9;
        return Main.Outcome.of("× ideal", took * workers / row).with("wall s", took);
    }

    interface Body {
        void run(int i);
    }

    /** Runs {@code body} in so many threads and waits for all. */
    static void all(int threads, Body body) throws InterruptedException {
        Thread[] started = new Thread[threads];
        for (int i = 0; i < threads; i++) {
            int me = i;
            started[i] = Virtual.THREADS.newThread(() -> body.run(me));
            started[i].start();
        }
        for (Thread thread : started) {
            thread.join();
        }
    }
}
