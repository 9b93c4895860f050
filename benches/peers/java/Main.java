import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The workloads of the yardstick on Java's virtual threads. Usage: {@code java Main WORKLOAD WORKERS N}; prints one line of
 * JSON. {@code java Main} alone ends well where there are virtual threads.
 *
 * <p>What each workload does is said in benches/src/work, in the file of its name; here it is written as a Java programmer
 * would: a virtual thread per task, futures, park and unpark, sockets that block. The number of workers is the JVM's, by
 * {@code -Djdk.virtualThreadScheduler.parallelism}.
 */
public final class Main {
    /** Figures, each named with its unit. */
    record Outcome(Map<String, Double> figures) {
        static Outcome of(String name, double value) {
            return new Outcome(new TreeMap<>()).with(name, value);
        }

        /** Nanoseconds since {@code begun}, a {@link System#nanoTime}, for each of {@code count}. */
        static Outcome nsEach(long begun, long count) {
            return of("ns", (double) (System.nanoTime() - begun) / Math.max(count, 1));
        }

        Outcome with(String name, double value) {
            figures.put(name, value);
            return this;
        }

        void tell() {
            String line = figures.entrySet().stream()
                    .map(figure -> String.format(Locale.ROOT, "\"%s\":%.6f", figure.getKey(), figure.getValue()))
                    .collect(Collectors.joining(",", "{", "}\n"));
            // Whatever the locale says.
            System.out.writeBytes(line.getBytes(StandardCharsets.UTF_8));
            System.out.flush();
        }
    }

    interface Workload {
        Outcome run(int workers, int n) throws Exception;
    }

    public static void main(String[] arguments) throws InterruptedException {
        Thread root = Virtual.THREADS.newThread(() -> {
            try {
                if (arguments.length > 0) {
                    run(arguments[0], Integer.parseInt(arguments[1]), Integer.parseInt(arguments[2])).tell();
                }
                System.exit(0);
            } catch (Throwable wrong) {
                System.err.println(wrong);
                System.exit(1);
            }
        });
        root.start();
        root.join();
    }

    private static Outcome run(String workload, int workers, int n) throws Exception {
        return switch (workload) {
            case "yield-2" -> warm(Compute.yielding(2), workers, n);
            case "yield-1000" -> warm(Compute.yielding(1000), workers, n);
            case "spawn-join" -> warm(Compute::spawnJoin, workers, n);
            case "spawn-burst" -> warm(Compute::spawnBurst, workers, n);
            case "skynet" -> warm(Compute::skynet, workers, n);
            case "ping-pong" -> warm(Compute::pingPong, workers, n);
            case "ping-pong-channel" -> warm(Share::pingPongChannel, workers, n);
            case "mpmc-1x1" -> warm(Share.bounded(1, 1), workers, n);
            case "mpmc-4x4" -> warm(Share.bounded(4, 4), workers, n);
            case "mpmc-unbounded" -> warm(Share.unbounded(4, 4), workers, n);
            case "rendezvous" -> warm(Share.rendezvous(), workers, n);
            case "oneshot" -> warm(Share::oneshot, workers, n);
            case "lock-uncontended" -> warm(Share::lockUncontended, workers, n);
            case "lock-1000" -> warm(Share::lockContended, workers, n);
            case "rwlock" -> warm(Share::rwlock, workers, n);
            case "fork-join" -> warm(Compute::forkJoin, workers, n);
            case "imbalance" -> warm(Compute::imbalance, workers, n);
            case "sleepers-100k", "sleepers-1m" -> Many.sleepers(n);
            case "parked" -> Many.parked(n);
            case "echo-1", "echo-64", "echo-1000", "echo-10000" -> Serve.echo(false);
            case "echo-hog" -> Serve.echo(true);
            default -> throw new IllegalArgumentException("no workload " + workload);
        };
    }

    /** A tenth of the work goes first and is not counted: the JVM compiles what it has seen run. */
    private static Outcome warm(Workload workload, int workers, int n) throws Exception {
        workload.run(workers, n / 10);
        return workload.run(workers, n);
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            throw new IllegalStateException("wrong result: " + what);
        }
    }
}
