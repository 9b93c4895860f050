import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Servers. They end when the driver closes their standard input. */
final class Serve {
    private static final int BACKLOG = 1024;
    private static final int BUFFER = 1024;

    private static long counted;

    private Serve() {}

    private static ServerSocketChannel listen() throws IOException {
        ServerSocketChannel listener =
                ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0), BACKLOG);
        Main.Outcome.of("port", listener.socket().getLocalPort()).tell();
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (IOException e) {
                // As good as closed.
            }
            System.exit(0);
        });
        watch.start();
        return listener;
    }

    static Main.Outcome echo(boolean hog) throws IOException {
        ServerSocketChannel listener = listen();
        if (hog) {
            Virtual.THREADS.newThread(() -> {
                while (true) {
                    counted++;
                }
            }).start();
        }
        while (true) {
            SocketChannel connection = listener.accept();
            connection.setOption(StandardSocketOptions.TCP_NODELAY, true);
            Virtual.THREADS.newThread(() -> serve(connection)).start();
        }
    }

    private static void serve(SocketChannel connection) {
        // Outside the heap: the kernel reads and writes it without a copy.
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        try (connection) {
            while (connection.read(buffer) > 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    connection.write(buffer);
                }
                buffer.clear();
            }
        } catch (IOException e) {
            // The client resets its connections.
        }
    }
}
