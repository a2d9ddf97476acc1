"""Videos of many containers, codecs and pixel formats: decoded to the pictures that were encoded."""

from __future__ import annotations

import gc
import os
import socket
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from media.errors import VideoError
from media.kinds import Kind, find_kind
from media.videos import VideoDecoder
from tests.support.videos import HEIGHT, INTERLACED, WIDTH, scene, to_frame, woven, write

PICTURES = 12
CLOSE = 3.0
"""Mean difference in grey levels that an encoder of this quality stays below."""


def decode(path: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """Luminance and time of every frame."""
    video = VideoDecoder(path)
    grays, times = [], []
    while video.grab():
        grays.append(video.gray())
        times.append(video.time_s)
    video.close()
    return grays, times


def assert_scene(grays: list[NDArray[np.uint8]], count: int = PICTURES) -> None:
    assert len(grays) == count
    for number, gray in enumerate(grays):
        assert gray.shape == (HEIGHT, WIDTH)
        assert difference(gray, scene(number)) < CLOSE, number


def difference(gray: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    return float(np.abs(gray.astype(int) - expected).mean())


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *(("mpeg2video", each) for each in ("mpg", "ts", "mkv", "avi", "mp4", "mov", "vob")),
        *(("libx264", each) for each in ("mp4", "mkv", "ts", "avi", "flv")),
        ("mpeg4", "avi"),
    ],
)
def test_interlaced_frames_of_every_container_show_one_moment(
    codec: str, suffix: str, tmp_path: Path
) -> None:
    pictures = [woven(number) for number in range(PICTURES)]
    path = write(tmp_path / f"clip.{suffix}", pictures, codec, options=INTERLACED[codec])
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    assert_scene(decode(path)[0])
    video = VideoDecoder(path)
    assert video.grab()
    color = video.color()
    assert color.shape == (HEIGHT, WIDTH, 3)
    assert difference(np.asarray(cv2.cvtColor(color, cv2.COLOR_BGR2GRAY), np.uint8), scene(0)) < CLOSE
    video.close()


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("libx264", "mp4", {"crf": "16"}),
        ("libx265", "mkv", {"crf": "16", "x265-params": "log-level=none"}),
        ("libsvtav1", "webm", {"crf": "16", "preset": "12"}),
        ("libvpx", "webm", {"b": "4000000"}),
        ("libvpx-vp9", "mkv", {"b": "4000000", "cpu-used": "8", "deadline": "realtime"}),
        ("mpeg4", "avi", {"b": "4000000"}),
        ("mpeg1video", "mpg", {"b": "4000000"}),
        ("wmv2", "wmv", {"b": "4000000"}),
        ("ffv1", "mkv", {}),
        ("flv", "flv", {"b": "4000000"}),
    ],
)
def test_codecs_give_what_was_encoded(
    codec: str, suffix: str, options: dict[str, str], tmp_path: Path
) -> None:
    pictures = [scene(number) for number in range(PICTURES)]
    path = write(tmp_path / f"clip.{suffix}", pictures, codec, options=options)
    assert_scene(decode(path)[0])


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        *(("ffv1", each) for each in ("gray", "gray10le", "gray12le", "gray16le", "yuv420p10le", "yuv444p")),
        *(("ffv1", each) for each in ("yuv422p12le", "yuva420p", "bgra", "rgb48le")),
        ("utvideo", "gbrp"),
        *(("rawvideo", each) for each in ("yuyv422", "nv12", "bgr24", "gray")),
        ("mjpeg", "yuvj420p"),
        ("mjpeg", "yuvj422p"),
        ("libx264", "yuv422p"),
    ],
)
def test_pixel_formats_give_the_same_grey(codec: str, pix_fmt: str, tmp_path: Path) -> None:
    options = {"qmin": "2", "qmax": "3"} if codec == "mjpeg" else {}
    container = "mkv" if codec in ("ffv1", "mjpeg", "libx264") else "avi"
    path = write(
        tmp_path / f"clip.{container}",
        [scene(number) for number in range(PICTURES)],
        codec,
        pix_fmt=pix_fmt,
        options=options,
    )
    grays, _ = decode(path)
    assert_scene(grays)
    assert abs(float(grays[0].mean()) - float(scene(0).mean())) < 1, "limited range is expanded"


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(2), (HEIGHT, 2 * WIDTH)),
        (Fraction(16, 11), (HEIGHT, 233)),
        (Fraction(8, 9), (108, WIDTH)),
        (Fraction(1), (HEIGHT, WIDTH)),
        (Fraction(200), (HEIGHT, WIDTH)),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_pixels_become_square(aspect: Fraction, size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"clip.{suffix}", [scene(number) for number in range(3)], aspect=aspect)
    grays, _ = decode(path)
    assert grays[0].shape == size
    shown = cv2.resize(scene(0), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    assert difference(grays[0], np.asarray(shown, np.uint8)) < CLOSE


def test_interlaced_pictures_with_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write(
        tmp_path / "clip.mpg",
        [woven(number) for number in range(3)],
        "mpeg2video",
        options=INTERLACED["mpeg2video"],
        aspect=Fraction(64, 45),
    )
    gray = decode(path)[0][0]
    assert gray.shape[0] == HEIGHT
    assert gray.shape[1] > WIDTH
    shown = cv2.resize(scene(0), gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert difference(gray, np.asarray(shown, np.uint8)) < CLOSE


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_the_rotation_of_a_video_is_applied(degrees: int, turns: int, tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [scene(number) for number in range(3)], rotation=degrees)
    grays, _ = decode(path)
    errors = [difference(grays[0], np.rot90(scene(0), n)) for n in (turns, turns + 2)]
    assert grays[0].shape == np.rot90(scene(0), turns).shape
    assert errors[0] < CLOSE < errors[1]


def test_times_are_those_of_the_container_from_the_first_picture_on(tmp_path: Path) -> None:
    stamps = [1.0, 1.04, 1.5, 1.52, 9.0]
    path = write(tmp_path / "clip.mkv", [scene(n) for n in range(5)], times=stamps)
    assert decode(path)[1] == pytest.approx([each - 1 for each in stamps], abs=0.002)


def test_a_recording_whose_clock_starts_again_has_times_that_rise(tmp_path: Path) -> None:
    part = write(tmp_path / "part.ts", [scene(n) for n in range(25)]).read_bytes()
    (tmp_path / "both.ts").write_bytes(part + part)
    grays, times = decode(tmp_path / "both.ts")
    assert len(grays) == 50
    assert np.diff(times) == pytest.approx([0.04] * 49, abs=0.03)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4", "avi", "flv"])
def test_a_recording_of_motion_only_is_whole(suffix: str, tmp_path: Path) -> None:
    times = [start + n / 25 for start in (0.0, 28.0, 61.0) for n in range(6)]
    codec, pix_fmt = ("mjpeg", "yuvj420p") if suffix == "avi" else ("libx264", "yuv420p")
    path = write(
        tmp_path / f"clip.{suffix}", [scene(n) for n in range(18)], codec, pix_fmt=pix_fmt, times=times
    )
    grays, found = decode(path)
    assert len(grays) == 18
    assert found == pytest.approx(times, abs=0.05)


def test_a_truncated_video_is_reported_where_the_container_states_its_frames(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.avi", [scene(n) for n in range(60)], "mjpeg", pix_fmt="yuvj420p")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    video = VideoDecoder(cut)
    with pytest.raises(VideoError, match=r"damaged video: it ends after \d+ of 60 frames"):
        grab_all(video)
    assert 20 < video.frames < 35
    video.close()


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx"), ("flv", "flv")])
def test_a_truncated_video_is_reported_where_the_container_states_its_duration(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    whole = write(tmp_path / f"whole.{suffix}", [scene(n) for n in range(200)], codec)
    video = VideoDecoder(whole)
    grab_all(video)
    assert video.frames == 200
    video.close()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    video = VideoDecoder(cut)
    with pytest.raises(VideoError, match=r"damaged video: it ends after [2-5]\.\d of [78]\.\d seconds"):
        grab_all(video)
    assert 60 < video.frames < 150
    video.close()


def test_a_video_with_a_longer_sound_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as output:
        moving = output.add_stream("mpeg4", rate=25)
        sound = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        moving.width, moving.height = WIDTH, HEIGHT
        for number in range(25):
            output.mux(moving.encode(to_frame(scene(number), "yuv420p")))
        output.mux(moving.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8 * 8000), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))
    assert len(decode(path)[0]) == 25


def grab_all(video: VideoDecoder) -> None:
    while video.grab():
        pass


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}/a.ts'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>{url}/a.mp4</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>\n",
    ],
    ids=["playlist", "concat", "sdp", "dash"],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8", "clip.sdp"])
def test_a_file_that_names_others_opens_none(text: str, name: str, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        path = tmp_path / name
        path.write_text(text.format(url=f"http://127.0.0.1:{port}", port=port))
        with pytest.raises(VideoError, match="not a video that can be decoded"):
            VideoDecoder(path)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("name", ["concat:a|b", "http:x.mp4", "pipe:0", "-", "a%d.mp4", "subfile,,start,0"])
def test_a_name_that_looks_like_an_address_is_a_file(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [scene(n) for n in range(3)]).rename(tmp_path / name)
    assert len(decode(path)[0]) == 3


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [scene(n) for n in range(3)])
    odd = tmp_path / os.fsdecode(b"Stra\xdfe.mp4")
    path.rename(odd)
    assert len(decode(odd)[0]) == 3


def test_kinds_are_told_by_content(tmp_path: Path) -> None:
    video = write(tmp_path / "clip.mp4", [scene(n) for n in range(3)])
    assert find_kind(video.rename(tmp_path / "clip.txt")) is Kind.VIDEO
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(cv2.imencode(".png", scene(0))[1].tobytes())
    assert find_kind(picture) is Kind.PICTURE
    for name, content in (
        ("a.csv", b"file,age\n1,2\n"),
        ("a.db", bytes(4096)),
        ("a.py", b"import os\n" * 99),
    ):
        (tmp_path / name).write_bytes(content)
        assert find_kind(tmp_path / name) is None


def test_a_song_with_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(VideoError, match="no moving picture"):
        VideoDecoder(path)


def test_videos_may_be_decoded_in_parallel(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [scene(n) for n in range(PICTURES)])
    failures: list[int] = []

    def work(number: int) -> None:
        if len(decode(path)[0]) != PICTURES:
            failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_frames_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    """Key frames are asked for their display matrix, which must not keep them."""
    path = write(tmp_path / "clip.mp4", [scene(n) for n in range(PICTURES)], options={"g": "1"})
    gc.collect()
    gc.disable()
    try:
        assert len(decode(path)[0]) == PICTURES
        assert not [each for each in gc.get_objects() if isinstance(each, av.VideoFrame)]
    finally:
        gc.enable()
