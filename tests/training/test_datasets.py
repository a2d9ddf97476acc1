"""What labels and votes mean, and which rows are trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training_data import votes_for, write_data
from training.data.datasets import (
    EXPRESSIONS,
    FERPLUS_COLUMNS,
    FairFace,
    Fer2013,
    expression_targets,
    expression_votes,
    ferplus_argmax,
    ferplus_strict,
    learnable,
    unseen,
    unseen_people,
    usable,
)
from training.data.importers import read_fairface, read_fer2013


def votes(**counts: int) -> np.ndarray:
    return np.array([[counts.get(name, 0) for name in FERPLUS_COLUMNS]])


def fer2013(folder: Path) -> Fer2013:
    data = write_data(folder) / "fer2013"
    return read_fer2013(data / "fer2013.csv", data / "fer2013new.csv")


def people(names: list[str]) -> FairFace:
    n = len(names)
    texts = np.full(n, "x")
    return FairFace(
        np.zeros((n, 96, 96), np.uint8),
        np.ones((n, 4), np.float32),
        np.zeros(n, int),
        texts,
        texts,
        np.array(names),
    )


def test_class_numbers_are_those_of_fer2013() -> None:
    assert EXPRESSIONS == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def test_vote_columns_are_those_of_ferplus() -> None:
    expected = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    assert ",".join(FERPLUS_COLUMNS) == expected


@pytest.mark.parametrize("number", range(7))
def test_votes_move_to_the_class_of_the_same_name(number: int) -> None:
    found = expression_votes(np.array([votes_for(EXPRESSIONS[number])]))
    assert found.tolist() == [[10 if label == number else 0 for label in range(7)]]


def test_votes_in_file_order_become_votes_in_label_order() -> None:
    found = expression_votes(np.array([[20, 21, 22, 23, 24, 25, 26, 7, 8, 9]]))
    assert found.tolist() == [[24, 25, 26, 21, 23, 22, 20]]


def test_a_lone_vote_is_noise() -> None:
    assert expression_votes(votes(anger=1, fear=2)).tolist() == [[0, 0, 2, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"anger": 10}, True),
        ({"anger": 3}, True),
        ({"anger": 2}, False),
        ({"contempt": 10}, False),
        ({"anger": 8, "NF": 2}, False),
        ({"anger": 8, "NF": 1}, True),
    ],
)
def test_usable_rows_are_faces_with_enough_votes(counts: dict[str, int], expected: bool) -> None:
    assert usable(votes(**counts)).tolist() == [expected]


def test_targets_are_shares_of_votes() -> None:
    found = expression_targets(votes(anger=6, neutral=2, contempt=2))
    assert found[0] == pytest.approx([0.75, 0, 0, 0, 0, 0, 0.25])
    assert found.dtype == np.float32


def test_rows_that_are_not_usable_have_no_target() -> None:
    assert not expression_targets(votes(NF=10)).any()


def test_what_is_learnt_are_votes_and_where_there_are_none_labels(tmp_path: Path) -> None:
    faces = fer2013(tmp_path)
    counts = faces.votes.copy()
    counts[3] = 0
    voted = replace(faces, votes=counts)
    assert np.array_equal(learnable(voted), expression_targets(counts))
    assert not learnable(voted)[3].any()
    silent = replace(faces, votes=np.zeros_like(counts))
    assert np.array_equal(learnable(silent).argmax(axis=1), faces.labels)
    assert (learnable(silent).sum(axis=1) == 1).all()


def test_strict_majority_is_more_than_half_of_the_votes_that_count() -> None:
    rows = np.concatenate(
        [
            votes(anger=6, fear=4),
            votes(anger=5, fear=5),
            votes(anger=4, fear=3, contempt=3),
            votes(fear=6, NF=1, anger=1, neutral=1, sadness=1),
        ]
    )
    kept, labels = ferplus_strict(rows)
    assert kept.tolist() == [True, False, False, True]
    assert labels[[0, 3]].tolist() == [EXPRESSIONS.index("anger"), EXPRESSIONS.index("fear")]


def test_argmax_needs_an_expression_before_all_else() -> None:
    rows = np.concatenate(
        [votes(anger=4, fear=3, contempt=3), votes(anger=4, NF=5), votes(anger=4, unknown=4)]
    )
    kept, labels = ferplus_argmax(rows)
    assert kept.tolist() == [True, False, False]
    assert labels[0] == EXPRESSIONS.index("anger")


def test_the_published_splits_do_not_overlap(tmp_path: Path) -> None:
    faces = fer2013(tmp_path)
    parts = [faces.part(usage) for usage in ("Training", "PublicTest", "PrivateTest")]
    assert [len(part.images) for part in parts] == [42, 21, 21]
    pictures = [{image.tobytes() for image in part.images} for part in parts]
    assert not (pictures[0] & pictures[1] | pictures[0] & pictures[2] | pictures[1] & pictures[2])


def test_training_leaves_out_pictures_that_are_tested(tmp_path: Path) -> None:
    faces = fer2013(tmp_path)
    assert len(unseen(faces).images) == 42
    training, public = (np.flatnonzero(faces.usages == usage) for usage in ("Training", "PublicTest"))
    images = faces.images.copy()
    images[training[0]] = images[public[3]]
    left = unseen(replace(faces, images=images))
    assert len(left.images) == 41
    assert set(left.usages) == {"Training"}
    assert images[public[3]].tobytes() not in {image.tobytes() for image in left.images}


def test_training_leaves_out_people_that_are_tested() -> None:
    train, val = (people([f"{part}/{n}.jpg" for n in range(1, 41)]) for part in ("train", "val"))
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 40, 96, 96)).astype(np.uint8)
    pictures[0, 0], pictures[0, 1] = pictures[1, 7], pictures[0, 2]
    train, val = (replace(each, images=images) for each, images in zip((train, val), pictures, strict=True))
    left = unseen_people(train, val)
    assert train.held_out().sum() == 5
    assert len(left.images) == 40 - 5 - 2, "the first is in val, the second in the slice"
    assert not {"train/1.jpg", "train/2.jpg", "train/3.jpg"} & set(left.files.tolist())


def test_the_held_out_slice_is_decided_by_the_file_name_for_good() -> None:
    names = [f"train/{number}.jpg" for number in range(1, 41)]
    held_out = people(names).held_out()
    assert np.flatnonzero(held_out).tolist() == [2, 13, 19, 25, 36]
    assert people(names[::-1]).held_out()[::-1].tolist() == held_out.tolist()


def test_about_a_tenth_is_held_out() -> None:
    share = people([f"train/{number}.jpg" for number in range(4000)]).held_out().mean()
    assert 0.08 < share < 0.12


def test_a_gender_is_read_by_its_name(tmp_path: Path) -> None:
    folder = write_data(tmp_path) / "fairface"
    found = read_fairface(
        folder / "fairface.zip", folder / "fairface_label_train.csv", folder / "face_boxes.csv"
    )
    assert found.genders[:4].tolist() == [0, 1, 0, 1]
