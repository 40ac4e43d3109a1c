"""The terminal: an input line that stays at the bottom, lines that scroll away above it.

prompt_toolkit's prompt blocks a worker thread, with an event loop of its own, for as long as the
screen is there. Lines to show go to that loop, which takes the input line away, writes them where
it was, and draws it again below. That is prompt_toolkit's `StdoutProxy` without its delays (100 ms
in the median) and its switch to the terminal's cooked mode for each write, in which what one types
at that moment would be echoed into the middle of the screen, and with a bound on what waits.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from chatroom.client.terminal.completion import Completion

#: Lines that wait for a slow terminal, at most; then who shows them waits, and with it the server.
WAITING_CHARS = 256 * 1024

#: In a thread there is no signal for a new size: it is looked at this often.
RESIZE_SECONDS = 0.1


class Screen:
    """Shows lines, and hands over what is typed.

    - `typed(text)` is called in Trio's thread with what Enter was pressed on.
    - `refuse(text)`, in either thread, may say why `text` can't be taken now; it then stays
      in the input line, and the reason is shown until the next key.
    - `status()` and `nicks()`, in the terminal's thread, give the status line and Tab's names.
    - `touched()`, in the terminal's thread: something was typed.
    """

    def __init__(  # noqa: PLR0913  # six threads of one knot: see above
        self,
        *,
        typed: Callable[[str], None],
        refuse: Callable[[str], str],
        status: Callable[[], str],
        nicks: Callable[[], list[str]],
        touched: Callable[[], None],
        history: History,
        colour: bool,
    ) -> None:
        self._typed, self._refuse, self._status = typed, refuse, status
        self._nicks, self._touched = nicks, touched
        self._hint = ""
        self._completion = Completion()
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._waiting_chars = 0
        self._eased = trio.Event()
        self._drawn = trio.Event()
        self._output = _output()
        self._session = self._make_session(history, colour=colour)
        self._token: trio.lowlevel.TrioToken | None = None

    # In Trio's thread

    async def run(self) -> None:
        """Have the terminal until Ctrl-D, Ctrl-C on an empty line, or its end. Cancel to end it.

        The terminal is restored, and what was shown has been written, when it returns.
        """
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._exit_when_cancelled)
            await trio.to_thread.run_sync(self._prompt)
            nursery.cancel_scope.cancel()

    async def wait_drawn(self) -> None:
        """Wait until the input line is there for the first time. Cancelled, nothing changes."""
        await self._drawn.wait()

    async def show(self, lines: list[str]) -> None:
        """Show lines above the input line; each is text without line ends, escapes included.

        Waits only if the terminal is far behind. Cancelled, they are shown all the same.
        """
        if not lines:
            return
        text = "".join(f"{line}\r\n" for line in lines)
        with self._lock:
            first = not self._waiting
            self._waiting.append(text)
            self._waiting_chars += len(text)
            full = self._waiting_chars > WAITING_CHARS
            if full:
                self._eased = trio.Event()
        if first:
            self._call(self._write_waiting)
        if full:
            await self._eased.wait()

    def refresh(self) -> None:
        """The status has changed; the reason for a refusal is shown for as long as it holds."""
        if self._hint:
            self._hint = self._refuse(self._session.default_buffer.text)
        self._session.app.invalidate()

    async def _exit_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._call(self._exit)

    def _call(self, function: Callable[[], None]) -> None:
        """Have `function` called in the terminal's thread, if its loop is running."""
        loop = self._session.app.loop
        if loop is None:
            return
        with suppress(RuntimeError):  # closed this moment: then `_prompt` writes what waits
            loop.call_soon_threadsafe(function)

    # In the terminal's thread

    def _prompt(self) -> None:
        try:
            self._session.prompt(pre_run=self._begin)
        except (EOFError, KeyboardInterrupt, OSError):
            pass  # Ctrl-D, Ctrl-C, or a terminal that is gone: all of them mean to leave
        finally:
            self._write_waiting()

    def _begin(self) -> None:
        self._in_trio(self._drawn.set)
        self._session.app.loop.call_soon(self._write_waiting)  # type: ignore[union-attr]

    def _in_trio(self, function: Callable[[], None]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(function)

    def _exit(self) -> None:
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(exception=EOFError())

    def _write_waiting(self) -> None:
        with self._lock:
            text, self._waiting, self._waiting_chars = "".join(self._waiting), [], 0
        app = self._session.app
        try:
            if text and app.is_running:
                app.renderer.erase()
            self._output.write_raw(text)
            self._output.flush()
        except OSError:
            self._exit()
        if app.is_running:
            app.invalidate()
        self._in_trio(self._eased.set)

    def _accept(self, buffer: Buffer) -> bool:
        """Whether the text stays in the input line."""
        text = buffer.text
        self._touched()
        self._hint = self._refuse(text)
        if self._hint:
            return True
        self._in_trio(lambda: self._typed(text))
        return False

    def _changed(self, _: Buffer) -> None:
        self._hint = ""
        self._touched()

    def _complete(self, step: int) -> None:
        buffer = self._session.default_buffer
        before = buffer.document.text_before_cursor
        completed = self._completion.next(before, self._nicks(), step)
        if completed != before:
            buffer.delete_before_cursor(len(before))
            buffer.insert_text(completed)

    def _message(self) -> StyleAndTextTuples:
        line = _fitted(f" {self._hint or self._status()} ", self._output.get_size().columns - 1)
        style = "class:hint" if self._hint else "class:status"
        return [(style, line), ("", "\n"), ("class:prompt", "> ")]

    def _make_session(self, history: History, *, colour: bool) -> PromptSession[str]:
        session: PromptSession[str] = PromptSession(
            self._message,
            history=history,
            key_bindings=self._keys(),
            complete_style=CompleteStyle.READLINE_LIKE,
            enable_history_search=False,
            enable_suspend=True,
            erase_when_done=True,
            output=self._output,
            color_depth=None if colour else ColorDepth.DEPTH_1_BIT,
            style=Style.from_dict({"status": "reverse", "hint": "reverse bold", "prompt": "bold"}),
        )
        session.app.terminal_size_polling_interval = RESIZE_SECONDS
        session.default_buffer.accept_handler = self._accept
        session.default_buffer.on_text_changed += self._changed
        return session

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            self._complete(1)

        @keys.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            self._complete(-1)

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            buffer = self._session.default_buffer
            if buffer.text:
                buffer.reset()
            else:
                self._exit()

        @keys.add("c-l")
        def _(event: KeyPressEvent) -> None:
            event.app.renderer.clear()

        return keys


def _output() -> Output:
    """The terminal on stdout, never asked where its cursor is: not every one answers that."""

    def size() -> Size:
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except (OSError, ValueError):
            columns, rows = 80, 24
        return Size(rows=rows or 24, columns=columns or 80)

    output: Any = Vt100_Output(sys.stdout, size, term=os.environ.get("TERM"), enable_cpr=False)
    return output  # type: ignore[no-any-return]


def _fitted(text: str, columns: int) -> str:
    """As much of the text as stands in one row."""
    width = 0
    for index, character in enumerate(text):
        width += get_cwidth(character)
        if width > columns:
            return text[:index]
    return text
