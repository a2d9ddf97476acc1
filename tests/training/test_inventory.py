"""What data sets are said to hold: class tables, duplicates, samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.training_data import lit, write_data
from training.data import inventory
from training.data.datasets import EXPRESSIONS, CkClips, FairFace, Fer2013, UtkFace
from training.data.duplicates import duplicates
from training.data.importers import load_fairface, load_fer2013
from training.data.inventory import ClassTable, Inventory
from training.pages.sample_sheet import PER_CLASS, draw_samples


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", faces=56, people=40, tested=6)


@pytest.fixture
def faces(data: Path) -> Fer2013:
    return load_fer2013(data, None)


@pytest.fixture
def people(data: Path) -> tuple[FairFace, FairFace]:
    return load_fairface(data, None, "train"), load_fairface(data, None, "val")


def counts(table: ClassTable) -> dict[str, list[int]]:
    return dict(zip(table.splits, table.counts.tolist(), strict=True))


def pictures(n: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.stack([lit(48, 0.2, rng) for _ in range(n)])


class TestDuplicates:
    def test_different_pictures_are_none(self) -> None:
        found = duplicates(pictures(4), np.array([0, 0, 1, 2]), np.arange(4))
        assert (found.within, found.across, found.contradicting) == ({}, {}, 0)

    def test_repetitions_within_a_split_count_after_the_first(self) -> None:
        images = pictures(4)[[0, 0, 0, 1, 2, 2]]
        found = duplicates(images, np.array([0, 0, 0, 0, 1, 1]), np.zeros(6, int))
        assert found.within == {0: 2, 1: 1}
        assert found.across == {}

    def test_across_splits_every_row_of_the_earlier_one_counts(self) -> None:
        images = pictures(4)[[0, 0, 1, 0, 1, 2]]
        found = duplicates(images, np.array([0, 0, 0, 2, 1, 1]), np.zeros(6, int))
        assert found.across == {(0, 1): 1, (0, 2): 2}

    def test_the_order_of_rows_does_not_matter(self) -> None:
        images = pictures(3)[[0, 1, 0]]
        found = duplicates(images, np.array([2, 1, 0]), np.zeros(3, int))
        assert found.across == {(0, 2): 1}

    def test_labels_that_differ_are_counted_by_picture(self) -> None:
        images = pictures(3)[[0, 0, 0, 1, 1]]
        found = duplicates(images, np.zeros(5, int), np.array([1, 2, 3, 4, 4]))
        assert found.contradicting == 1

    def test_one_pixel_makes_another_picture(self) -> None:
        images = pictures(1)[[0, 0]]
        images[1, 7, 7] ^= 1
        assert duplicates(images, np.zeros(2, int), np.zeros(2, int)).within == {}


class TestFer2013:
    def test_labels_and_votes_are_counted_by_split(self, faces: Fer2013) -> None:
        labels, strict, argmax = inventory.fer2013(faces).tables
        assert labels.classes == EXPRESSIONS
        assert counts(labels) == {"Training": [4] * 7, "PublicTest": [2] * 7, "PrivateTest": [2] * 7}
        assert counts(strict) == counts(argmax) == counts(labels)

    def test_votes_decide_what_ferplus_counts(self, faces: Fer2013) -> None:
        votes = faces.votes.copy()
        votes[0] = 0
        votes[1] = votes[2]
        labels, strict, _ = inventory.fer2013(replace(faces, votes=votes)).tables
        assert counts(labels)["Training"] == [4] * 7
        assert counts(strict)["Training"] == [3, 3, 5, 4, 4, 4, 4]
        notes = inventory.fer2013(replace(faces, votes=votes)).notes
        assert "rows of Training with too few FER+ votes for one of the seven expressions: 1" in notes

    def test_what_is_tested_is_not_trained_on(self, faces: Fer2013) -> None:
        images = faces.images.copy()
        training = np.flatnonzero(faces.usages == "Training")
        private = np.flatnonzero(faces.usages == "PrivateTest")
        images[training[:3]] = images[private[0]]
        notes = inventory.fer2013(replace(faces, images=images)).notes
        assert "repeated in Training: 2 pictures, each after the first" in notes
        assert "of Training, in PrivateTest too: 3 pictures" in notes
        assert "rows of Training left out of it, as a test part has their picture: 3" in notes
        assert "with more than one label: 1 picture" in notes

    def test_clean_data_are_said_to_be_clean(self, faces: Fer2013) -> None:
        notes = inventory.fer2013(faces).notes
        assert "no picture occurs twice" in notes
        assert "rows of Training left out of it, as a test part has their picture: 0" in notes

    def test_pictures_without_a_face_are_counted(self, faces: Fer2013) -> None:
        images = faces.images.copy()
        images[5] = 0
        assert "one even grey, no face: 1 picture" in inventory.fer2013(replace(faces, images=images)).notes

    def test_without_votes_it_is_said_what_is_lost(self, faces: Fer2013) -> None:
        found = inventory.fer2013(replace(faces, votes=np.zeros_like(faces.votes)))
        assert len(found.tables) == 1
        assert any("no FER+ votes" in note for note in found.notes)
        assert any("a tenth of train stands for PublicTest" in note for note in found.notes)


class TestFairFace:
    def test_parts_are_those_that_training_makes(self, people: tuple[FairFace, FairFace]) -> None:
        train, val = people
        gender, age, race = inventory.fairface(train, val).tables
        held_out = int(train.held_out().sum())
        assert held_out
        for table in (gender, age, race):
            assert table.counts.sum(axis=1).tolist() == [40 - held_out, held_out, 6]
        assert counts(gender)["val"] == [3, 3]
        assert age.classes == ("3-9", "20-29", "more than 70")
        assert race.classes == ("Black", "East Asian", "White")

    def test_a_picture_in_two_parts_is_named(self, people: tuple[FairFace, FairFace]) -> None:
        train, val = people
        row = int(np.flatnonzero(~train.held_out())[0])
        images = val.images.copy()
        images[4] = train.images[row]
        notes = inventory.fairface(train, replace(val, images=images)).notes
        assert "of train, in val too: 1 picture" in notes


def test_utkface_counts_what_it_left_out() -> None:
    faces = UtkFace(
        np.stack([lit(96, 0.3, np.random.default_rng(n)) for n in range(3)]),
        np.ones((3, 4), np.float32),
        np.array([0, 1, 1]),
        np.array([1, 30, 80]),
        np.array(["Others", "White", "White"]),
        np.array(["a", "b", "c"]),
        2,
    )
    found = inventory.utkface(faces)
    gender, age, race = found.tables
    assert counts(gender) == {"all": [1, 2]}
    assert age.classes == ("0-2", "30-39", "more than 70")
    assert race.classes == ("Others", "White")
    assert found.notes == ("no picture occurs twice", "left out, as their names lack a label: 2 pictures")


def test_ckplus_counts_clips_and_subjects() -> None:
    clips = CkClips(pictures(9).reshape(3, 3, 48, 48), np.array([0, 5, 5]), np.array(["S1", "S1", "S2"]), 18)
    found = inventory.ckplus(clips)
    assert counts(found.tables[0]) == {"all": [1, 0, 0, 0, 0, 2, 0]}
    assert found.notes[:2] == (
        "clips of 3 frames, 2 subjects",
        "clips left out, as contempt is none of the seven expressions: 18",
    )
    assert found.images.shape == (3, 48, 48)


class TestSamples:
    def drawn(self, found: list[Inventory], target: Path) -> np.ndarray:
        picture = cv2.imread(str(draw_samples(found, target)), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        return np.asarray(picture)

    def shades(self, n: int, classes: tuple[str, ...]) -> Inventory:
        """Pictures that are as light as their class number: 60, 120, ..."""
        labels = np.arange(n) % len(classes)
        images = np.stack([np.full((48, 48), 60 * (label + 1), np.uint8) for label in labels])
        return Inventory("Shades", (), (), images, labels, classes)

    def of_class(self, picture: np.ndarray, number: int) -> np.ndarray:
        """Where a sheet shows that class; drawing may round a shade."""
        return abs(picture.astype(int) - 60 * (number + 1)) <= 1

    def test_each_class_has_its_row(self, tmp_path: Path) -> None:
        picture = self.drawn([self.shades(60, ("dark", "grey", "light"))], tmp_path / "new" / "samples.png")
        areas = [int(self.of_class(picture, label).sum()) for label in range(3)]
        assert min(areas) > 0.8 * max(areas) > 0
        rows = [np.flatnonzero(self.of_class(picture, n).sum(axis=1) > 200).mean() for n in range(3)]
        assert rows == sorted(rows)

    def test_what_a_class_lacks_stays_white(self, tmp_path: Path) -> None:
        full = self.drawn([self.shades(PER_CLASS * 2, ("dark", "grey"))], tmp_path / "full.png")
        half = self.drawn([self.shades(PER_CLASS, ("dark", "grey"))], tmp_path / "half.png")
        none = self.drawn(
            [replace(self.shades(4, ("dark",)), classes=("dark", "grey"))], tmp_path / "none.png"
        )
        assert self.of_class(half, 0).sum() == pytest.approx(self.of_class(full, 0).sum() / 2, rel=0.05)
        assert self.of_class(none, 1).sum() < 0.01 * self.of_class(full, 1).sum()

    def test_the_same_data_give_the_same_sheet(self, faces: Fer2013, tmp_path: Path) -> None:
        found = [inventory.fer2013(faces)]
        assert np.array_equal(self.drawn(found, tmp_path / "a.png"), self.drawn(found, tmp_path / "b.png"))

    def test_data_sets_stand_one_below_the_other(self, tmp_path: Path) -> None:
        one = self.drawn([self.shades(20, ("dark", "grey"))], tmp_path / "one.png")
        two = self.drawn([self.shades(20, ("dark", "grey"))] * 2, tmp_path / "two.png")
        assert two.shape[0] > 1.8 * one.shape[0]
