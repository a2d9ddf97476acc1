"""Camera sources by their written form: webcam, network camera, recording or demo shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from typing_extensions import override

from common.redaction import redact_source
from common.source_identity import is_webcam, path_of
from common.source_parts import explain_literal_secret, find_literal_secret, literal_secrets, references
from ingest.address_policy import DEFAULT_POLICY, AddressPolicy, describe_to_browser, is_literal
from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.cameras import DEFAULT_VARIABLES, expand
from ingest.errors import IngestError, SourceError
from ingest.mjpeg import HttpCamera
from ingest.network import PORTS, Address
from ingest.recordings import LoopedRecording, open_recording
from ingest.streams import check_webcam, open_rtsp, open_webcam

_DEMO = "demo"
SCHEMES = (*PORTS, _DEMO)
DEFAULT_FPS = 5.0
"""Pictures per second of a folder and of the demo, which have no rate of their own."""


class DemoSource(CameraSource):
    """A simulated camera of the demo shop; a picture shows the moment at which it is decoded."""

    live = True

    def __init__(self, name: str, fps: float) -> None:
        from ingest.demo.camera import DemoCamera  # noqa: PLC0415 - only the demo needs its drawings

        self._demo = DemoCamera(name)
        self._fps = fps
        self._number = -1

    @override
    def read(self) -> UndecodedPicture:
        self._number += 1
        return UndecodedPicture(self._number / self._fps, self._demo.read)

    @override
    def close(self) -> None:
        self._demo.close()


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What a camera's source may refer to, may contain, and where it may lead.

    Attributes:
        environ: the environment.
        variables: patterns (`fnmatch`) of the names of variables that sources may refer to.
        parameters: parameters, in lower case, whose values are no secrets, in addition to the usual ones.
        policy: the addresses that network cameras may have.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: tuple[str, ...] = DEFAULT_VARIABLES
    parameters: tuple[str, ...] = ()
    policy: AddressPolicy = DEFAULT_POLICY

    def expand(self, source: str) -> str:
        """`source` with the values of its references; raises SourceError, see `ingest.cameras.expand`."""
        return expand(source, self.environ, self.variables)

    def secrets(self, source: str) -> frozenset[str]:
        """What must never be shown of a source: values of its references, and secrets written out."""
        values = (self.environ.get(name, "") for name in references(source))
        return literal_secrets(source) | frozenset(values)


NO_VARIABLES = SourceRules()
"""The usual rules, with an empty environment."""


def check_source(source: str, rules: SourceRules) -> None:
    """Check that `source` can be stored and opened, as far as that is known without opening it.

    Raises:
        SourceError: names the mistake in `source`, never a secret, and what to write instead.
    """
    if literal := find_literal_secret(source, rules.parameters):
        raise SourceError(explain_literal_secret(literal))
    expanded = rules.expand(source)
    path = path_of(expanded)
    scheme = expanded.partition("://")[0]
    if is_webcam(expanded):
        check_webcam(int(expanded))
    elif path is not None:
        _check_exists(path)
    elif scheme.lower() in PORTS:
        address = Address.parse(expanded)
        if is_literal(address.host):
            rules.policy.judge(address.host, address.port)
    elif scheme.lower() not in SCHEMES:
        raise _unknown_scheme(expanded)


def check_browser_source(source: str, rules: SourceRules) -> None:
    """Check a source that a person entered in a browser: a network camera in an allowed network, or a demo.

    Files, folders, webcams and addresses of this machine are refused, so is a name that cannot be resolved.

    Raises:
        SourceError: as `check_source`; the text is the same for every address that is not allowed.
    """
    scheme = source.partition("://")[0].lower()
    if scheme == _DEMO:
        return
    if scheme not in PORTS:
        raise SourceError(
            f"expected the address of a camera, with {', '.join(f'{each}://' for each in PORTS)}"
        )
    strict = replace(rules, policy=rules.policy.without_this_machine())
    try:
        check_source(source, strict)
        address = Address.parse(strict.expand(source))
        strict.policy.judge(address.host, address.port)
    except IngestError as error:
        raise SourceError(describe_to_browser(error)) from None


def is_recording(source: str) -> bool:
    """Whether `source` names a file or a folder, which end."""
    return path_of(source) is not None


def open_source(
    source: str,
    *,
    fps: float | None = None,
    open_timeout: float = 10.0,
    read_timeout: float = 10.0,
    loop: bool = False,
    policy: AddressPolicy = DEFAULT_POLICY,
) -> CameraSource:
    """Open a webcam by its number, an address, a video file or a folder of pictures.

    Args:
        source: with references to the environment already replaced (`ingest.cameras.expand`).
        fps: the rate of a folder's pictures and of the demo, None for `DEFAULT_FPS`.
        open_timeout: seconds within which a network camera must respond.
        read_timeout: seconds within which each picture of a network camera must arrive.
        loop: restart a recording when it ends.
        policy: judges the address of each connection to a network camera.

    Raises:
        SourceError: it cannot be used as it is written, or its address is not allowed.
        SourceLost: it cannot be reached at present.
    """
    if is_webcam(source):
        return open_webcam(int(source), read_timeout)
    path = path_of(source)
    if path is not None:
        return _open_recording(path, fps or DEFAULT_FPS, loop)
    scheme, _, rest = source.partition("://")
    match scheme.lower():
        case "rtsp" | "rtsps":
            return open_rtsp(source, open_timeout, read_timeout, policy)
        case "http" | "https":
            return HttpCamera(source, fps or DEFAULT_FPS, open_timeout, read_timeout, policy)
        case "demo":
            return DemoSource(rest, fps or DEFAULT_FPS)
    raise _unknown_scheme(source)


def _unknown_scheme(source: str) -> SourceError:
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    return SourceError(
        f"source {redact_source(source)}: its scheme is not known; use a webcam's number, {known}, "
        "a video file or a folder of pictures"
    )


def _check_exists(path: Path) -> None:
    try:
        exists = path.exists()
    except OSError as error:
        raise SourceError(f"{redact_source(str(path))}: cannot be read: {error.strerror}") from error
    if not exists:
        raise SourceError(f"{redact_source(str(path))}: no such file or folder")


def _open_recording(path: Path, fps: float, loop: bool) -> CameraSource:
    _check_exists(path)
    recording = partial(open_recording, path, fps)
    return LoopedRecording(recording) if loop else recording()
