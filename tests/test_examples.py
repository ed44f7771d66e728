"""Every example runs, and prints what its reader is told it prints."""

from pathlib import Path

import pytest

from tests.warm_python import WarmPython

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path, warm_python: WarmPython):
    done = warm_python.run([str(example)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
