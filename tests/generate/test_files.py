"""Generated files come to a folder all or none, and never over what is somebody else's."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sla_kit.generate.files import JOURNAL, MANIFEST, NEW, Output, OutputError, differences, write

FIRST = [Output("rules/a.yml", "a: 1\n"), Output("rules/b.yml", "b: 1\n"), Output("run.sh", "#!/bin/sh\n", True)]
SECOND = [Output("rules/a.yml", "a: 2\n"), Output("rules/c.yml", "c: 2\n"), Output("run.sh", "#!/bin/sh\n", True)]


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder but the manifest."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def expected(outputs: list[Output]) -> dict[str, str]:
    return {output.path: output.text for output in outputs}


def test_files_are_written_changed_and_removed(tmp_path: Path) -> None:
    assert write(FIRST, tmp_path / "out").changed == ("rules/a.yml", "rules/b.yml", "run.sh")
    assert content(tmp_path / "out") == expected(FIRST)
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o111
    assert write(FIRST, tmp_path / "out").changed == ()
    written = write(SECOND, tmp_path / "out")
    assert (written.changed, written.unchanged, written.removed) == (
        ("rules/a.yml", "rules/c.yml"),
        ("run.sh",),
        ("rules/b.yml",),
    )
    assert content(tmp_path / "out") == expected(SECOND)


def test_a_part_leaves_the_others_alone(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    write([Output("runbooks/x.md", "x\n")], tmp_path, part=True)
    assert content(tmp_path) == expected([*FIRST, Output("runbooks/x.md", "x\n")])
    assert write(SECOND, tmp_path).removed == ("rules/b.yml", "runbooks/x.md")


def test_what_is_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    (tmp_path / "rules" / "own.yml").write_text("mine")
    (tmp_path / "rules" / "c.yml").write_text("mine")
    with pytest.raises(OutputError, match=r"c\.yml is not a file of ours"):
        write(SECOND, tmp_path)
    assert content(tmp_path) == expected(FIRST) | {"rules/own.yml": "mine", "rules/c.yml": "mine"}
    write(SECOND, tmp_path, force=True)
    assert content(tmp_path) == expected(SECOND) | {"rules/own.yml": "mine"}


def test_what_was_changed_by_hand_is_not_lost(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    (tmp_path / "rules" / "b.yml").write_text("changed")
    with pytest.raises(OutputError, match="was changed by hand") as told:
        write(SECOND, tmp_path)
    assert "--force" in str(told.value)
    assert content(tmp_path)["rules/b.yml"] == "changed"
    assert content(tmp_path)["rules/a.yml"] == "a: 1\n"


def test_a_link_or_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "out" / "rules" / "b.yml").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder"):
        write(FIRST, tmp_path / "out")
    (tmp_path / "out" / "rules" / "b.yml").rmdir()
    (tmp_path / "out" / "rules" / "a.yml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a link"):
        write(FIRST, tmp_path / "out")
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_nothing_is_written_where_a_link_leads_nor_over_a_folder_even_by_force(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "run.sh").mkdir(parents=True)
    (tmp_path / "out" / "rules").symlink_to(tmp_path / "elsewhere")
    for what in ("rules is a link", r"run\.sh is a folder"):
        for force in (False, True):
            with pytest.raises(OutputError, match=what):
                write(FIRST, tmp_path / "out", force=force)
        (tmp_path / "out" / "rules").unlink(missing_ok=True)
    assert content(tmp_path) == {}
    (tmp_path / "out" / "rules").write_text("mine")
    with pytest.raises(OutputError, match="rules is no folder"):
        write(FIRST, tmp_path / "out")
    assert content(tmp_path) == {"out/rules": "mine"}


@pytest.mark.parametrize("out", ["file", "file/below", "dangling"])
def test_a_place_that_can_be_no_folder_is_told_and_left_alone(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="can't be written") as told:
        write(FIRST, tmp_path / out)
    assert "nothing was changed" in str(told.value)
    assert content(tmp_path) == {"file": "mine"}
    assert {each.path for each in differences(FIRST, tmp_path / out)} == {each.path for each in FIRST}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (JOURNAL, '{"rename": [], "remove": ["../mine"]}'),
        (JOURNAL, '{"rename": ["../mine"], "remove": []}'),
        (JOURNAL, '{"rename": "all"'),
        (JOURNAL, "[]"),
        (MANIFEST, '{"../mine": "DIGEST"}'),
        (MANIFEST, "no list"),
    ],
)
def test_a_journal_or_list_that_leads_out_or_is_broken_does_nothing(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f"mine{NEW}").write_text("other")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text.replace("DIGEST", Output("mine", "mine").digest))
    with pytest.raises(OutputError, match="can't be read") as told:
        write(FIRST, tmp_path / "out")
    assert name in str(told.value)
    assert (tmp_path / "mine").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_script_that_can_no_more_be_run_is_mended(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    (tmp_path / "run.sh").chmod(0o644)
    assert [(each.path, each.what) for each in differences(FIRST, tmp_path)] == [("run.sh", "not executable")]
    assert write(FIRST, tmp_path).changed == ("run.sh",)
    assert differences(FIRST, tmp_path) == []


def test_runs_at_the_same_time_take_turns(tmp_path: Path) -> None:
    """Whoever comes last, the folder is as one of them has it, and its list of files is right."""
    code = (
        "import sys; from pathlib import Path\n"
        "from sla_kit.generate.files import Output, write\n"
        "for turn in range(6):\n"
        "    write([Output(f'rules/{n}.yml', sys.argv[2] * (n + turn)) for n in range(60)], Path(sys.argv[1]))\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), text]) for text in "xyz"]
    assert [process.wait() for process in started] == [0, 0, 0]
    last = (tmp_path / "rules" / "59.yml").read_text()[0]
    assert differences([Output(f"rules/{n}.yml", last * (n + 5)) for n in range(60)], tmp_path) == []
    assert write(FIRST, tmp_path).removed == tuple(sorted(f"rules/{n}.yml" for n in range(60)))


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.yml", "rules/a.yml"])
def test_a_path_that_leads_out_or_is_taken_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be the path"):
        write([*FIRST, Output(path, "x")], tmp_path)
    assert content(tmp_path) == {}


def test_a_full_disk_leaves_the_old_files_whole(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    large = [*SECOND, Output("rules/large.yml", "x" * 2_000_000)]
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sla_kit.generate.files import Output, OutputError, write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        f"outputs = [Output(p, t * n) for p, t, n in {[(o.path, o.text[:1], len(o.text)) for o in large]!r}]\n"
        "try: write(outputs, Path(sys.argv[1]))\n"
        "except OutputError as error: print(error); sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "nothing was changed" in done.stdout
    assert content(tmp_path) == expected(FIRST)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1_000_000


def test_a_run_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """At any moment the folder holds what was before, or becomes what was to be by running again."""
    many = [Output(f"rules/{number}.yml", "x" * number) for number in range(200)]
    others = [Output(f"rules/{number}.yml", "y" * number) for number in range(0, 300, 2)]
    code = (
        "import sys; from pathlib import Path\n"
        "from sla_kit.generate.files import Output, write\n"
        "outputs = [Output(f'rules/{n}.yml', 'y' * n) for n in range(0, 300, 2)]\n"
        "print('go', flush=True); write(outputs, Path(sys.argv[1]))\n"
    )
    chosen = random.Random(3)
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        write(many, folder)
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + chosen.uniform(0, 0.25)
        while time.monotonic() < deadline and process.poll() is None:
            pass
        process.kill()
        process.wait()
        write(others, folder)
        assert content(folder) == expected(others)
        assert differences(others, folder) == []


def test_a_folder_is_compared_with_what_would_be_written(tmp_path: Path) -> None:
    write(FIRST, tmp_path)
    assert differences(FIRST, tmp_path) == []
    found = {each.path: (each.what, each.diff) for each in differences(SECOND, tmp_path)}
    assert {path: what for path, (what, _) in found.items()} == {
        "rules/a.yml": "changed",
        "rules/b.yml": "left over",
        "rules/c.yml": "missing",
    }
    assert "-a: 1" in found["rules/a.yml"][1]
    assert "+a: 2" in found["rules/a.yml"][1]
