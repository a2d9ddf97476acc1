"""Sign-in by OpenID Connect: the authorization code flow with PKCE, and what the claims allow."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from common.access import Actor, Role
from common.log_lines import one_line
from dashboard.sign_in import PATH
from mien.settings import Settings
from storage.users import RESERVED_NAMES

CALLBACK = f"{PATH}/callback"
"""The path to which the provider sends the browser back, below the base path."""

_MOST_STATES = 20_000
_MOST_NAME = 200
_TARGET = "mien_target"


class OpenIdError(Exception):
    """The provider did not answer, or its answer is refused; one line with the cause."""


class NotPermitted(Exception):
    """The provider knows the user, but the claims give no role; `name` is the user's."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user whom the provider knows, and the page that the user wanted."""

    actor: Actor
    target: str


class OpenIdProvider:
    """The provider of the settings; one for each process of the dashboard."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer
        secret = settings.oidc_client_secret
        self._settings = settings
        self._client: Any = _OAuth(cache=_States()).register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                "timeout": 10,
            },
        )
        self._callback = f"{settings.dashboard_url}/{CALLBACK}"

    async def begin(self, request: Request, target: str) -> Response:
        """Send the browser to the provider; `target` is the page that the user wants.

        Raises OpenIdError where the provider does not answer.
        """
        try:
            answer: Response = await self._client.authorize_redirect(request, self._callback)
        except _FAILURES as error:
            raise _refusal(error) from error
        request.session[_TARGET] = target
        return answer

    async def finish(self, request: Request) -> SignedIn:
        """The user with whom the provider sent the browser back.

        Raises OpenIdError where the answer is refused, NotPermitted where the claims give no role.
        """
        issuer = {"essential": True, "value": self._settings.oidc_issuer}
        try:
            token = await self._client.authorize_access_token(request, claims_options={"iss": issuer})
            claims = dict(token.get("userinfo") or {})
            if not claims.get("sub"):
                raise OpenIdError("the provider sent no ID token")
            if not _values(claims, self._settings.oidc_role_claim):
                # Providers may leave larger claims out of the ID token.
                more = dict(await self._client.userinfo(token=token))
                if more.get("sub") != claims["sub"]:
                    raise OpenIdError("the provider's answers are about two users")
                claims = more | claims
        except _FAILURES as error:
            raise _refusal(error) from error
        return SignedIn(actor_of(claims, self._settings), str(request.session.pop(_TARGET, "")))


def actor_of(claims: Mapping[str, Any], settings: Settings) -> Actor:
    """The actor that the claims of an ID token give; raises NotPermitted where they give no role."""
    name = _name(claims)
    roles = _values(claims, settings.oidc_role_claim)
    if roles & set(settings.oidc_operators):
        return Actor(name, Role.OPERATOR)
    if not roles & set(settings.oidc_analysts):
        raise NotPermitted(name, f"the claim {settings.oidc_role_claim} names no role of Mien")
    if not settings.oidc_sites_claim:
        return Actor(name, Role.ANALYST)
    sites = _values(claims, settings.oidc_sites_claim)
    if not sites:
        raise NotPermitted(name, f"the claim {settings.oidc_sites_claim} names no site")
    return Actor(name, Role.ANALYST, frozenset(sites))


def _name(claims: Mapping[str, Any]) -> str:
    """The verified e-mail address, else the subject, which is the user's for ever, with the name if any."""
    email, subject = claims.get("email"), one_line(str(claims["sub"]))
    if isinstance(email, str) and claims.get("email_verified") is True:
        name = one_line(email)
    else:
        shown = claims.get("preferred_username")
        name = f"{one_line(shown)} ({subject})" if isinstance(shown, str) and shown != subject else subject
    name = name[:_MOST_NAME]
    if name in RESERVED_NAMES:
        raise NotPermitted(name, "the name is reserved")
    return name


def _values(claims: Mapping[str, Any], claim: str) -> set[str]:
    """The texts of a claim: a text or a list of texts; `a.b` is also the claim `b` within the claim `a`."""
    found: Any = claims.get(claim)
    if found is None and "." in claim:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return {each for each in listed if isinstance(each, str) and each}


_FAILURES = (AuthlibBaseError, JoseError, httpx2.HTTPError, ValueError, RuntimeError, KeyError)
"""What the client raises for a provider that does not answer, or whose answer is wrong or unexpected."""


def _refusal(error: Exception) -> OpenIdError:
    """The cause without what the provider wrote, which may contain tokens."""
    return OpenIdError(getattr(error, "error", None) or type(error).__name__)


class _Client(StarletteOAuth2App):  # type: ignore[misc]
    """A client that accepts ID tokens with the signature of a public key alone.

    A provider may offer `none`, and those whose key is the client's secret.
    """

    @override
    async def load_server_metadata(self) -> dict[str, Any]:
        metadata = dict(await super().load_server_metadata())
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [
            each for each in offered if each != "none" and not each.startswith("HS")
        ] or ["RS256"]
        return metadata


class _OAuth(OAuth):  # type: ignore[misc]
    oauth2_client_cls = _Client


class _States:
    """The states, nonces and code verifiers of sign-ins that have begun, which the browser never gets."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def get(self, key: str) -> str | None:
        until, value = self._values.get(key, (0.0, ""))
        return value if time.monotonic() < until else None

    async def set(self, key: str, value: str, seconds: float) -> None:
        self._values[key] = time.monotonic() + seconds, value
        if len(self._values) > _MOST_STATES:
            self._values.popitem(last=False)

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)
