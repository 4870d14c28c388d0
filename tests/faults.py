"""A TCP proxy that does to a connection what networks do: delays, silence, resets, crumbs, a slow line."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

Address = tuple[str, int] | str
"""Where the proxy forwards to: host and port, or the path of a Unix socket."""

CHUNK = 65536
_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Faults:
    """What the proxy does to what passes, in both directions. The default is an honest line.

    `latency`: seconds that each piece is held. `black_hole`: nothing passes, nothing is closed, new connections are
    accepted and stay mute. `slice`: bytes per piece, so that messages arrive in crumbs. `limit`: bytes per second.
    `cut_after`: a connection is reset once it has carried so many bytes. `refuse`: new connections are reset.
    """

    latency: float = 0.0
    black_hole: bool = False
    slice: int | None = None
    limit: float | None = None
    cut_after: int | None = None
    refuse: bool = False


@dataclass(eq=False)
class _Line:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    carried: int = 0

    def reset(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                _reset(writer)


class FaultProxy:
    """Listens on 127.0.0.1 and forwards to `target`. Faults take effect at once, on lines already open too."""

    def __init__(self, target: Address, *, port: int = 0) -> None:
        self.target = target
        self.faults = Faults()
        self._port = port
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        return self._port

    @property
    def lines(self) -> int:
        """Connections that are open now."""
        return len(self._lines)

    def set(self, **faults: float | bool | None) -> None:
        """Changes the faults named, leaves the others."""
        self.faults = replace(self.faults, **faults)  # type: ignore[arg-type]
        self._changed.set()
        self._changed = asyncio.Event()

    def heal(self) -> None:
        """An honest line again. What a black hole swallowed meanwhile was only held, as a network does, and goes on."""
        self.faults = Faults()
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Resets every open connection (RST, not FIN)."""
        for line in tuple(self._lines):
            line.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line = _Line(writer)
        self._lines.add(line)
        try:
            await self._serve(line, reader)
        except (OSError, EOFError):
            line.reset()
        except asyncio.CancelledError:  # the proxy ends; the stream's own callback must not see it
            line.reset()
        finally:
            self._lines.discard(line)
            self._tasks.discard(task)

    async def _serve(self, line: _Line, reader: asyncio.StreamReader) -> None:
        if self.faults.refuse:
            line.reset()
            return
        await self._while(lambda faults: faults.black_hole)
        back, line.server = await _connect(self.target)
        there = asyncio.ensure_future(self._pump(line, reader, line.server))
        here = asyncio.ensure_future(self._pump(line, back, line.client))
        try:
            await asyncio.gather(there, here)
        finally:
            there.cancel()
            here.cancel()
            for writer in (line.client, line.server):
                writer.close()

    async def _pump(self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(self.faults.slice or CHUNK):
            await self._hold(len(piece))
            line.carried += len(piece)
            if self.faults.cut_after is not None and line.carried > self.faults.cut_after:
                line.reset()
                return
            writer.write(piece)
            await writer.drain()
        await self._while(lambda faults: faults.black_hole)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _hold(self, size: int) -> None:
        faults = self.faults
        await asyncio.sleep(faults.latency + (size / faults.limit if faults.limit else 0))
        await self._while(lambda faults: faults.black_hole)

    async def _while(self, holds: Callable[[Faults], bool]) -> None:
        while holds(self.faults):
            await self._changed.wait()


async def _connect(target: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, str):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection(*target)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    writer.transport.abort()
