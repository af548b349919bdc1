"""TCP, Unix sockets, backpressure, half-closed connections, errors and plain sockets."""

import asyncio
import errno
import os
import socket

from common import contents, main, until


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    writer.close()


async def talk(connect, data):
    reader, writer = await connect()

    async def send():
        for begin in range(0, len(data), 50_000):
            writer.write(data[begin:begin + 50_000])
            await writer.drain()
        # Half closed: the answer still comes.
        writer.write_eof()

    _, answer = await asyncio.gather(send(), reader.read())
    assert answer == data
    writer.close()
    await writer.wait_closed()


async def echoes(server, connect):
    data = [contents(300_000 + number, b"%d" % number) for number in range(60)]
    await asyncio.gather(*(talk(connect, part) for part in data))
    server.close()
    await server.wait_closed()


async def tcp(family, host):
    server = await asyncio.start_server(echo, host, 0, family=family, backlog=100)
    port = server.sockets[0].getsockname()[1]
    await echoes(server, lambda: asyncio.open_connection(host, port))
    try:
        await asyncio.open_connection(host, port)
    except ConnectionRefusedError as error:
        assert error.errno == errno.ECONNREFUSED
    else:
        raise AssertionError("there is no listener, but the connection succeeds")


async def unix():
    server = await asyncio.start_unix_server(echo, "socket")
    await echoes(server, lambda: asyncio.open_unix_connection("socket"))


class Slow(asyncio.Protocol):
    """Counts what it reads."""

    count = 0
    transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.count += len(data)


class Writer(asyncio.Protocol):
    paused = resumed = 0
    lost = False

    def pause_writing(self):
        self.paused += 1

    def resume_writing(self):
        self.resumed += 1

    def connection_lost(self, error):
        assert error is None, error
        self.lost = True


async def backpressure():
    loop = asyncio.get_running_loop()
    slow = Slow()
    server = await loop.create_server(lambda: slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, writer = await loop.create_connection(Writer, "127.0.0.1", port)
    await until(lambda: slow.transport)
    slow.transport.pause_reading()
    transport.set_write_buffer_limits(high=100_000)
    sent = 0
    part = contents(1_000_000)
    # More than fits into the kernel's buffers, since there is no reader.
    while writer.paused == 0 or sent < 20_000_000:
        transport.writelines([part[:1000], part[1000:]])
        sent += len(part)
        await asyncio.sleep(0)
    assert (writer.paused, writer.resumed) == (1, 0)
    assert transport.get_write_buffer_size() > 100_000
    slow.transport.resume_reading()
    await until(lambda: writer.resumed == 1)
    transport.close()
    await until(lambda: writer.lost and slow.count == sent)
    server.close()


async def plain_sockets():
    """The calls on sockets of Python's, which go through poll handles."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    client = socket.socket()
    client.setblocking(False)
    accepting = asyncio.ensure_future(loop.sock_accept(listener))
    await loop.sock_connect(client, listener.getsockname())
    peer, _ = await accepting
    data = contents(5_000_000)
    got = bytearray()

    async def receive():
        while part := await loop.sock_recv(peer, 100_000):
            got.extend(part)

    async def send():
        await loop.sock_sendall(client, data)
        client.shutdown(socket.SHUT_WR)

    await asyncio.gather(send(), receive())
    assert got == data
    for each in (listener, client, peer):
        each.close()
    # Readers and writers of descriptors.
    left, right = socket.socketpair()
    left.setblocking(False)
    events = []
    loop.add_reader(left, lambda: events.append(left.recv(10)))
    loop.add_writer(left, lambda: (events.append("writable"), loop.remove_writer(left)))
    await until(lambda: "writable" in events)
    right.send(b"some")
    await until(lambda: b"some" in events)
    loop.remove_reader(left)
    assert events == ["writable", b"some"]
    left.close()
    right.close()


async def pipes():
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0))
    transport, _ = await loop.connect_write_pipe(
        asyncio.BaseProtocol, os.fdopen(write_end, "wb", 0))
    data = contents(1_000_000)
    transport.write(data)
    transport.close()
    assert await reader.read() == data


async def cancelled():
    """Reads that are given up, and connections that the peer resets."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    connecting = asyncio.open_connection(*listener.getsockname())
    (reader, writer), (peer, _) = await asyncio.gather(connecting, loop.sock_accept(listener))
    reading = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(0)
    reading.cancel()
    try:
        await reading
    except asyncio.CancelledError:
        pass
    # Closed with a linger time of 0, it sends a reset.
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    try:
        await reader.read()
    except ConnectionResetError:
        pass
    else:
        raise AssertionError("a reset was reported as the end")
    writer.close()
    listener.close()


async def everything():
    await tcp(socket.AF_INET, "127.0.0.1")
    if os.path.exists("/proc/net/if_inet6"):
        await tcp(socket.AF_INET6, "::1")
    await unix()
    await backpressure()
    await plain_sockets()
    await pipes()
    await cancelled()
    return "TCP, Unix sockets, pipes, backpressure, plain sockets"


main(everything)
