"""A fixture that fails before ``workflow_run`` is asked for: what that costs, and what the summary says of it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import Numbers, Outside

NOT_AWAITED = "1 run was sent and not awaited: it may have happened"

NOT_RUN = "1 run not run: given up before being sent"

XDIST = pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])


@XDIST
def test_what_had_been_sent_is_paid_for_and_counted(outside: Outside, numbers: Numbers, args: list[str]) -> None:
    """The run comes to its end at Wisebot, nobody reads its result, and the summary says that it may have happened."""
    outside.test("""
        @pytest.fixture
        def broken():
            until(lambda: answered() == ["sent"])
            raise OSError("no database")

        @pytest.mark.wisebot("echo", {"n": "sent"})
        def test_it(broken, workflow_run):
            pass
    """)
    result = outside.run(*args)
    result.assert_outcomes(errors=1)
    assert outside.arrived == ["sent"]
    # The answer may have been read by now, or not: the session ends at once either way.
    assert numbers(result)[-1:] == [NOT_AWAITED]
    result.stdout.fnmatch_lines(["E       OSError: no database"])
    result.stdout.no_fnmatch_line("*wisebot runs*")


@XDIST
def test_what_had_not_been_sent_costs_nothing(outside: Outside, args: list[str]) -> None:
    """Once its test is over, a run that waits for its place is taken out of the queue; the others are not held up."""
    outside.test("""
        @pytest.fixture
        def broken():
            until(lambda: arrived() == ["flying"])
            raise OSError("no database")

        @pytest.fixture
        def opened():
            time.sleep(0.2)  # under xdist what the controller was told takes a moment
            open_gate()

        @pytest.mark.wisebot("gate", {"n": "flying", "until": GATE})
        def test_flying(broken, workflow_run):
            pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": "queued"}, {"n": "queued, too"}])
        def test_queued(broken, workflow_run, inputs):
            pass

        @pytest.mark.wisebot("echo", {"n": "right"})
        def test_right(opened, workflow_run):
            assert workflow_run.result == {"n": "right"}
    """)
    result = outside.run("--wisebot-concurrency", "1", *args)
    result.assert_outcomes(passed=1, errors=3)
    assert outside.arrived == ["flying", "right"]
    assert NOT_AWAITED in result.outlines


def test_a_wider_fixture_that_fails_costs_what_had_been_sent(outside: Outside) -> None:
    """One broken fixture of a module, five tests: of what was ahead of them, no more is sent."""
    outside.test("""
        @pytest.fixture(scope="module")
        def broken():
            until(lambda: sorted(arrived()) == [0, 1])
            raise OSError("no database")

        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 3} for n in range(5)])
        def test_it(broken, workflow_run, inputs):
            pass
    """)
    result = outside.run("--wisebot-concurrency", "2")
    result.assert_outcomes(errors=5)
    assert sorted(outside.arrived) == [0, 1]
    assert "2 runs were sent and not awaited: they may have happened" in result.outlines


def test_a_fixture_that_fails_after_the_run_has_its_run(outside: Outside) -> None:
    """The run was awaited: it stands in the test's section, and nothing is said of it at the end."""
    outside.test("""
        @pytest.fixture
        def broken(workflow_run):
            raise OSError("no database")

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(broken):
            pass
    """)
    result = outside.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*- wisebot runs -*", "echo over the webhook API, environment outside: ok (live)"])
    result.stdout.no_fnmatch_line("*not awaited*")


@pytest.mark.parametrize("setup", ["setup_method(self)", "setup_class(cls)"])
def test_setup_in_the_style_of_unittest_is_a_fixture_like_others(outside: Outside, setup: str) -> None:
    """It fails before anything is asked for, whatever its name."""
    outside.test(f"""
        class TestIt:
            {"@classmethod" if "cls" in setup else ""}
            def {setup}:
                until(lambda: answered() == [1])
                raise OSError("no database")

            @pytest.mark.wisebot("echo", {{"n": 1}})
            def test_it(self, workflow_run):
                pass
    """)
    result = outside.run()
    result.assert_outcomes(errors=1)
    assert outside.arrived == [1]
    assert NOT_AWAITED in result.outlines


@XDIST
def test_what_was_told_to_come_back_later_does_not_come_back(
    outside: Outside, numbers: Numbers, args: list[str]
) -> None:
    """A run that Wisebot put off, and that no test wants any more, is not sent again, and has not happened."""
    outside.handle.fail_next(outside.rate_limited(0.4), everywhere=True)
    outside.test("""
        @pytest.fixture
        def broken():
            until(lambda: len(arrived()) == 1)
            raise OSError("no database")

        @pytest.mark.wisebot("echo", {"n": "put off"})
        def test_it(broken, workflow_run):
            pass

        def test_meanwhile():
            time.sleep(0.8)
    """)
    result = outside.run(*args)
    result.assert_outcomes(passed=1, errors=1)
    assert outside.arrived == ["put off"]
    assert numbers(result)[-1] == NOT_RUN


@contextlib.contextmanager
def silent(folder: Path) -> Iterator[int]:
    """Listens on a port, and says nothing; the files ``connected`` and ``closed`` say how far its one guest is."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            guest, _ = listener.accept()
            with guest:
                (folder / "connected").touch()
                while guest.recv(65536):
                    pass
                (folder / "closed").touch()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):  # wakes who still waits for a guest
            listener.shutdown(socket.SHUT_RDWR)


@XDIST
def test_what_was_only_connecting_is_not_sent(outside: Outside, numbers: Numbers, args: list[str]) -> None:
    """Its turn had come, and the host had not answered yet: the connection is given up together with the test."""
    outside.test("""
        @pytest.fixture
        def broken():
            until((HERE / "connected").exists)
            raise OSError("no database")

        @pytest.mark.wisebot("echo", {"n": "unwanted"})
        def test_it(broken, workflow_run):
            pass

        def test_next():
            until((HERE / "closed").exists)
    """)
    with silent(outside.project.path) as port:
        host = ["--wisebot-origin", f"https://127.0.0.1:{port}", "--wisebot-secret", "FAKE-secret-of-all"]
        result = outside.run("--wisebot-retries", "0", *host, *args)
    result.assert_outcomes(passed=1, errors=1)
    assert numbers(result) == [NOT_RUN]


@contextlib.contextmanager
def hesitant(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A dashboard that says of a token that it is good once the file ``go`` is there; and the runs that it was sent."""
    sent: list[str] = []

    class Dashboard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (folder / "asked").touch()
            ends_at = time.monotonic() + 10
            while not (folder / "go").exists() and time.monotonic() < ends_at:
                time.sleep(0.005)
            self._say(b"{}")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(self.path.rpartition("/")[2])
            self._say(b'{"ok": true, "runId": "r-1", "result": null}')

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()


@XDIST
def test_what_waited_for_the_check_of_its_token_is_not_sent(
    outside: Outside, numbers: Numbers, args: list[str]
) -> None:
    """One that is wanted has waited for the same check, and is sent alone."""
    outside.test("""
        @pytest.fixture
        def broken():
            until((HERE / "asked").exists)
            raise OSError("no database")

        @pytest.fixture
        def good():
            time.sleep(0.2)  # under xdist what the controller was told takes a moment
            (HERE / "go").touch()

        @pytest.mark.wisebot("unwanted", api="dashboard")
        def test_it(broken, workflow_run):
            pass

        @pytest.mark.wisebot("wanted", api="dashboard")
        def test_next(good, workflow_run):
            pass
    """)
    with hesitant(outside.project.path) as (base_url, sent):
        result = outside.run("--wisebot-base-url", base_url, "--wisebot-token", "wb_live_FAKE_token", *args)
    result.assert_outcomes(passed=1, errors=1)
    assert sent == ["wanted"]
    assert numbers(result)[-1] == NOT_RUN
