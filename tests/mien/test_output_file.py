"""Files that commands write: completely or not at all, and an error names them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mien.cli.output_file import write_output


def test_a_file_is_replaced_and_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "a.csv", tmp_path / "link.csv"
    file.write_bytes(b"before")
    link.symlink_to(file)
    write_output(link, b"after")
    assert file.read_bytes() == b"after"
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "link.csv"}


def test_a_full_disk_is_named_and_the_former_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"before")

    def fail(path: Path, data: bytes) -> int:
        with path.open("wb") as part:
            part.write(data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_output(file, b"after")
    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.skipif("not Path('/dev/full').exists()", reason="no /dev/full")
def test_a_device_is_written_directly() -> None:
    write_output(Path("/dev/null"), b"nothing")
    with pytest.raises(OSError, match="No space left") as caught:
        write_output(Path("/dev/full"), b"nothing")
    assert caught.value.filename == "/dev/full"
