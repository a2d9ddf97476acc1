"""Logins of HTTP cameras: challenges in every notation, the examples of RFC 7616, a checking server."""

from __future__ import annotations

import base64
from contextlib import closing
from urllib.parse import quote

import pytest

from ingest import digest
from ingest.challenges import parse_challenges
from ingest.errors import SourceLost
from ingest.login import Login
from ingest.mjpeg import HttpCamera as HttpSource
from tests.support.http_camera import STREAM, Connection, HttpCamera, Request, Script, answer, is_valid_digest
from tests.support.mjpeg_camera import jpeg

RFC_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
PATIENCE = 30.0
USER, PASSWORD = "viewer", "p@ss: w/rd"


def schemes(*headers: str) -> list[str]:
    return [each.scheme for each in parse_challenges(headers)]


def test_challenges_of_one_header_and_of_several_are_the_same() -> None:
    one, two = 'Digest realm="a, b", nonce=abc', 'Basic realm="\\"door\\""'
    for headers in ([one, two], [f"{one}, {two}"], [f"{one},\t{two}".replace("Digest ", "DIGEST  ")]):
        first, second = parse_challenges(headers)
        assert (first.scheme, first.parameters) == ("digest", {"realm": "a, b", "nonce": "abc"})
        assert (second.scheme, second.parameters) == ("basic", {"realm": '"door"'})


def test_challenges_as_cameras_write_them() -> None:
    assert schemes("Negotiate, NTLM", "Basic realm=x") == ["negotiate", "ntlm", "basic"]
    assert schemes("Negotiate YIIabc==, Digest realm=x, nonce=y") == ["negotiate", "digest"]
    (spaced,) = parse_challenges(['digest Realm = "a" nonce = "b" , QOP=auth,auth-int , Stale=TRUE'])
    assert spaced.parameters == {"realm": "a", "nonce": "b", "qop": "auth", "stale": "TRUE"}
    (base64_nonce,) = parse_challenges(["Digest realm=door, nonce=a/b+c==, algorithm=MD5"])
    assert base64_nonce.parameters["nonce"] == "a/b+c=="
    assert parse_challenges(["", "=", '"', ",,", 'Digest realm="a\r\nX-Injected: 1", nonce="b"']) == []


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    monkeypatch.setattr("ingest.digest.secrets.token_hex", lambda _: client_nonce)
    (challenge,) = parse_challenges(
        [
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
            f'nonce="{RFC_NONCE}", opaque="{RFC_OPAQUE}"'
        ]
    )
    made = digest.answer(challenge, b"Mufasa", b"Circle of Life", ("GET", "/dir/index.html"), 1).decode()
    for part in (
        'username="Mufasa"',
        'uri="/dir/index.html"',
        f"algorithm={algorithm}",
        f'nonce="{RFC_NONCE}"',
        "nc=00000001",
        f'cnonce="{client_nonce}"',
        "qop=auth",
        f'response="{response}"',
        f'opaque="{RFC_OPAQUE}"',
    ):
        assert part in made


def test_the_example_of_rfc_7616_with_a_hashed_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3.9.2, with the values of erratum 4897."""
    monkeypatch.setattr(
        "ingest.digest.secrets.token_hex", lambda _: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    )
    login = Login("J\u00e4s\u00f8n Doe", "Secret, or not?")
    assert login.accept(
        [
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
            'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
        ]
    )
    made = (login.authorization("GET", "/doe.json") or b"").decode()
    assert 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in made
    assert 'response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"' in made
    assert made.endswith("userhash=true")


def challenge(algorithm: str = "", qop: str = "auth", nonce: str = "n1", more: str = "") -> str:
    fields = [f'realm="front door", nonce="{nonce}"']
    fields += (
        [f'qop="{qop}"'] * bool(qop) + [f"algorithm={algorithm}"] * bool(algorithm) + [more] * bool(more)
    )
    return f"WWW-Authenticate: Digest {', '.join(fields)}"


def serve_behind(
    *headers: str, user: str = USER, password: str = PASSWORD, encoding: str = "utf-8"
) -> Script:
    """A script that asks for a login with these headers and checks it as they say."""

    def is_admitted(request: Request) -> bool:
        given = request.headers.get("authorization", "")
        if given.startswith("Basic "):
            return base64.b64decode(given[6:]) == f"{user}:{password}".encode(encoding)
        return is_valid_digest(request, user, password, encoding)

    def serve(connection: Connection) -> None:
        while request := connection.request():
            if is_admitted(request):
                connection.send(STREAM, jpeg(1))
                connection.wait()
                return
            connection.send(answer("401 Unauthorized", *headers, body=b"<html>no</html>"))

    return serve


def open_camera(url: str) -> HttpSource:
    return HttpSource(url, fps=1000, open_timeout=PATIENCE, read_timeout=PATIENCE)


def read_one(camera: HttpCamera, user: str = USER, password: str = PASSWORD) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@"
    with closing(open_camera(camera.url("/video?stream=1&size=a%20b", login))) as source:
        picture = source.read()
        assert picture is not None
        assert picture.decode().shape == (96, 128)


@pytest.mark.parametrize(
    "headers",
    [
        ['WWW-Authenticate: Basic realm="door"'],
        ["www-authenticate:basic"],
        [],
        [challenge()],
        [challenge(qop="")],
        [challenge(qop="auth-int")],
        [challenge(qop="auth-int,auth")],
        [challenge("MD5-sess")],
        [challenge("MD5-sess", qop="")],
        [challenge("SHA-256")],
        [challenge("sha-256-SESS")],
        [challenge("SHA-512-256")],
        [challenge("SHA-256"), challenge("MD5")],
        [challenge("MD5"), 'WWW-Authenticate: Basic realm="door"', "WWW-Authenticate: NTLM"],
        [challenge("MD5") + ', Basic realm="a, b", ' + challenge("SHA-256").partition(": ")[2]],
        [challenge("SHA3-999"), challenge("MD5")],
        [challenge(more='opaque="x\\"y", domain="/"')],
        ["WWW-Authenticate: DIGEST REALM=door, NONCE=a/b==, QOP=AUTH, ALGORITHM=md5"],
    ],
)
def test_a_login_that_the_camera_accepts(headers: list[str]) -> None:
    with HttpCamera(serve_behind(*headers)) as camera:
        read_one(camera)
        assert camera.connections == 1
        assert len(camera.requests) == 2
        with pytest.raises(SourceLost, match=r"refuses the login \(401\)"):
            read_one(camera, password="wrong")
        assert len(camera.requests) == 4, "cameras lock an account after a few failures"
        with pytest.raises(SourceLost, match=r"asks for a login \(401\)"):
            open_camera(camera.url())


def test_the_strongest_challenge_is_answered() -> None:
    weak_first = [challenge("MD5"), "WWW-Authenticate: Basic realm=door", challenge("SHA-256")]
    with HttpCamera(serve_behind(*weak_first)) as camera:
        read_one(camera)
        assert "algorithm=SHA-256" in camera.requests[-1].headers["authorization"]


@pytest.mark.parametrize(
    "headers", [["WWW-Authenticate: Basic realm=door"], [challenge()], [challenge("SHA-256")]]
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_password_that_is_not_ascii(headers: list[str], encoding: str) -> None:
    user, password = "Empf\u00e4nger", 'gr\u00fc\u00df "dich" \\ :'
    announced = [f"{each}, charset=UTF-8" for each in headers] if encoding == "utf-8" else headers
    with HttpCamera(serve_behind(*announced, user=user, password=password, encoding=encoding)) as camera:
        read_one(camera, user, password)
    with HttpCamera(serve_behind(*announced, user=user, password=password, encoding=encoding)) as camera:
        # The same letters, of two characters each.
        read_one(camera, user.replace("\u00e4", "a\u0308"), password)


def test_an_encoding_that_was_refused_is_not_tried_again_when_a_nonce_expires() -> None:
    login = Login("Empf\u00e4nger", "p")

    def answers(nonce: str, more: str = "") -> bytes:
        """What is sent after a refusal with this challenge; empty where nothing is."""
        header = challenge(nonce=nonce, more=more).partition(": ")[2]
        return (login.authorization("GET", "/") or b"") if login.accept([header]) else b""

    utf_8, latin_1 = (b'username="' + "Empf\u00e4nger".encode(each) for each in ("utf-8", "latin-1"))
    assert utf_8 in answers("n1")
    assert latin_1 in answers("n1")
    for nonce in ("n2", "n3"):
        login.begin_request()
        assert latin_1 in answers(nonce)
    login.begin_request()
    assert utf_8 in answers("n4", "charset=UTF-8"), "the camera says what it accepts"
    assert answers("n4", "charset=UTF-8") == b""


def test_a_password_beyond_latin_1() -> None:
    with HttpCamera(serve_behind(challenge("SHA-256"), password="\u5bc6\u7801")) as camera:
        read_one(camera, password="\u5bc6\u7801")
        with pytest.raises(SourceLost, match="refuses the login"):
            read_one(camera, password="\u5bc6")


def test_a_quote_in_the_user_name_does_not_end_it() -> None:
    with HttpCamera(serve_behind(challenge(), user='a"b\\c')) as camera:
        read_one(camera, 'a"b\\c')
        assert 'username="a\\"b\\\\c"' in camera.requests[-1].headers["authorization"]


def test_a_login_that_is_not_supported_is_not_called_wrong() -> None:
    with HttpCamera(serve_behind("WWW-Authenticate: NTLM", challenge("SHA3-999"))) as camera:
        with pytest.raises(SourceLost, match=r"a login that is not supported \(ntlm, digest SHA3-999\)"):
            read_one(camera)
        assert len(camera.requests) == 1


def test_a_stale_nonce_is_renewed_and_uses_of_a_nonce_are_counted() -> None:
    """A camera that sends one picture for each request, and whose nonces last for three of them."""
    issued, counts = 0, []

    def serve(connection: Connection) -> None:
        nonlocal issued
        uses = 0
        while request := connection.request():
            nonce = f'nonce="n{issued}"'
            if uses < 3 and nonce in request.headers.get("authorization", ""):
                assert is_valid_digest(request, USER, PASSWORD)
                uses += 1
                counts.append((issued, request.headers["authorization"].partition("nc=")[2][:8]))
                connection.send(answer("200 OK", "Content-Type: image/jpeg", body=jpeg(len(counts))))
            else:
                issued, uses = issued + 1, 0
                stale = f"stale={'true' if issued % 2 else 'false'}"
                connection.send(answer("401 Unauthorized", challenge("MD5", nonce=f"n{issued}", more=stale)))

    with (
        HttpCamera(serve) as camera,
        closing(open_camera(camera.url(login=f"{USER}:{quote(PASSWORD, safe='')}@"))) as source,
    ):
        pictures = [source.read() for _ in range(8)]
        assert camera.connections == 1
    means = {float(picture.decode().mean()) for picture in pictures if picture}
    assert len(means) == 8
    assert counts[:7] == [(n, f"{use:08x}") for n in (1, 2, 3) for use in (1, 2, 3)][:7]


def test_a_camera_whose_nonces_are_always_stale_is_given_up() -> None:
    stale = challenge(more="stale=true")
    with HttpCamera(serve_behind(stale, password="another")) as camera:
        with pytest.raises(SourceLost, match="refuses the login"):
            read_one(camera)
        assert len(camera.requests) == 4


def test_a_nonce_that_is_valid_for_one_connection_alone() -> None:
    def serve(connection: Connection) -> None:
        nonce = f"{id(connection)}"
        while request := connection.request():
            if f'nonce="{nonce}"' in request.headers.get("authorization", ""):
                connection.send(STREAM, jpeg(1))
                connection.wait()
            else:
                connection.send(answer("401 Unauthorized", challenge(nonce=nonce)))

    with HttpCamera(serve) as camera:
        read_one(camera)


def test_a_camera_that_closes_the_connection_with_every_refusal() -> None:
    def serve(connection: Connection) -> None:
        request = connection.request()
        if request and is_valid_digest(request, USER, PASSWORD):
            connection.send(STREAM, jpeg(1))
            connection.wait()
        connection.send(answer("401 Unauthorized", challenge()))

    with HttpCamera(serve) as camera:
        read_one(camera)
        assert camera.connections == 2
