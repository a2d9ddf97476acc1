"""`mien analyze` on real pictures and videos, with the models that ship."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from inference.annotation.face_card import HEIGHT, PANEL
from inference.annotation.picture import MIN_SIDE
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.errors import InferenceError, InputError, OutputError
from inference.offline.files import find_files
from mien.cli.analyze import analyze
from mien.wiring import models

EXPRESSIONS = {"anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"}
PAUSE = "face-demographics-walking-and-pause.mp4"

app = typer.Typer()
app.command()(analyze)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


def refusal(*arguments: object) -> str:
    """The message of the error that ends the command before it does anything."""
    result = run(*arguments)
    assert isinstance(result.exception, InferenceError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def write_picture(path: Path, side: int = 96, seed: int = 0, colored: bool = False) -> Path:
    """Blurred noise; the content does not matter."""
    shape = (side, side, 3) if colored else (side, side)
    noise = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.GaussianBlur(noise, (0, 0), 4))
    return path


def write_video(path: Path, frames: int = 12, fps: float = 4, size: tuple[int, int] = (320, 240)) -> Path:
    """A bright bar that moves to the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    for number in range(frames):
        frame = np.full((size[1], size[0], 3), 60, np.uint8)
        frame[:, 10 * number : 10 * number + 30] = 220
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def clip() -> Path:
    """Three people who walk up and stop."""
    data = os.environ.get("MIEN_DATA")
    if not data:
        pytest.skip("MIEN_DATA names no folder with the clips")
    return Path(data) / "videos" / PAUSE


def check_object(record: dict[str, Any]) -> None:
    assert list(record) == ["file", "frame", "time_s", "width", "height", "faces"]
    for face in record["faces"]:
        assert list(face) == ["box", "score", "expression", "expressions", "gender", "genders"]
        assert len(face["box"]) == 4
        assert 0 < face["score"] <= 1
        assert set(face["expressions"]) == EXPRESSIONS
        assert sum(face["expressions"].values()) == pytest.approx(1, abs=1e-3)
        assert sum(face["genders"].values()) == pytest.approx(1, abs=1e-3)
        assert face["expression"] in EXPRESSIONS | {"unknown"}
        assert face["gender"] in {"female", "male", "unknown"}
        if face["gender"] != "unknown":
            assert face["genders"][face["gender"]] >= 0.5


def test_face_crops_give_one_face_each_and_cards(tmp_path: Path) -> None:
    for number in range(3):
        write_picture(tmp_path / "in" / f"{number}.png", side=48 + 24 * number, seed=number)
    out = tmp_path / "new" / "faces.jsonl"
    result = run(tmp_path / "in", "--faces", "--out", out, "--annotate", tmp_path / "cards")
    assert result.exit_code == 0, result.output
    assert "3 files, 3 faces" in result.output
    for number, record in enumerate(objects(out)):
        check_object(record)
        side = 48 + 24 * number
        assert record["file"] == str(tmp_path / "in" / f"{number}.png")
        assert (record["frame"], record["time_s"]) == (0, 0.0)
        assert (record["width"], record["height"]) == (side, side)
        assert [face["box"] for face in record["faces"]] == [[0, 0, side, side]]
        drawn = cv2.imread(str(tmp_path / "cards" / f"{number}.png"))
        assert drawn is not None
        assert drawn.shape == (HEIGHT, HEIGHT + PANEL, 3)


def test_a_square_crop_reaches_the_classifier_as_it_is(tmp_path: Path) -> None:
    classifier = Classifier()
    path = write_picture(tmp_path / "a.png", side=classifier.size)
    run(path, "--faces", "--out", tmp_path / "out.jsonl")
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    expected = classifier.classify(np.asarray(picture, np.uint8)[None])
    (record,) = objects(tmp_path / "out.jsonl")
    found = [record["faces"][0]["expressions"][name] for name in classifier.expression_head.labels]
    assert found == pytest.approx(expected.expressions[0].tolist(), abs=1e-3)


def test_unreadable_files_are_reported_and_all_others_are_analysed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    whole = write_picture(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(whole.read_bytes()[:900])
    (folder / "c.png").write_text("not a picture")
    (folder / "d.mp4").write_text("not a video")
    (folder / "labels.csv").write_text("file,age\n")
    (folder / ".hidden.jpg").write_text("not looked at")
    write_picture(folder / "z" / "e.png")
    for ending in ("jsonl", "csv"):
        result = run(folder, "--faces", "--out", tmp_path / f"out.{ending}")
        assert result.exit_code == 1
        assert "5 files, 2 faces, 3 unreadable, 1 file skipped: neither picture nor video" in result.output
    records = objects(tmp_path / "out.jsonl")
    assert [Path(record["file"]).name for record in records] == ["a.jpg", "b.jpg", "c.png", "d.mp4", "e.png"]
    for index, words in ((1, "truncated JPEG"), (2, "not a picture"), (3, "not a video")):
        assert list(records[index]) == ["file", "error"]
        assert words in records[index]["error"]
    rows = rows_of(tmp_path / "out.csv")
    assert [row["error"] != "" for row in rows] == [False, True, True, True, False]


def test_csv_has_a_row_per_face_with_the_same_numbers(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    write_picture(tmp_path / "in" / "b.png", seed=1)
    run(tmp_path / "in", "--faces", "--out", tmp_path / "out.csv")
    run(tmp_path / "in", "--faces", "--out", tmp_path / "out.jsonl")
    rows = rows_of(tmp_path / "out.csv")
    for row, record in zip(rows, objects(tmp_path / "out.jsonl"), strict=True):
        (face,) = record["faces"]
        assert row["file"] == record["file"]
        assert row["face"] == "0"
        assert [float(row[f"box_{name}"]) for name in ("x", "y", "width", "height")] == face["box"]
        for name, probability in {**face["expressions"], **face["genders"]}.items():
            assert float(row[f"p_{name}"]) == probability
        assert (row["expression"], row["gender"]) == (face["expression"], face["gender"])


def test_copies_keep_names_folders_and_colours_and_leave_the_originals_unchanged(tmp_path: Path) -> None:
    one = write_picture(tmp_path / "in" / "x" / "a.jpg", side=200, colored=True)
    two = write_picture(tmp_path / "in" / "y" / "a.jpg", side=800, colored=True)
    before = one.read_bytes(), two.read_bytes()
    copies = tmp_path / "in" / "drawn"
    for _ in range(2):
        result = run(one, two.parent, "--faces", "--annotate", copies)
        assert result.exit_code == 0, result.output
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.*")) == [
        "x/a.jpg",
        "y/a.jpg",
    ]
    assert (one.read_bytes(), two.read_bytes()) == before
    drawn = cv2.imread(str(copies / "y" / "a.jpg"))
    original = cv2.imread(str(two))
    assert drawn is not None
    assert original is not None
    small = cv2.resize(original, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    assert np.abs(drawn[:, :HEIGHT].astype(int) - small).mean() < 4
    # The folder of copies is inside the folder that is read: a second run skips it.
    assert len(find_files([tmp_path / "in"], exclude=copies).files) == 2


def test_an_original_is_never_overwritten(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg")
    before = path.read_bytes()
    assert "would overwrite" in refusal(path, "--faces", "--annotate", tmp_path)
    link = tmp_path / "out.csv"
    link.symlink_to(path)
    assert "would overwrite" in refusal(path, "--faces", "--out", link)
    assert path.read_bytes() == before


def test_two_files_never_have_one_copy(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clips" / "clip.avi")
    other_clip = write_video(tmp_path / "clips" / "clip.avi.mp4")
    picture = write_picture(tmp_path / "pictures" / "a.gif.png")
    other_picture = picture.with_name("a.gif")
    other_picture.write_bytes(picture.read_bytes())
    for one, other, name in ((clip, other_clip, "clip.avi.mp4"), (other_picture, picture, "a.gif.png")):
        message = refusal(one.parent, "--faces", "--annotate", tmp_path / "drawn")
        assert f"{one} and {other}" in message
        assert str(tmp_path / "drawn" / name) in message
    assert not (tmp_path / "drawn").exists()


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000)])
def test_a_video_copy_of_pictures_with_a_single_row_or_column_has_two(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    pictures = [Image.new("L", size, value) for value in (40, 200)]
    pictures[0].save(tmp_path / "thin.gif", save_all=True, append_images=pictures[1:])
    result = run(tmp_path / "thin.gif", "--annotate", tmp_path / "drawn")
    assert result.exit_code == 0, result.output
    copy = cv2.VideoCapture(str(tmp_path / "drawn" / "thin.gif.mp4"))
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 2
    width, height = (copy.get(each) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    assert (width, height) == tuple(max(side, 2) for side in size)


def test_invalid_arguments_are_refused_before_any_analysis(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg")
    out = tmp_path / "out.jsonl"
    assert refusal(tmp_path / "none.jpg", "--out", out).endswith("none.jpg: no such file or folder")
    assert "expected .jsonl or .csv" in refusal(path, "--out", tmp_path / "out.txt")
    assert "--annotate DIR" in refusal(path, "--blur")
    (tmp_path / "empty").mkdir()
    assert "neither pictures" in refusal(tmp_path / "empty", "--out", out)
    assert run(path, "--every", -1).exit_code == 2
    assert not out.exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.jpg", "empty"]


def test_results_that_cannot_be_written_end_the_command(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("no folder")
    assert "cannot be written" in refusal(path, "--faces", "--out", tmp_path / "file" / "out.csv")
    assert "cannot be written" in refusal(path, "--faces", "--annotate", tmp_path / "file")
    assert "cannot be written: No space left" in refusal(path, "--faces", "--out", _full(tmp_path))


def _full(folder: Path) -> Path:
    """A name for the device that is always full."""
    link = folder / "full.csv"
    link.symlink_to("/dev/full")
    return link


def test_each_file_is_analysed_once(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "again.jpg").symlink_to(path)
    found = find_files([path, tmp_path / "in", path])
    assert [item.path for item in found.files] == [path]
    with pytest.raises(InputError, match="no such file"):
        find_files([tmp_path / "nothing"])


@pytest.mark.timeout(60)
def test_a_named_pipe_is_never_opened(tmp_path: Path) -> None:
    path, pipe = write_picture(tmp_path / "a.jpg"), tmp_path / "b.jpg"
    os.mkfifo(pipe)
    (tmp_path / "c.jpg").symlink_to(tmp_path / "nowhere")
    found = find_files([tmp_path])
    assert [item.path.name for item in found.files] == [path.name, "c.jpg"], "a broken link is reported later"
    assert found.others == 1
    for named in (pipe, Path("/dev/null")):
        with pytest.raises(InputError, match=f"{named}: neither a file nor a folder"):
            find_files([path, named])


def test_a_video_is_analysed_frame_by_frame_or_at_an_interval(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", frames=12, fps=4)
    result = run(video, "--faces", "--out", tmp_path / "all.jsonl", "--annotate", tmp_path / "drawn")
    assert result.exit_code == 0, result.output
    assert "12 in 12 of 12 frames" in result.output
    records = objects(tmp_path / "all.jsonl")
    for record in records:
        check_object(record)
    assert [record["frame"] for record in records] == list(range(12))
    assert [record["time_s"] for record in records] == pytest.approx([n / 4 for n in range(12)], abs=0.01)
    copy = cv2.VideoCapture(str(tmp_path / "drawn" / "v.mp4"))
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert copy.get(cv2.CAP_PROP_FPS) == pytest.approx(4)

    run(video, "--faces", "--every", 1.1, "--out", tmp_path / "some.jsonl", "--annotate", tmp_path / "drawn")
    assert [record["frame"] for record in objects(tmp_path / "some.jsonl")] == [0, 5, 9]
    copy = cv2.VideoCapture(str(tmp_path / "drawn" / "v.mp4"))
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_a_truncated_video_gives_its_readable_frames_and_an_error(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", frames=60)
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.4)])
    result = run(video, "--faces", "--out", tmp_path / "out.jsonl")
    *frames, last = objects(tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert 0 < len(frames) < 60
    assert list(last) == ["file", "error"]


class TwoFaces:
    """Finds a face and something that is less like one."""

    levels = ScoreLevels(0.2, 0.44, 0.6)
    boxes = np.array([(40, 40, 100, 100), (400, 300, 100, 100)], np.float32)
    scores = np.array([0.9, 0.2], np.float32)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        found = self.scores >= (self.levels.face if lowest is None else lowest)
        return Faces(self.boxes[found], self.scores[found])


def test_blurring_hides_also_what_the_analysis_takes_for_no_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "create_detector", lambda _: TwoFaces())
    picture = write_picture(tmp_path / "a.png", side=640, colored=True)
    run(picture, "--out", tmp_path / "a.jsonl", "--annotate", tmp_path / "hidden", "--blur")
    (record,) = objects(tmp_path / "a.jsonl")
    assert len(record["faces"]) == 1
    before, after = (cv2.imread(str(path)) for path in (picture, tmp_path / "hidden" / "a.png"))
    assert before is not None
    assert after is not None
    for x, y in ((60, 60), (420, 320)):
        changed = (before[y : y + 60, x : x + 60] != after[y : y + 60, x : x + 60]).any(axis=2)
        assert changed.mean() > 0.9
    assert (before[200:280, 200:380] == after[200:280, 200:380]).all()


def test_faces_of_a_clip_are_found_annotated_and_blurred(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), _frame(clip, 30))
    result = run(still, "--out", tmp_path / "out.jsonl", "--annotate", tmp_path / "plain")
    assert result.exit_code == 0, result.output
    (record,) = objects(tmp_path / "out.jsonl")
    check_object(record)
    assert len(record["faces"]) == 3
    lefts = sorted(face["box"][0] + face["box"][2] / 2 for face in record["faces"])
    assert lefts == pytest.approx([82, 227, 374], abs=15)
    drawn = cv2.imread(str(tmp_path / "plain" / "still.png"))
    assert drawn is not None
    assert max(drawn.shape) >= MIN_SIDE

    run(still, "--annotate", tmp_path / "hidden", "--blur")
    run(tmp_path / "hidden" / "still.png", "--out", tmp_path / "hidden.jsonl")
    (hidden,) = objects(tmp_path / "hidden.jsonl")
    assert len(hidden["faces"]) < 2
    assert capfd.readouterr().err == ""


def _frame(clip: Path, number: int) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(clip))
    for _ in range(number):
        capture.grab()
    done, frame = capture.read()
    assert done
    return np.asarray(frame, np.uint8)


def test_a_picture_without_faces_is_one_line_of_the_output(tmp_path: Path) -> None:
    gray = np.full((240, 320), 128, np.uint8)
    cv2.imwrite(str(tmp_path / "wall.png"), gray)
    result = run(tmp_path / "wall.png", "--out", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    (record,) = objects(tmp_path / "out.jsonl")
    check_object(record)
    assert record["faces"] == []


def test_the_installed_command(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg")
    done = _mien("analyze", path, "--faces", "--out", tmp_path / "out.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 file, 1 face" in done.stdout
    missing = _mien("analyze", tmp_path / "none")
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1
    assert "no such file" in missing.stderr


def _mien(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The installed program, in a process of its own."""
    program = Path(sys.executable).with_name("mien")
    return subprocess.run(
        [program, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=60
    )


def test_output_errors_are_errors_of_inference() -> None:
    assert issubclass(OutputError, InferenceError)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_names_that_are_not_utf8_are_written_escaped(suffix: str, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.jpg")
    picture.rename(tmp_path / os.fsdecode(b"Stra\xdfe.jpg"))
    out = tmp_path / f"found.{suffix}"
    result = run("--faces", tmp_path, "--out", out)
    assert result.exit_code == 0, result.output
    assert "\\xdfe.jpg" in out.read_text(encoding="utf-8").replace("\\\\", "\\")


def test_folders_are_read_in_natural_order_without_what_systems_leave_in_them(tmp_path: Path) -> None:
    for number in (10, 9, 1, 2):
        write_picture(tmp_path / f"{number}.jpg", seed=number)
    for name in ("._1.jpg", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"no picture")
    found = find_files([tmp_path])
    assert [file.path.name for file in found.files] == ["1.jpg", "2.jpg", "9.jpg", "10.jpg"]
    assert found.others == 0
