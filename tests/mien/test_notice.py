"""The notice says what this installation does, in two languages, for any name."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from common.access import LOCAL
from mien.errors import SettingsError
from mien.notice import Language, create_notice, render_notice
from mien.settings import Settings
from storage.engine import open_database
from storage.protection import Protection, change_protection
from tests.support.processes import mien

TODAY = date(2026, 3, 31)


@dataclass(frozen=True, slots=True)
class OneCamera:
    site: str = "Shop"
    purpose: str = "How visitors like the new shelf"
    read_expression: bool = True
    read_gender: bool = True


def settings(**given: object) -> Settings:
    values: dict[str, object] = {"operator_name": "Müller & Söhne GmbH", "contact": "datenschutz@example.org"}
    return Settings(**(values | given))  # type: ignore[arg-type]


def text_of(pdf: bytes, folder: Path) -> str:
    """The text of a PDF, as a reader shows it."""
    if shutil.which("pdftotext") is None:
        reason = "pdftotext is missing"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    file = folder / "notice.pdf"
    file.write_bytes(pdf)
    done = subprocess.run(
        ["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, timeout=60
    )
    return " ".join(done.stdout.decode().split())


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            Language.EN,
            (
                "Who is responsible Müller & Söhne GmbH",
                "Purpose How visitors like the new shelf",
                "facial expression and the perceived gender",
                "Visits: 400 days",
                "Estimates of single seconds: 30 days",
                "Pictures lie on the disk of a server for at most 12 minutes.",
                "Questions and requests datenschutz@example.org",
            ),
        ),
        (
            Language.DE,
            (
                "Wer verantwortlich ist Müller & Söhne GmbH",
                "Zweck How visitors like the new shelf",
                "den Gesichtsausdruck und das wahrgenommene Geschlecht",
                "Besuche: 400 Tage",
                "Schätzungen einzelner Sekunden: 30 Tage",
                "Bilder liegen höchstens 12 Minuten",
                "Fragen und Anliegen datenschutz@example.org",
            ),
        ),
    ],
)
def test_the_notice_says_who_what_for_what_how_long_and_whom_to_ask(
    language: Language, wanted: tuple[str, ...], tmp_path: Path
) -> None:
    notice = create_notice(settings(), [OneCamera(), OneCamera()], 11 * 60 + 1, TODAY)
    pdf, missing = render_notice(notice, language)
    assert missing == ""
    text = text_of(pdf, tmp_path)
    for each in wanted:
        assert each in text
    for claim in ("anonym", "compliant", "konform", "GDPR", "DSGVO"):
        assert claim not in text
    assert pdf.count(b"/Type /Page\n") == 1, "one page for the wall"


@pytest.mark.parametrize(
    ("expression", "gender", "said", "unsaid"),
    [
        (True, False, "estimate the facial expression of", "gender"),
        (False, True, "estimate the perceived gender of", "expression"),
        (False, False, "Cameras count visitors here", "estimate"),
    ],
)
def test_the_notice_names_what_is_computed_and_nothing_else(
    expression: bool, gender: bool, said: str, unsaid: str, tmp_path: Path
) -> None:
    camera = OneCamera(read_expression=expression, read_gender=gender)
    text = text_of(render_notice(create_notice(settings(), [camera], 0.0, TODAY), Language.EN)[0], tmp_path)
    assert said in text
    assert unsaid not in text.replace("Estimates of single seconds", "")
    assert "in working memory only" in text


@pytest.mark.parametrize(
    "name", ["Żabka Polska", "Магазин", "株式会社", "متجر", "Shop 😀", "a\x00b\x1b[31m", "€ 5"]
)
@pytest.mark.parametrize("fonts", ["of this machine", "none"])
def test_a_name_beyond_latin_letters_is_written_or_reported(
    name: str, fonts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fonts == "none":
        monkeypatch.setattr("mien.notice._FONT_FILES", ())
    notice = create_notice(settings(operator_name=name), [OneCamera(purpose=name)], 0.0, TODAY)
    for language in Language:
        pdf, missing = render_notice(notice, language)
        assert pdf.startswith(b"%PDF")
        assert set(missing) <= set(name)
        if fonts == "none":
            assert set(missing) >= {letter for letter in name if ord(letter) > 255}


@pytest.mark.parametrize("name", ["operator_name", "contact"])
def test_a_notice_without_a_responsible_or_a_contact_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: is empty"):
        create_notice(settings(**{name: "  "}), [OneCamera()], 0.0, TODAY)


def test_the_command_writes_the_notice(tmp_path: Path) -> None:
    variables = {"MIEN_OPERATOR_NAME": "Shop Ltd", "MIEN_CONTACT": "privacy@shop.example"}
    none = mien(tmp_path, "notice", "--out", "n.pdf", variables=variables)
    assert none.returncode == 2
    added = mien(tmp_path, "cameras", "add", "door", "demo://entrance")
    assert added.returncode == 0, added.stderr
    done = mien(tmp_path, "notice", "--language", "de", "--out", "n.pdf", variables=variables)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "n.pdf").read_bytes().startswith(b"%PDF")
    assert "no camera has a purpose" in done.stderr
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    change_protection(engine, LOCAL, Protection(10, 400, 30, 400), {"keep_visits_days": 21})
    engine.dispose()
    mien(tmp_path, "notice", "--out", "shorter.pdf", variables=variables)
    assert "Visits: 21 days. Estimates of single seconds: 21 days." in text_of(
        (tmp_path / "shorter.pdf").read_bytes(), tmp_path
    )
    wrong = mien(tmp_path, "notice", "--language", "fr", "--out", "x.pdf", variables=variables)
    assert wrong.returncode == 2
    assert "--language fr: expected en or de" in wrong.stderr
    assert "operator_name: is empty" in mien(tmp_path, "notice", "--out", "x.pdf").stderr


def test_the_notice_of_a_database_with_frames_from_kafka_does_not_say_memory_only(tmp_path: Path) -> None:
    """A machine in an office writes the notice, and has no setting `bus`."""
    variables = {"MIEN_OPERATOR_NAME": "Shop Ltd", "MIEN_CONTACT": "privacy@shop.example"}
    added = mien(tmp_path, "cameras", "add", "door", "demo://entrance")
    assert added.returncode == 0, added.stderr
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO offsets VALUES ('frames', 0, 5, 0)")
    engine.dispose()
    done = mien(tmp_path, "notice", "--out", "n.pdf", variables=variables)
    assert done.returncode == 0, done.stderr
    assert "working memory only" not in text_of((tmp_path / "n.pdf").read_bytes(), tmp_path)
