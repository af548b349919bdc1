"""Signal handlers of the loop, next to Python's own."""

import asyncio
import os
import signal
import threading

from common import main, until


async def handlers():
    loop = asyncio.get_running_loop()
    seen = []
    wanted = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGWINCH]
    for number in wanted:
        loop.add_signal_handler(number, seen.append, number)
    for number in wanted:
        os.kill(os.getpid(), number)
        await until(lambda: number in seen)
    # One that comes while the loop waits in the kernel, from another thread.
    seen.clear()
    later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    later.start()
    await until(lambda: seen == [signal.SIGUSR1])
    later.join()
    assert all(loop.remove_signal_handler(number) for number in wanted)
    assert not loop.remove_signal_handler(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    # Python's handlers run while the loop runs.
    signal.signal(signal.SIGUSR1, lambda *_: seen.append("python"))
    os.kill(os.getpid(), signal.SIGUSR1)
    await until(lambda: "python" in seen)


async def flood():
    """Signals of one number may melt into one, but none is lost altogether."""
    loop = asyncio.get_running_loop()
    counts = {signal.SIGUSR1: 0, signal.SIGUSR2: 0}

    def count(number):
        counts[number] += 1

    for number in counts:
        loop.add_signal_handler(number, count, number)
    for _ in range(500):
        before = dict(counts)
        for number in counts:
            os.kill(os.getpid(), number)
        await until(lambda: all(counts[number] > before[number] for number in counts))
    for number in counts:
        loop.remove_signal_handler(number)


async def impossible():
    """The last, since uvloop does not recover from it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGKILL, signal.SIGSTOP):
        try:
            loop.add_signal_handler(number, print, number)
        except RuntimeError:
            continue
        raise AssertionError(f"a handler for {number}")


async def everything():
    await handlers()
    await flood()
    await impossible()
    return "handlers, a flood of signals"


def keyboard_interrupt():
    """Ctrl-C ends a loop that waits for nothing else."""
    # Ignored where a shell has started the checks in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    async def forever():
        later.start()
        await asyncio.Event().wait()

    try:
        asyncio.run(forever())
    except KeyboardInterrupt:
        return
    raise AssertionError("not interrupted")


main(everything)
keyboard_interrupt()
print("handlers, a flood of signals, Ctrl-C")
