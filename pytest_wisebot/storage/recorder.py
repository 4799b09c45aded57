"""The engine's hand on the disk: what is looked up before a run and written down after it.

A run that a test has been told of is in the session's log by then: whatever kills the session later, it need not be
paid for again. What may take longer than a line of a log has a thread of its own, and is not done in the event loop,
which all runs share, and whose delays would be theirs: what is looked up, files, large answers.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from ..engine.jobs import Job
from ..engine.values import Ended, EngineError
from ..errors import ConfigurationError, WisebotError
from ..redaction import Redactor
from ..runs import WorkflowRun
from .session_log import Events, run_event
from .sessions import Session
from .sources import ASK, Finder, Lookup, Source

T = TypeVar("T")

QUIET_SECONDS: Final = 0.05
"""How long nothing must have been logged before the runs of the log go into files."""

LIGHT: Final = 64 * 1024
"""Bytes of an answer that are cleaned and logged within the event loop: a fraction of a millisecond."""

ENDING_SECONDS: Final = 30.0
"""How long the session's end waits for what is still to be written."""

Soon = Callable[..., object]
"""Has the engine's loop call a function soon; of no effect once the loop has ended."""


class RunRecorder:
    """Recalls runs from a source and keeps them in it.

    Args:
        source: where runs come from, and where they go.
        session: the session that is being written down; None where nothing is.
        redactor: cleans what a defect of this package shows.
        finder: learns which tests there are.
        events: are told how each run ended.
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
        self._events = events
        self._redactor = redactor
        self._finder = finder
        self._problems: dict[str, int] = {}
        self._todo: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._looks_after_files = False
        """The thread knows that runs are in the log, and in no file yet."""
        self._thread = threading.Thread(target=self._go_on, name="wisebot-keeper", daemon=True)
        self._thread.start()

    @property
    def recalls(self) -> bool:
        """Whether a run may be there before it is asked for."""
        return self.source.recalls

    @property
    def problems(self) -> dict[str, int]:
        """Why runs could not be kept, and how many."""
        return dict(self._problems)

    def expect(self, collected: Iterable[str], askers: Iterable[str] = ()) -> None:
        """Learns which tests there are, and who else asks."""
        if self._finder is not None:
            tests = list(collected)
            finder = self._finder
            self._todo.put(lambda: finder.expect(map(self._redactor.clean, tests), askers))

    def recall(self, job: Job, soon: Soon, then: Callable[[Lookup], None]) -> None:
        """Looks for a run, and has the loop told."""
        self._todo.put(lambda: soon(partial(then, self._recalled(job))))

    def keep_at_once(self, job: Job, ended: Ended) -> Ended | None:
        """Keeps how a run ended, where that is a matter of one line of a log; None where it takes the thread.

        For the event loop.
        """
        return None if self._takes_the_thread(job, ended) else self._kept(job, ended)

    def _takes_the_thread(self, job: Job, ended: Ended) -> bool:
        run, session = ended.outcome, self.session
        if not isinstance(run, WorkflowRun):
            return session is not None and ended.worth_keeping and not session.is_open
        if not self.source.is_light or job.flight.received > LIGHT:
            return True
        # One that was kept before may be of any size, and others fly beside it.
        return session is not None and (run.is_kept or not session.takes_at_once(job.request))

    def keep(self, job: Job, ended: Ended, soon: Soon, then: Callable[[Ended], None]) -> None:
        """Keeps how a run ended, and has the loop told when that is done."""
        self._todo.put(lambda: soon(partial(then, self._kept(job, ended))))

    def ask(self, function: Callable[[], T]) -> T:
        """What a function says that looks at the store, once all before it has been written."""
        if not self._thread.is_alive():
            return function()
        answer: Future[T] = Future()

        def step() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
                answer.set_exception(error)

        self._todo.put(step)
        return answer.result(ENDING_SECONDS)

    def finish(self) -> None:
        """Waits until every run that has ended by now is in its file."""
        self.ask(self._file_all)

    def close(self) -> None:
        """Writes what is left, and ends."""
        self._todo.put(self._close)
        self._todo.put(None)
        self._thread.join(ENDING_SECONDS)

    # --- in its thread, and in the event loop what is kept at once

    def _go_on(self) -> None:
        while (step := self._next()) is not None:
            step()

    def _next(self) -> Callable[[], object] | None:
        """The next step; while none comes, and no run ends, the runs that were logged go into files."""
        while self.session is not None and self.session.is_behind:
            quiet_in = 0.0 if self.session.is_far_behind else self.session.logged_at + QUIET_SECONDS - time.monotonic()
            with suppress(queue.Empty):
                return self._todo.get(timeout=max(0.0, quiet_in))
            if quiet_in <= 0:
                self._file(self.session)
        self._looks_after_files = False
        if self.session is not None and self.session.is_behind:  # since it was looked at
            return _nothing
        return self._todo.get()

    def _file_all(self) -> None:
        while self.session is not None and self.session.is_behind:
            self._file(self.session)

    def _file(self, session: Session) -> None:
        try:
            session.file_one()
        except (WisebotError, OSError) as error:
            self._complain(str(error))
        except Exception as error:  # noqa: BLE001 - one run is lost to the store, and no other one with it
            self._complain(str(self._defect(error)))

    def _recalled(self, job: Job) -> Lookup:
        try:
            return self.source.recall(job.request)
        except WisebotError as error:
            return Lookup(Ended(error))
        except OSError as error:
            return Lookup(Ended(ConfigurationError(f"{error.filename}: {error.strerror}")))
        except Exception as error:  # noqa: BLE001 - a defect of ours must reach the test that waits
            return Lookup(Ended(self._defect(error)))

    def _kept(self, job: Job, ended: Ended) -> Ended:
        run = ended.outcome
        if isinstance(run, WorkflowRun) and not run.is_kept:
            try:
                recalled = job.recalled or ASK
                drift = self.source.keep(job.request, run, recalled)
                ended = replace(ended, drift=tuple(map(self._redactor.clean, drift)), note=recalled.note)
            except (WisebotError, OSError) as error:
                self._complain(str(error))
            except Exception as error:  # noqa: BLE001 - the run itself is what the test waits for
                self._complain(str(self._defect(error)))
        self._noted(job, ended)
        if not self._looks_after_files and self.session is not None and self.session.is_behind:
            self._looks_after_files = True
            self._todo.put(_nothing)
        return ended

    def _noted(self, job: Job, ended: Ended) -> None:
        try:
            if ended.worth_keeping and self.session is not None:
                self.session.open()
            if self._events is not None:
                self._events.write(run_event(job, ended))
        except Exception as error:  # noqa: BLE001
            self._complain(str(self._defect(error)))

    def _close(self) -> None:
        self._file_all()
        try:
            self.source.close()
        except (WisebotError, OSError) as error:
            self._complain(str(error))

    def _complain(self, problem: str) -> None:
        self._problems[problem] = self._problems.get(problem, 0) + 1

    def _defect(self, error: Exception) -> EngineError:
        frames: Any = "".join(traceback.format_exception(error))
        return EngineError(f"pytest-wisebot failed inside; please report this:\n{self._redactor.clean(frames)}")


def _nothing() -> None:
    """Wakes the thread."""
