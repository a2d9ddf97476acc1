"""The messages of alerts: JSON with a text for people."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from mien.alerts.judge import Report
from storage.alert_outbox import SIMULATED, VERSION, iso_time
from storage.tables import MESSAGE_LENGTH

_LONGEST_DETAIL = 200
_LONGEST_TEXT = 300

Message = dict[str, Any]


def create_message(report: Report, names: Mapping[str, str], now: int) -> Message:
    """The message about some subjects of one rule and site; `names` are those of cameras by id."""
    rule = report.rule
    subjects = [
        {
            "id": each.subject,
            "name": names.get(each.subject, each.subject),
            "since": iso_time(each.since),
            "detail": _cut(each.detail, _LONGEST_DETAIL),
        }
        for each in report.subjects
    ]
    simulated = any(each.simulated for each in report.subjects)
    status = "resolved" if report.resolved else "firing"
    message = {
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "created_at": iso_time(now),
        "status": status,
        "rule": {"id": rule.id, "name": rule.name, "kind": rule.kind.value},
        "subject_kind": "site" if rule.kind.compares_days else "camera",
        "site": report.site,
        "subjects": subjects,
        "subject_count": len(subjects),
        "simulated": simulated,
        "text": _text(report, subjects, simulated),
    }
    while len(encode(message)) > MESSAGE_LENGTH:
        subjects.pop()  # The text and the number tell that there are more.
    return message


def encode(message: Mapping[str, Any]) -> str:
    """A message as JSON."""
    return json.dumps(message, ensure_ascii=False, sort_keys=True)


def _text(report: Report, subjects: list[dict[str, str]], simulated: bool) -> str:
    rule = report.rule
    start = f"Resolved: {rule.kind}" if report.resolved else rule.kind.value.capitalize()
    count = f"{len(subjects)} cameras" if len(subjects) > 1 and not rule.kind.compares_days else ""
    about = [each for each in ("" if rule.kind.compares_days else report.site, count) if each]
    place = f" ({', '.join(about)})" if about else ""
    lines = "; ".join(f"{each['name'] or 'cameras without a site'}: {each['detail']}" for each in subjects)
    note = f" ({SIMULATED})" if simulated else ""
    return _cut(f"{start}{place}: {lines}", _LONGEST_TEXT) + note


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
