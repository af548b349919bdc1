"""Common parts of the scripts: they run a coroutine on uvloop once they have been inspected."""

import asyncio
import hashlib
import os
import sys

import uvloop


def ready():
    print("ready", flush=True)
    line = sys.stdin.readline()
    assert line == "go\n", line


def main(coroutine_function):
    ready()
    uvloop.install()

    async def with_check():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, uvloop.Loop), loop
        # A reference cycle or a lost callback is reported, and fails the script.
        problems = []
        loop.set_exception_handler(lambda loop, context: problems.append(context))
        result = await coroutine_function()
        assert not problems, problems
        return result

    print(f"uvloop {uvloop.__version__}:", asyncio.run(with_check()))


def contents(size, seed=b""):
    """Bytes without a pattern, equal for equal seeds."""
    block = hashlib.sha256(seed).digest() * 128
    return (block * (size // len(block) + 1))[:size]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


async def until(condition):
    """Lets the loop run until something has come true; the sandbox has the time limit."""
    while not condition():
        await asyncio.sleep(0.005)
