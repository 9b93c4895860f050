import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** Workloads with very many threads that wait. */
final class Many {
    private static final long MS = 1_000_000;

    private static volatile boolean open;

    private Many() {}

    /** Seconds of CPU time so far, the JVM's own threads included. */
    private static double cpu() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    /** Bytes this process holds: resident, and in page tables. Garbage is none of what the threads hold. */
    private static long memory() throws IOException {
        System.gc();
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:") || line.startsWith("VmPTE:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                .sum();
    }

    static Main.Outcome sleepers(int n) throws InterruptedException {
        long shortest = (n < 10_000 ? 20 : 1000) * MS;
        long[] late = new long[n];
        long begun = System.nanoTime();
        double used = cpu();
        Compute.all(n, i -> {
            long layDown = System.nanoTime();
            long night = shortest + 2 * shortest * ((long) i * 7919 % n) / n;
            try {
                Thread.sleep(night / MS, (int) (night % MS));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            late[i] = Math.max(0, System.nanoTime() - layDown - night);
        });
        double wall = (System.nanoTime() - begun) / 1e9;
        used = cpu() - used;
        Arrays.sort(late);
        return Main.Outcome.of("wall s", wall)
                .with("CPU s", used)
                .with("late p99 ms", (double) late[(int) (((long) n * 99 + 99) / 100 - 1)] / MS);
    }

    static Main.Outcome parked(int n) throws IOException, InterruptedException {
        AtomicInteger arrived = new AtomicInteger();
        Thread[] threads = new Thread[n];
        long before = memory();
        long begun = System.nanoTime();
        for (int i = 0; i < n; i++) {
            threads[i] = Virtual.THREADS.newThread(() -> {
                arrived.incrementAndGet();
                while (!open) {
                    LockSupport.park();
                }
            });
            threads[i].start();
        }
        while (arrived.get() != n) {
            Thread.sleep(1);
        }
        double created = (System.nanoTime() - begun) / 1e9;
        Thread.sleep(50);
        double each = (double) Math.max(0, memory() - before) / n;
        open = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return Main.Outcome.of("bytes", each).with("create s", created);
    }
}
