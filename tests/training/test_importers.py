"""Readers of the published files: accepted forms, and errors for malformed ones."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.training_data import jpeg, portrait, write_data
from training.data.importers import load_fairface, load_fer2013, read_fairface, read_fer2013
from training.errors import DatasetError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", faces=28, people=12, tested=4)


def change(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def change_row(path: Path, row: int, column: int, value: str) -> None:
    """Set a field; rows are counted as an editor shows them, columns from 0."""
    lines = path.read_text().splitlines()
    fields = lines[row - 1].split(",")
    fields[column] = value
    lines[row - 1] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")


def refused_fer(data: Path) -> str:
    folder = data / "fer2013"
    with pytest.raises(DatasetError) as refusal:
        read_fer2013(folder / "fer2013.csv", folder / "fer2013new.csv")
    return str(refusal.value)


def refused_fairface(data: Path) -> str:
    folder = data / "fairface"
    with pytest.raises(DatasetError) as refusal:
        read_fairface(folder / "fairface.zip", folder / "fairface_label_train.csv", folder / "face_boxes.csv")
    return str(refusal.value)


def test_fer2013_keeps_rows_in_order(data: Path) -> None:
    folder = data / "fer2013"
    change_row(folder / "fer2013.csv", 4, 1, " ".join(str(i % 256) for i in range(48 * 48)))
    faces = read_fer2013(folder / "fer2013.csv", folder / "fer2013new.csv")
    assert faces.images.shape == (28, 48, 48)
    assert faces.images[2].ravel()[:300].tolist() == [i % 256 for i in range(300)]
    assert faces.labels.tolist() == [number % 7 for number in range(28)]
    assert faces.usages[[0, 7, 14, 21]].tolist() == ["Training", "PublicTest", "Training", "PrivateTest"]
    assert faces.votes.shape == (28, 10)


@pytest.mark.parametrize("kind", ["xz", "gz", "zip"])
def test_fer2013_may_be_compressed(data: Path, tmp_path: Path, kind: str) -> None:
    plain = data / "fer2013" / "fer2013.csv"
    expected = load_fer2013(data, tmp_path / "before")
    packed = plain.with_name(f"fer2013.csv.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(plain, "fer2013.csv")
    else:
        packed.write_bytes((lzma if kind == "xz" else gzip).compress(plain.read_bytes()))
    plain.unlink()
    found = load_fer2013(data, tmp_path / "after")
    assert np.array_equal(found.images, expected.images)


def test_fairface_uses_the_central_box_or_the_median_without_one(data: Path) -> None:
    folder = data / "fairface"
    boxes = folder / "face_boxes.csv"
    lines = [line for line in boxes.read_text().splitlines() if not line.startswith("train/3.jpg")]
    boxes.write_text("\n".join([*lines, "train/0.jpg,0.99,0,0,10,10"]) + "\n")
    people = read_fairface(folder / "fairface.zip", folder / "fairface_label_train.csv", boxes)
    assert people.images.shape == (12, 96, 96)
    assert people.boxes[0].tolist() == people.boxes[3].tolist() == [16, 8, 64, 80]
    assert people.files[:2].tolist() == ["train/0.jpg", "train/1.jpg"]
    assert people.races[2] == "East Asian"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (0, "7", "fer2013.csv row 3 column emotion: '7', expected a whole number from 0 to 6"),
        (0, "happy", "fer2013.csv row 3 column emotion: 'happy', expected a whole number from 0 to 6"),
        (1, "1 2 3", "fer2013.csv row 3 column pixels: 3 values, expected 2304 from 0 to 255"),
        (1, " ".join(["256"] * 2304), "fer2013.csv row 3 column pixels: the value 256, expected 2304 from 0"),
        (
            1,
            "1 two",
            "fer2013.csv row 3 column pixels: invalid literal for int() with base 10: 'two', expected",
        ),
        (1, " ".join(["9" * 30] * 2304), "fer2013.csv row 3 column pixels: "),
        (0, "9" * 5000, "fer2013.csv row 3 column emotion: '9999999999999999999999999999999999999...', exp"),
        (2, "Test", "fer2013.csv row 3 column Usage: 'Test', expected Training, PublicTest or PrivateTest"),
    ],
)
def test_damaged_fer2013_rows_are_named(data: Path, column: int, value: str, expected: str) -> None:
    change_row(data / "fer2013" / "fer2013.csv", 3, column, value)
    assert refused_fer(data).startswith(expected)


def test_damaged_votes_are_named(data: Path) -> None:
    change_row(data / "fer2013" / "fer2013new.csv", 5, 2, "-1")
    assert refused_fer(data) == (
        "fer2013new.csv row 5 column neutral: '-1', expected a whole number from 0 to 100"
    )


def test_votes_must_match_row_for_row(data: Path) -> None:
    votes = data / "fer2013" / "fer2013new.csv"
    votes.write_text("\n".join(votes.read_text().splitlines()[:-1]) + "\n")
    assert refused_fer(data) == "fer2013new.csv: 27 rows, expected 28 as in fer2013.csv"


def test_a_missing_column_is_named(data: Path) -> None:
    change(data / "fer2013" / "fer2013.csv", "Usage", "Split")
    assert "no column Usage; found ['emotion', 'pixels', 'Split']" in refused_fer(data)


def test_a_row_of_another_length_is_named(data: Path) -> None:
    path = data / "fer2013" / "fer2013.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "1", *lines[4:]]) + "\n")
    assert refused_fer(data).startswith("fer2013.csv row 4: ")


def test_an_unknown_gender_is_named(data: Path) -> None:
    change_row(data / "fairface" / "fairface_label_train.csv", 2, 2, "?")
    assert refused_fairface(data) == (
        "fairface_label_train.csv row 2 column gender: '?', expected Female or Male"
    )


def test_a_picture_missing_from_the_archive_is_named(data: Path) -> None:
    change_row(data / "fairface" / "fairface_label_train.csv", 2, 0, "train/99.jpg")
    assert refused_fairface(data) == (
        "fairface_label_train.csv row 2 column file: 'train/99.jpg' is not in fairface.zip"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"no picture", "fairface.zip: train/1.jpg: not a picture: it begins with"),
        (
            jpeg(np.zeros((80, 96), np.uint8)),
            "fairface.zip: train/1.jpg: 96 x 80 pixels, expected 96 x 96 or",
        ),
        (
            jpeg(np.zeros((80, 80), np.uint8)),
            "fairface.zip: train/1.jpg: 80 x 80 pixels, expected 96 x 96 or",
        ),
        (jpeg(np.zeros((2100, 2100), np.uint8)), "announces 2100 x 2100 pixels, the most is 2048 a side"),
        (bytes(3_000_000), "fairface.zip: train/1.jpg: more than 2 MB, the most that is accepted"),
    ],
)
def test_a_damaged_picture_is_named(data: Path, content: bytes, expected: str) -> None:
    path = data / "fairface" / "fairface.zip"
    with zipfile.ZipFile(path) as archive:
        pictures = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, picture in (pictures | {"train/1.jpg": content}).items():
            archive.writestr(name, picture)
    assert expected in refused_fairface(data)


def test_a_damaged_archive_is_named(data: Path) -> None:
    path = data / "fairface" / "fairface.zip"
    path.write_bytes(path.read_bytes()[:100])
    assert refused_fairface(data) == f"{path}: File is not a zip file"


def test_a_box_that_is_not_a_number_is_named(data: Path) -> None:
    change_row(data / "fairface" / "face_boxes.csv", 2, 2, "left")
    assert refused_fairface(data) == "face_boxes.csv row 2 column x: 'left', expected a number in pixels"


def test_missing_folders_and_files_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder fer2013 or datasets/fer2013"):
        load_fer2013(tmp_path, tmp_path / "cache")
    (data / "fer2013" / "fer2013new.csv").unlink()
    with pytest.raises(DatasetError, match=r"fer2013new\.csv: no such file"):
        load_fer2013(data, tmp_path / "cache")
    (data / "fer2013" / "fer2013.csv").unlink()
    with pytest.raises(
        DatasetError, match=r"fer2013\.csv: no such file; `mien train data fetch fer2013` explains"
    ):
        load_fer2013(data, tmp_path / "cache")


def test_the_cache_is_used_until_a_source_changes(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load_fairface(data, cache, "train").genders.tolist()
    (kept,) = (cache / "train").iterdir()
    marked = [1 - gender for gender in first]
    np.save(kept / "genders.npy", np.array(marked))
    assert load_fairface(data, cache, "train").genders.tolist() == marked
    labels = data / "fairface" / "fairface_label_train.csv"
    labels.write_text(labels.read_text() + "train/0.jpg,3-9,Male,White\n")
    assert load_fairface(data, cache, "train").genders.tolist() == [*first, 1]


def test_an_interrupted_reader_leaves_no_cache_entry(data: Path, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_fer2013(data, tmp_path / "cache", stop)
    assert not (tmp_path / "cache").exists()
    assert len(load_fer2013(data, tmp_path / "cache").images) == 28
    assert [folder.suffix for folder in (tmp_path / "cache").iterdir()] == [""]


def test_without_a_cache_nothing_is_written(data: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert len(load_fer2013(data, None).images) == 28
    assert sorted(tmp_path.rglob("*")) == before


def test_each_row_calls_tick(data: Path) -> None:
    ticks: list[None] = []
    load_fer2013(data, None, lambda: ticks.append(None))
    assert len(ticks) == 28


def test_a_table_without_rows_is_named(data: Path) -> None:
    (data / "fer2013" / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    assert refused_fer(data).endswith("fer2013.csv: no rows below its header")


@pytest.mark.parametrize("kind", ["xz", "gz"])
def test_a_truncated_table_is_named(data: Path, kind: str) -> None:
    folder = data / "fer2013"
    packed = (lzma if kind == "xz" else gzip).compress((folder / "fer2013.csv").read_bytes())
    (folder / "fer2013.csv").unlink()
    (folder / f"fer2013.csv.{kind}").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(
        DatasetError, match=rf"^fer2013\.csv\.{kind}: damaged after row \d+: Compressed file ended"
    ):
        load_fer2013(data, None)


@pytest.mark.parametrize("name", ["fer2013.csv.xz", "fer2013.csv.gz"])
def test_a_table_with_a_wrong_suffix_is_named(data: Path, name: str) -> None:
    folder = data / "fer2013"
    (folder / "fer2013.csv").rename(folder / name)
    with pytest.raises(DatasetError, match=f"^{name}: damaged after row 1: "):
        load_fer2013(data, None)


def test_a_table_that_is_not_text_is_named(data: Path) -> None:
    path = data / "fer2013" / "fer2013.csv"
    path.write_bytes(path.read_bytes() + b"\xff\xfe1,2,3\n")
    assert "fer2013.csv: damaged after row " in refused_fer(data)


def test_an_archive_must_hold_one_table(data: Path) -> None:
    folder = data / "fer2013"
    with zipfile.ZipFile(folder / "fer2013.csv.zip", "w") as archive:
        archive.write(folder / "fer2013.csv", "fer2013.csv")
        archive.writestr("__MACOSX/fer2013.csv", "no table")
    (folder / "fer2013.csv").rename(folder / "before")
    assert len(load_fer2013(data, None).images) == 28
    with zipfile.ZipFile(folder / "fer2013.csv.zip", "a") as archive:
        archive.writestr("other.csv", "a,b")
    with pytest.raises(DatasetError, match=r"fer2013\.csv\.zip: 2 CSV files in it, expected 1"):
        load_fer2013(data, None)


def test_a_member_with_a_wrong_checksum_is_named(data: Path) -> None:
    path = data / "fairface" / "fairface.zip"
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = content.index(archive.read("train/2.jpg"))
    path.write_bytes(content[: at + 300] + bytes([content[at + 300] ^ 255]) + content[at + 301 :])
    assert refused_fairface(data).endswith("train/2.jpg: Bad CRC-32 for file 'train/2.jpg'")


def test_a_row_cannot_name_a_file_outside_the_folder(data: Path) -> None:
    folder = data / "fairface"
    with zipfile.ZipFile(folder / "fairface.zip") as archive:
        archive.extractall(folder)
    (folder / "fairface.zip").unlink()
    (data / "secret.jpg").write_bytes(jpeg(np.zeros((96, 96), np.uint8)))
    assert len(load_fairface(data, None, "train").images) == 12
    change_row(folder / "fairface_label_train.csv", 2, 0, "../secret.jpg")
    with pytest.raises(DatasetError, match=r"row 2 column file: '\.\./secret\.jpg' is not in fairface"):
        load_fairface(data, None, "train")


def test_a_box_without_a_width_is_named(data: Path) -> None:
    change_row(data / "fairface" / "face_boxes.csv", 2, 4, "0")
    assert refused_fairface(data) == (
        "face_boxes.csv row 2 column w: '0', expected a number above 0 in pixels"
    )


def test_fairface_as_published_is_reduced(data: Path) -> None:
    folder = data / "fairface"
    with zipfile.ZipFile(folder / "fairface.zip") as archive:
        pictures = {name: archive.read(name) for name in archive.namelist()}
    (folder / "fairface.zip").unlink()
    with zipfile.ZipFile(folder / "fairface-img-margin025-trainval.zip", "w") as archive:
        for name, picture in pictures.items():
            grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
            archive.writestr(name, jpeg(np.asarray(cv2.resize(grey, (224, 224)), np.uint8)))
    assert load_fairface(data, None, "val").images.shape == (4, 96, 96)


def test_without_a_table_of_boxes_our_detector_finds_them(data: Path, tmp_path: Path) -> None:
    folder = data / "fairface"
    with zipfile.ZipFile(folder / "fairface.zip", "w") as archive:
        for number in range(11):
            archive.writestr(f"train/{number}.jpg", jpeg(portrait(number)))
        archive.writestr("train/11.jpg", jpeg(np.full((96, 96), 128, np.uint8)))
    (folder / "face_boxes.csv").unlink()
    boxes = load_fairface(data, tmp_path / "cache", "train").boxes
    assert boxes[:11] == pytest.approx(np.tile([28, 22, 37, 50], (11, 1)), abs=8)
    assert boxes[11] == pytest.approx(np.median(boxes[:11], axis=0), abs=0.01)
