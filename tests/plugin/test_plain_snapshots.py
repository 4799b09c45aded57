"""A run is compared with ``workflow_snapshot``: syrupy's own fixture refuses it in every form, and records nothing."""

from __future__ import annotations

from harness import Project

MESSAGE = "TypeError: compare the run with workflow_snapshot, or run.result with snapshot"

FORMS = """
    import dataclasses, collections, types
    import attrs, pydantic
    from syrupy.assertion import SnapshotAssertion
    from syrupy.extensions.amber import AmberSnapshotExtension
    from syrupy.extensions.image import PNGImageSnapshotExtension, SVGImageSnapshotExtension
    from syrupy.extensions.json import JSONSnapshotExtension
    from syrupy.extensions.single_file import SingleFileSnapshotExtension
    from syrupy.filters import props
    from syrupy.matchers import path_type

    Pair = collections.namedtuple("Pair", "a b")

    @dataclasses.dataclass
    class Data:
        run: object

    @attrs.define
    class Attrs:
        run: object

    class Model(pydantic.BaseModel):
        run: object

    class Plain:
        def __init__(self, run):
            self.run = run

    class Own(AmberSnapshotExtension):
        def serialize(self, data, **_):
            return str(data)

    class OwnAssertion(SnapshotAssertion):
        pass

    @pytest.fixture
    def own_assertion(snapshot):
        return OwnAssertion(snapshot.session, Own, snapshot.test_location, snapshot.update_snapshots)

    @pytest.fixture(scope="session")
    def run(trigger_workflow):
        return trigger_workflow("echo", {"n": 1})

    @pytest.fixture(scope="session")
    def pending(trigger_workflow):
        return trigger_workflow.start("echo", {"n": 1})

    @pytest.mark.parametrize("extension", [
        AmberSnapshotExtension, JSONSnapshotExtension, SingleFileSnapshotExtension, PNGImageSnapshotExtension,
        SVGImageSnapshotExtension, Own,
    ])
    @pytest.mark.parametrize("form", [
        lambda run: run, lambda run: [run], lambda run: {"a": (1, run)}, lambda run: Data([run]),
    ], ids=["alone", "list", "dict", "dataclass"])
    def test_extension(run, snapshot, extension, form):
        assert form(run) == snapshot.use_extension(extension)

    @pytest.mark.parametrize("form", [
        lambda run, snapshot: snapshot == run,
        lambda run, snapshot: run != snapshot,
        lambda run, snapshot: snapshot in [run],
        lambda run, snapshot: run in [snapshot],
        lambda run, snapshot: [run, 1] == [snapshot, 1],
        lambda run, snapshot: snapshot.assert_match(run),
        lambda run, snapshot: run == snapshot(name="mine"),
        lambda run, snapshot: run == snapshot(exclude=props("run_id", "elapsed")),
        lambda run, snapshot: run == snapshot(matcher=path_type({"run_id": (str,)})),
        lambda run, snapshot: [run] == snapshot(matcher=lambda *, data, path: 1),
        lambda run, snapshot: 1 == snapshot(diff_data=run),
        lambda run, snapshot: run == snapshot.with_defaults(exclude=props("run_id")),
        lambda run, snapshot: snapshot == {run},
        lambda run, snapshot: snapshot == {run: 1},
        lambda run, snapshot: snapshot == Pair(1, run),
        lambda run, snapshot: snapshot == Attrs(run),
        lambda run, snapshot: snapshot == Model(run=run),
        lambda run, snapshot: snapshot == Plain([run]),
        lambda run, snapshot: snapshot == types.SimpleNamespace(run=run),
        lambda run, snapshot: snapshot == types.MappingProxyType({"run": run}),
        lambda run, snapshot: snapshot.use_extension(JSONSnapshotExtension) == (one for one in [run]),
    ], ids=str)
    def test_form(run, snapshot, form):
        assert form(run, snapshot)

    def test_subclass(run, own_assertion):
        assert run == own_assertion

    def test_pending(pending, snapshot):
        assert pending == snapshot

    def test_pending_in_a_list(pending, snapshot):
        assert [pending] == snapshot
"""


def test_a_run_is_refused_in_every_form(project: Project) -> None:
    """Either side, within other values, by any extension, with filters: nothing is written where it is updated."""
    project.test(FORMS)
    result = project.run("--snapshot-update", "--tb=line")
    assert result.parseoutcomes() == {"failed": 24 + 21 + 3}
    refused = [line for line in result.outlines if line == f"E   {MESSAGE}"]
    assert len(refused) == 24 + 21 + 3
    assert list(project.path.rglob("__snapshots__")) == []


def test_what_is_no_run_is_compared_as_ever(project: Project) -> None:
    """A result beside a refused run, with filters of its own; what was said for the refused one is forgotten."""
    project.test("""
        from syrupy.matchers import path_type

        class Plain:
            def __init__(self, run):
                self.run = run

        @pytest.mark.wisebot("echo", {"n": 1, "at": "2026"})
        def test_it(workflow_run, snapshot, workflow_snapshot):
            snapshot_of_mine = snapshot.with_defaults(matcher=path_type({"at": (str,)}))
            for _ in range(2):
                with pytest.raises(TypeError, match="compare the run with workflow_snapshot"):
                    workflow_run == snapshot_of_mine(name="refused")
                with pytest.raises(TypeError, match="compare the run with workflow_snapshot"):
                    Plain(workflow_run) == snapshot_of_mine(matcher=lambda *, data, path: data)
            assert workflow_run.result == snapshot_of_mine
            assert workflow_run == workflow_snapshot
            assert [workflow_run] == workflow_snapshot
    """)
    project.run("--snapshot-update").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)
    (amber,) = project.path.rglob("*.ambr")
    assert "'at': str" in amber.read_text("utf-8")
    assert "refused" not in amber.read_text("utf-8")


def test_a_snapshot_of_a_run_that_was_recorded_before_stays_as_it_is(project: Project) -> None:
    """The refused test fails, and neither it nor an update takes the old file away."""
    project.test("""
        def test_it(trigger_workflow, snapshot):
            run = trigger_workflow("echo", {"n": 1})
            assert (run.to_dict()["result"] if OLD else run) == snapshot
    """)
    project.edit("test_it.py", "if OLD", "if True")
    project.run("--snapshot-update").assert_outcomes(passed=1)
    (amber,) = project.path.rglob("*.ambr")
    before = amber.read_text("utf-8")
    project.edit("test_it.py", "if True", "if False")
    project.run("--snapshot-update").assert_outcomes(failed=1)
    assert amber.read_text("utf-8") == before


def test_syrupy_is_itself_again_after_the_session(project: Project) -> None:
    """What refuses runs is a session's own, and goes with it."""
    from syrupy.assertion import SnapshotAssertion

    before = SnapshotAssertion.__eq__
    project.test("def test_it(trigger_workflow):\n    trigger_workflow('echo')")
    project.run().assert_outcomes(passed=1)
    assert SnapshotAssertion.__eq__ is before
    project.run("-p", "no:syrupy").assert_outcomes(passed=1)
