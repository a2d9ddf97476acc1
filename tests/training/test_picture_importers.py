"""Data sets with labels in file and folder names: FER2013 as folders, UTKFace, CK+48."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.training_data import lit, portrait, write_picture, zipped
from training.data.datasets import EXPRESSIONS, GENDERS, age_group
from training.data.importers import load_ckplus, load_fer2013, load_utkface
from training.errors import DatasetError

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def face(number: int, side: int = 48) -> NDArray[np.uint8]:
    return lit(side, 0.1, np.random.default_rng(number))


def write_folders(folder: Path, splits: dict[str, str], each: int = 2) -> Path:
    """Faces in SPLIT/EXPRESSION/PREFIX_NUMBER.png, as many of each expression."""
    numbers = iter(range(10_000))
    for split, prefix in splits.items():
        for name in CLASSES:
            for _ in range(each):
                number = next(numbers)
                write_picture(folder / split / name / f"{prefix}{number}.png", face(number))
    return folder


def refused(load: object, data: Path) -> str:
    assert callable(load)
    with pytest.raises(DatasetError) as refusal:
        load(data, None)
    return str(refusal.value)


class TestFolders:
    def test_folders_are_the_labels(self, tmp_path: Path) -> None:
        write_folders(tmp_path / "fer2013", {"train": "", "validation": "", "test": ""})
        faces = load_fer2013(tmp_path, None)
        assert faces.images.shape == (42, 48, 48)
        assert np.bincount(faces.labels).tolist() == [6] * len(EXPRESSIONS)
        found = dict(zip(*np.unique(faces.usages, return_counts=True), strict=True))
        assert found == {"Training": 14, "PublicTest": 14, "PrivateTest": 14}
        # The first picture that was written is the first by name of the class anger.
        row = np.flatnonzero((faces.usages == "Training") & (faces.labels == EXPRESSIONS.index("anger")))[0]
        assert np.array_equal(faces.images[row], face(0))
        happy = np.flatnonzero(
            (faces.usages == "Training") & (faces.labels == EXPRESSIONS.index("happiness"))
        )
        assert np.array_equal(faces.images[happy[0]], face(6))

    def test_there_are_no_votes(self, tmp_path: Path) -> None:
        write_folders(tmp_path / "fer2013", {"train": "", "test": ""})
        faces = load_fer2013(tmp_path, None)
        assert faces.votes.shape == (28, 10)
        assert not faces.votes.any()

    def test_names_separate_the_test_parts(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "Training_", "test": "PublicTest_"})
        write_folders(folder / "more", {"test": "PrivateTest_"}, each=1)
        faces = load_fer2013(tmp_path, None)
        found = dict(zip(*np.unique(faces.usages, return_counts=True), strict=True))
        assert found == {"Training": 14, "PublicTest": 14, "PrivateTest": 7}

    def test_a_name_moves_no_picture_out_of_or_into_training(self, tmp_path: Path) -> None:
        splits = {"train": "PrivateTest_", "val": "Training_", "test": "Training_"}
        write_folders(tmp_path / "fer2013", splits, each=1)
        faces = load_fer2013(tmp_path, None)
        found = dict(zip(*np.unique(faces.usages, return_counts=True), strict=True))
        assert found == {"Training": 7, "PublicTest": 7, "PrivateTest": 7}

    def test_a_tenth_of_train_replaces_a_missing_part(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "", "test": ""}, each=20)
        write_picture(folder / "train" / "sad" / "copy.png", face(0))
        faces = load_fer2013(tmp_path, None)
        counts = dict(zip(*np.unique(faces.usages, return_counts=True), strict=True))
        assert counts["PrivateTest"] == 140
        assert 4 <= counts["PublicTest"] <= 28
        assert counts["PublicTest"] + counts["Training"] == 141
        copies = [
            usage for image, usage in zip(faces.images, faces.usages, strict=True) if (image == face(0)).all()
        ]
        assert len(copies) == 2
        assert copies[0] == copies[1]

    def test_a_packed_archive_can_be_read(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "", "test": ""})
        expected = load_fer2013(tmp_path, None)
        packed = zipped(folder, tmp_path / "archive.zip")
        folder.mkdir()
        packed.rename(folder / "archive.zip")
        found = load_fer2013(tmp_path, tmp_path / "cache")
        assert np.array_equal(found.images, expected.images)
        assert found.usages.tolist() == expected.usages.tolist()

    def test_hidden_files_are_ignored(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "", "test": ""})
        (folder / "train" / "angry" / "._1.png").write_text("resource fork")
        (folder / "train" / "angry" / "Thumbs.db").write_text("thumbnails")
        write_picture(folder / ".cache" / "train" / "angry" / "1.png", face(1))
        write_picture(folder / "__MACOSX" / "train" / "angry" / "1.png", face(1))
        assert len(load_fer2013(tmp_path, None).images) == 28

    def test_a_loop_of_links_ends(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "", "test": ""}, each=1)
        (folder / "loop").symlink_to(folder)
        assert len(load_fer2013(tmp_path, None).images) % 14 == 0

    def test_the_cache_is_used_until_a_picture_changes(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": "", "test": ""}, each=1)
        cache = tmp_path / "cache"
        assert len(load_fer2013(tmp_path, cache).images) == 14
        assert len(load_fer2013(tmp_path, cache).images) == 14
        assert len(list(cache.iterdir())) == 1
        write_picture(folder / "train" / "sad" / "new.png", face(77))
        assert len(load_fer2013(tmp_path, cache).images) == 15

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (
                "train/contempt/1.png",
                "'train/contempt/1.png': folder 'contempt', expected SPLIT/EXPRESSION/FILE",
            ),
            ("extra/angry/1.png", "'extra/angry/1.png': folder 'extra', expected SPLIT/EXPRESSION/FILE"),
            ("angry/1.png", "'angry/1.png': folder '', expected SPLIT/EXPRESSION/FILE"),
            ("1.png", "'1.png': folder '', expected SPLIT/EXPRESSION/FILE"),
        ],
    )
    def test_a_folder_that_is_not_a_label_is_named(self, tmp_path: Path, name: str, expected: str) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": ""}, each=1)
        write_picture(folder / name, face(1))
        assert f"{folder}: {expected}" in refused(load_fer2013, tmp_path)

    def test_a_damaged_picture_is_named(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": ""}, each=1)
        path = write_picture(folder / "train" / "angry" / "half.jpg", face(1))
        path.write_bytes(path.read_bytes()[:-200])
        assert refused(load_fer2013, tmp_path).startswith(f"{path}: truncated JPEG")

    def test_a_picture_that_is_not_square_is_named(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "fer2013", {"train": ""}, each=1)
        write_picture(folder / "train" / "angry" / "wide.png", face(1)[:40])
        assert refused(load_fer2013, tmp_path).endswith("48 x 40 pixels, expected 48 x 48 or a larger square")

    def test_the_error_for_a_folder_without_pictures_explains_how_to_get_them(self, tmp_path: Path) -> None:
        (tmp_path / "fer2013").mkdir()
        assert "`mien train data fetch fer2013` explains how to get it" in refused(load_fer2013, tmp_path)


class TestUtkFace:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        for number, name in enumerate(
            (
                "1_0_0_20161219154842102.jpg.chip.jpg",
                "25_1_4_20170116174525125.jpg.chip.jpg",
                "116_1_2_20170112220255503.jpg.chip.jpg",
            )
        ):
            write_picture(tmp_path / "UTKFace" / name, portrait(number, 200))
        return tmp_path

    def test_names_are_the_labels(self, data: Path, tmp_path: Path) -> None:
        faces = load_utkface(data, tmp_path / "cache")
        assert faces.images.shape == (3, 96, 96)
        assert faces.files[0] == "116_1_2_20170112220255503.jpg.chip.jpg"
        assert faces.ages.tolist() == [116, 1, 25]
        assert [GENDERS[gender] for gender in faces.genders] == ["female", "male", "female"]
        assert faces.races.tolist() == ["Asian", "White", "Others"]
        assert faces.unlabelled == 0
        assert faces.boxes == pytest.approx(np.tile([28, 22, 37, 50], (3, 1)), abs=8)

    def test_they_can_be_used_as_fairface(self, data: Path) -> None:
        people = load_utkface(data, None).people()
        assert people.ages.tolist() == ["more than 70", "0-2", "20-29"]
        assert people.races.tolist() == ["Asian", "White", "Others"]
        assert people.boxes.shape == (3, 4)

    @pytest.mark.parametrize(
        "name", ["61_1_20170109142408075.jpg", "53__0_20170116184028385.jpg", "24_1__20170116184028385.jpg"]
    )
    def test_a_name_without_a_label_is_counted(self, data: Path, tmp_path: Path, name: str) -> None:
        write_picture(data / "UTKFace" / name, portrait(4, 200))
        for _ in range(2):
            faces = load_utkface(data, tmp_path / "cache")
            assert faces.unlabelled == 1
            assert len(faces.images) == 3

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("117_1_2_2017.jpg", "'117_1_2_2017.jpg' age: '117', expected a whole number from 0 to 116"),
            ("20_2_2_2017.jpg", "'20_2_2_2017.jpg' gender: '2', expected a whole number from 0 to 1"),
            ("20_1_5_2017.jpg", "'20_1_5_2017.jpg' race: '5', expected a whole number from 0 to 4"),
            ("20_1_x_2017.jpg", "'20_1_x_2017.jpg' race: 'x', expected a whole number from 0 to 4"),
            ("face.jpg", "'face.jpg': 1 parts, expected [age]_[gender]_[race]_[time].jpg"),
        ],
    )
    def test_an_invalid_name_is_refused(self, data: Path, name: str, expected: str) -> None:
        write_picture(data / "UTKFace" / name, portrait(4, 200))
        assert refused(load_utkface, data) == f"{data / 'UTKFace'}: {expected}"

    def test_a_duplicate_picture_of_an_archive_counts_once(self, data: Path) -> None:
        folder = data / "UTKFace"
        expected = load_utkface(data, None)
        (folder.parent / "inside").mkdir()
        folder.rename(folder.parent / "inside" / "UTKFace")
        packed = zipped(folder.parent / "inside", data / "archive.zip")
        with zipfile.ZipFile(packed, "a") as archive:
            for name in archive.namelist():
                if name.endswith(".jpg"):
                    archive.writestr(f"again/{name}", archive.read(name))
        folder.mkdir()
        packed.rename(folder / "archive.zip")
        assert np.array_equal(load_utkface(data, None).images, expected.images)

    def test_the_error_for_a_folder_without_pictures_explains_how_to_get_them(self, tmp_path: Path) -> None:
        (tmp_path / "utkface").mkdir()
        assert "`mien train data fetch utkface` explains how to get it" in refused(load_utkface, tmp_path)


@pytest.mark.parametrize(
    ("years", "group"),
    [(0, "0-2"), (2, "0-2"), (3, "3-9"), (9, "3-9"), (10, "10-19"), (69, "60-69"), (70, "more than 70")],
)
def test_age_groups_are_those_of_fairface(years: int, group: str) -> None:
    assert age_group(years) == group


class TestCkPlus:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        number = 0
        for folder, subject, sequence in (
            ("happy", "S011", "006"),
            ("anger", "S010", "004"),
            ("surprise", "S010", "002"),
            ("contempt", "S138", "008"),
        ):
            for time in (17, 9, 18):
                name = f"{subject}_{sequence}_{time:08}.png"
                write_picture(tmp_path / "CK+48" / folder / name, face(number, 48))
                number += 1
        return tmp_path

    def test_clips_are_the_frames_of_a_sequence_in_temporal_order(self, data: Path, tmp_path: Path) -> None:
        for _ in range(2):
            clips = load_ckplus(data, tmp_path / "cache")
            assert clips.frames.shape == (3, 3, 48, 48)
            assert clips.subjects.tolist() == ["S010", "S010", "S011"]
            assert [EXPRESSIONS[label] for label in clips.labels] == ["surprise", "anger", "happiness"]
            assert [
                (frame == face(n)).all() for frame, n in zip(clips.frames[1], (4, 3, 5), strict=True)
            ] == ([True] * 3)
            assert clips.contempt == 1

    def test_a_packed_archive_can_be_read(self, data: Path) -> None:
        expected = load_ckplus(data, None)
        folder = data / "CK+48"
        packed = zipped(folder, data / "archive.zip")
        folder.mkdir()
        packed.rename(folder / "archive.zip")
        assert np.array_equal(load_ckplus(data, None).frames, expected.frames)

    def test_a_clip_of_another_length_is_named(self, data: Path) -> None:
        (data / "CK+48" / "anger" / "S010_004_00000018.png").unlink()
        assert refused(load_ckplus, data) == f"{data / 'CK+48'}: S010_004 has 2 pictures, expected 3"

    def test_a_sequence_with_two_expressions_is_named(self, data: Path) -> None:
        write_picture(data / "CK+48" / "fear" / "S010_004_00000019.png", face(1))
        assert refused(load_ckplus, data).endswith(
            "'fear/S010_004_00000019.png': fear, expected anger as in 'anger/S010_004_00000009.png'"
        )

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("anger/face.png", "'anger/face.png': expected a name like S010_004_00000017.png"),
            ("calm/S010_004_00000019.png", "folder 'calm', expected one of anger, contempt, disgust, fear, "),
            ("S010_004_00000019.png", "folder '', expected one of anger, contempt, disgust, fear, happy"),
        ],
    )
    def test_an_invalid_name_is_refused(self, data: Path, name: str, expected: str) -> None:
        write_picture(data / "CK+48" / name, face(1))
        assert expected in refused(load_ckplus, data)

    def test_the_error_for_a_folder_without_pictures_explains_how_to_get_them(self, tmp_path: Path) -> None:
        (tmp_path / "ck+48").mkdir()
        assert "`mien train data fetch ck+48` explains how to get it" in refused(load_ckplus, tmp_path)
