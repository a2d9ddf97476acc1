"""The teacher as a file of the runtime: it finds what the teacher finds, and `mien analyze` takes it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("tensorflow", reason="needs the extra train")

from inference.detector import Detector
from inference.errors import InputError
from mien.cli.app import app
from tests.support.detector_data import write_photographs
from tests.support.teacher_file import write_teacher
from training.detector.teacher import Teacher
from training.detector.teacher_export import export_teacher
from training.errors import RunError


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teacher") / "teacher.onnx", size=48.0)


@pytest.fixture(scope="module")
def exported(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    out = folder / "new" / "mien.onnx"
    export_teacher(teacher, write_photographs(folder / "data"), out)
    return out


def picture() -> np.ndarray:
    """Two bright places on black, which the made teacher takes for faces, in a picture that is not square."""
    pixels = np.zeros((320, 640), np.uint8)
    pixels[100:104, 60:64] = pixels[240:244, 500:504] = 255
    return pixels


def test_it_finds_what_the_teacher_finds(teacher: Path, exported: Path) -> None:
    wanted = Teacher(teacher, threads=1, longest_side=640).detect(picture(), 0.5)
    found = Detector(exported, own=True).detect(picture(), 0.5)
    assert len(found) == len(wanted) == 2
    order, other = np.argsort(found.boxes[:, 0]), np.argsort(wanted.boxes[:, 0])
    np.testing.assert_allclose(found.boxes[order], wanted.boxes[other], atol=1e-3)
    np.testing.assert_allclose(found.scores[order], wanted.scores[other], atol=1e-5)


def test_only_the_best_of_neighbouring_cells_has_a_score(teacher: Path, exported: Path) -> None:
    """A bright area of two cells with a brighter one is one face, before any boxes are suppressed."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[20:24, 20:24], pixels[20:24, 24:28] = 165, 160
    session = Detector(exported, own=True)._session
    scores, _ = session.run(["scores", "boxes"], {"pixels": pixels[None, ..., None]})
    assert (scores > 0.5).sum() == 1
    assert scores.max() < 1


def test_its_metadata_says_what_it_is(exported: Path) -> None:
    metadata = Detector(exported, own=True).metadata
    assert (metadata.name, metadata.datasets) == ("centerface", ("WIDER FACE",))
    assert metadata.licence.startswith("MIT")
    levels = Detector(exported, own=True).levels
    assert 0 <= levels.weak <= levels.face <= levels.sure <= 1


def test_analyze_takes_it(exported: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "two.png"), picture())
    result = CliRunner().invoke(app, ["analyze", str(tmp_path / "two.png"), "--detector", str(exported)])
    assert result.exit_code == 0, result.output
    assert "1 file, 2 faces" in result.output


def test_face_crops_need_no_detector(exported: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    result = CliRunner().invoke(
        app, ["analyze", str(tmp_path / "a.png"), "--faces", "--detector", str(exported)]
    )
    assert isinstance(result.exception, InputError)
    assert "with --faces each picture is one face" in str(result.exception)


def test_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"a.onnx: cannot be read as an ONNX file"):
        export_teacher(tmp_path / "a.onnx", tmp_path, tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()
