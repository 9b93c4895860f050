"""The workloads of the yardstick in gevent, on its libev loop: one thread."""

import os
import socket
import time

import gevent
from gevent.event import Event
from gevent.server import StreamServer

import common

BATCH = 1000


def yielding(name, n):
    count = common.greenlets_of(name)
    each = n // count

    def body():
        for _ in range(each):
            gevent.sleep(0)

    begun = time.perf_counter()
    gevent.joinall([gevent.spawn(body) for _ in range(count)])
    common.tell_ns(begun, each * count)


def spawn(n, batch):
    begun = time.perf_counter()
    for _ in range(n // batch):
        children = [gevent.spawn(lambda i=i: i) for i in range(batch)]
        assert sum(child.get() for child in children) == batch * (batch - 1) // 2
    common.tell_ns(begun, n // batch * batch)


def node(first, leaves):
    if leaves == 1:
        return first
    part = leaves // 10
    children = [gevent.spawn(node, first + i * part, part) for i in range(10)]
    return sum(child.get() for child in children)


def skynet(_, n):
    begun = time.perf_counter()
    assert gevent.spawn(node, 0, n).get() == n * (n - 1) // 2
    common.tell(ms=(time.perf_counter() - begun) * 1e3)


def ping_pong(_, n):
    ping, pong = Event(), Event()
    rounds = n // 2

    def play(mine, others, turns):
        for _ in range(turns):
            mine.wait()
            mine.clear()
            others.set()

    begun = time.perf_counter()
    ping.set()
    gevent.joinall([gevent.spawn(play, ping, pong, rounds), gevent.spawn(play, pong, ping, rounds)])
    common.tell_ns(begun, rounds * 2)


def sleepers(_, n):
    nights = common.Nights(n)

    def body(i):
        lay_down = time.perf_counter()
        gevent.sleep(nights.night(i))
        nights.wake(i, lay_down)

    gevent.joinall([gevent.spawn(body, i) for i in range(n)])
    nights.morning()


def echo(_, __):
    def serve(connection, _):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while data := connection.recv(1024):
                connection.sendall(data)
        except OSError:
            pass  # the client resets its connections

    server = StreamServer(("127.0.0.1", 0), serve, backlog=1024)
    server.init_socket()
    common.tell(port=server.address[1])
    common.end_with_input(os._exit)
    server.serve_forever()


common.main({
    "yield": yielding,
    "spawn-join": lambda _, n: spawn(n, BATCH),
    "spawn-burst": lambda _, n: spawn(n, n),
    "skynet": skynet,
    "ping-pong": ping_pong,
    "sleepers": sleepers,
    "echo": echo,
})
