"""Reads and writes runs for the engine: looked up before they start, stored when they end.

A run is in the session's log before its test sees it: a killed session loses no run that was paid for. One line of a
log is written in the event loop. All else, which takes longer, is done by a thread: the loop's delays would be those of
every run.
"""

from __future__ import annotations

import queue
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from ..errors import ConfigurationError, WisebotError
from ..event_log import Events, run_event
from ..originals import threading
from ..redaction import Redactor
from ..runs import Ended, EngineError, RunRequest, WorkflowRun
from .sessions import Session
from .sources import NOT_FOUND, Finder, Lookup, Source

T = TypeVar("T")

LIGHT: Final = 64 * 1024
"""Bytes of an answer that are cleaned and logged within the event loop: a fraction of a millisecond."""

ENDING_SECONDS: Final = 30.0
"""How long the session's end waits for pending writes."""

Soon = Callable[..., object]
"""Has the engine's loop call a function soon; of no effect once the loop has ended."""


class RunRecorder:
    """Looks runs up in a source, and stores them in it and in the session's log.

    Args:
        source: answers requests from earlier runs, and stores new ones.
        session: the session that is being written; None where nothing is.
        redactor: cleans the message of a defect of this package.
        finder: the source's, which must know the collected tests.
        events: get the event of each run.
    """

    def __init__(
        self,
        source: Source,
        session: Session | None,
        redactor: Redactor,
        finder: Finder | None = None,
        events: Events | None = None,
    ) -> None:
        self.source = source
        self.session = session
        self.problems: Counter[str] = Counter()
        """Why runs could not be kept, and how many."""
        self._events = events
        self._redactor = redactor
        self._finder = finder
        self._todo: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wisebot-recorder", daemon=True)
        self._thread.start()

    @property
    def looks_up(self) -> bool:
        """Whether a run may exist before it is started."""
        return self.source.looks_up

    def expect(self, collected: Iterable[str], askers: Iterable[str] = ()) -> None:
        """Announces the collected tests, and the fixtures that start runs."""
        if self._finder is not None:
            tests = list(map(self._redactor.clean, collected))
            self._todo.put(partial(self._finder.expect, tests, askers))

    def lookup(self, request: RunRequest, soon: Soon, then: Callable[[Lookup], None]) -> None:
        """Looks for a run, and calls ``then`` in the loop."""
        self._todo.put(lambda: soon(partial(then, self._looked_up(request))))

    def is_light(self, ended: Ended, received: int) -> bool:
        """Whether storing is one line of a log, which may be written in the event loop.

        Args:
            ended: the end of a run.
            received: bytes of its answer.
        """
        if not isinstance(ended.outcome, WorkflowRun):
            return self.session is None or self.session.is_open or not ended.may_have_run
        if not self.source.is_light or received > LIGHT:
            return False
        # The answer of a kept run may be of any size.
        return self.session is None or (self.session.is_open and not ended.outcome.is_kept)

    def store(self, request: RunRequest, ended: Ended, found: Lookup = NOT_FOUND) -> Ended:
        """Stores the end of a run, and returns it with what the source found out."""
        run = ended.outcome
        if isinstance(run, WorkflowRun) and not run.is_kept:
            with self._noting_problems():
                drift = self.source.store(request, run, found)
                ended = replace(ended, drift=tuple(map(self._redactor.clean, drift)), note=found.note)
        with self._noting_problems():
            if ended.may_have_run and self.session is not None:
                self.session.open()
            if self._events is not None:
                event = run_event(request, ended)
                if self.session is not None and isinstance(run, WorkflowRun) and not request.side:
                    event["key"] = self.session.key(request)
                self._events.write(event)
        return ended

    def store_soon(
        self, request: RunRequest, ended: Ended, found: Lookup, soon: Soon, then: Callable[[Ended], None]
    ) -> None:
        """Stores the end of a run in the thread, and calls ``then`` in the loop."""
        self._todo.put(lambda: soon(partial(then, self.store(request, ended, found))))

    def ask(self, function: Callable[[], T]) -> T:
        """The result of a function that reads the store, called once all earlier writes are done."""
        if not self._thread.is_alive():
            return function()
        answer: Future[T] = Future()

        def step() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                answer.set_exception(error)

        self._todo.put(step)
        return answer.result(ENDING_SECONDS)

    def close(self) -> None:
        """Ends, once all earlier writes are done."""
        self._todo.put(None)
        self._thread.join(ENDING_SECONDS)

    # --- in the thread, and in the event loop for what is light

    def _work(self) -> None:
        while (step := self._todo.get()) is not None:
            with self._noting_problems():  # else the thread ends, and every later run waits for it
                step()

    def _looked_up(self, request: RunRequest) -> Lookup:
        try:
            return self.source.lookup(request)
        except WisebotError as error:
            return Lookup(Ended(error))
        except OSError as error:
            return Lookup(Ended(ConfigurationError(f"{error.filename}: {error.strerror}")))
        except Exception as error:  # noqa: BLE001 - a defect of this package must reach the waiting test
            return Lookup(Ended(self._defect(error)))

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        """Counts what went wrong: the run itself is what the test waits for."""
        try:
            yield
        except (WisebotError, OSError) as error:
            self.problems[str(error)] += 1
        except Exception as error:  # noqa: BLE001 - one run is lost to the store, and no other one with it
            self.problems[str(self._defect(error))] += 1

    def _defect(self, error: Exception) -> EngineError:
        frames = "".join(traceback.format_exception(error))
        return EngineError(f"pytest-wisebot failed inside; please report this:\n{self._redactor.clean(frames)}")
