import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/**
 * Virtual threads. They came with Java 21, and are looked up by name, once, so that a compiler of Java 17 will do: where only
 * a runtime of the newer one is at hand, the compiler may be the older. What the workloads then call is no reflection.
 */
final class Virtual {
    /** {@code Thread.ofVirtual().factory()}. */
    static final ThreadFactory THREADS = factory();

    private Virtual() {}

    /** {@code Executors.newVirtualThreadPerTaskExecutor()}. */
    static ExecutorService executor() {
        return (ExecutorService) call(Executors.class, "newVirtualThreadPerTaskExecutor", null);
    }

    private static ThreadFactory factory() {
        Object builder = call(Thread.class, "ofVirtual", null);
        try {
            return (ThreadFactory) call(Class.forName("java.lang.Thread$Builder"), "factory", builder);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object call(Class<?> type, String method, Object target) {
        try {
            return type.getMethod(method).invoke(target);
        } catch (ReflectiveOperationException e) {
            System.err.println("Java " + System.getProperty("java.specification.version") + " has no virtual threads");
            System.exit(1);
            throw new IllegalStateException(e);
        }
    }
}
