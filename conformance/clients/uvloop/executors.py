"""Threads, timers, forks and names: what comes back to the loop from elsewhere."""

import asyncio
import concurrent.futures
import os
import socket
import threading
import time

from common import main, until


async def threads():
    loop = asyncio.get_running_loop()
    main_thread = threading.get_ident()

    def work(number):
        assert threading.get_ident() != main_thread
        time.sleep(0.001)
        return number * number

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = await asyncio.gather(
            *(loop.run_in_executor(pool, work, number) for number in range(500)))
    assert results == [number * number for number in range(500)]

    # From many threads at once; each one's calls come in their order, on the loop's thread.
    seen = []

    def send(sender):
        for number in range(1000):
            loop.call_soon_threadsafe(seen.append, (sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for sender in senders:
        sender.start()
    await until(lambda: len(seen) == 8000)
    for sender in senders:
        sender.join()
    for sender in range(8):
        assert [number for name, number in seen if name == sender] == list(range(1000))


async def timers():
    loop = asyncio.get_running_loop()
    order = []
    begin = loop.time()
    for number in (5, 1, 4, 2, 3):
        loop.call_at(begin + number * 0.02, order.append, number)
    loop.call_at(begin + 0.05, order.append, "cancelled").cancel()
    loop.call_soon(order.append, "soon")
    await until(lambda: len(order) == 6)
    assert order == ["soon", 1, 2, 3, 4, 5], order
    assert loop.time() - begin >= 0.099
    begin = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0.05) for _ in range(5000)))
    # The clock of the loop counts milliseconds.
    assert time.monotonic() - begin >= 0.048
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.02)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")


async def names():
    """These go to the pool of the library."""
    loop = asyncio.get_running_loop()
    found = await asyncio.gather(*(
        loop.getaddrinfo("127.0.0.1", 80 + number, type=socket.SOCK_STREAM)
        for number in range(50)))
    assert [answer[0][4] for answer in found] == [
        ("127.0.0.1", 80 + number) for number in range(50)]
    local = await loop.getaddrinfo("localhost", 80, family=socket.AF_INET)
    assert local[0][4] == ("127.0.0.1", 80)
    name, service = await loop.getnameinfo(
        ("127.0.0.1", 8080), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    assert (name, service) == ("127.0.0.1", "8080")
    try:
        await loop.getaddrinfo("a name that cannot be", 80)
    except socket.gaierror:
        pass
    else:
        raise AssertionError("such a name was found")


async def forks():
    """A child of fork has a loop of its own and leaves the parent's alone."""
    left, right = socket.socketpair()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.events._set_running_loop(None)
            other = asyncio.new_event_loop()
            other.call_later(0.01, right.send, b"from the child")
            other.run_until_complete(asyncio.sleep(0.03))
            status = 0
        finally:
            os._exit(status)
    right.close()
    left.setblocking(False)
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(left, 100) == b"from the child"
    _, status = await loop.run_in_executor(None, os.waitpid, child, 0)
    assert status == 0
    left.close()


async def everything():
    await threads()
    await timers()
    await names()
    await forks()
    return "threads, timers, names, forks"


main(everything)
