"""What the claims of an ID token allow: a role, sites, a name; nothing where they say nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from common.access import Actor, Role
from dashboard import open_id
from dashboard.open_id import NotPermitted, OpenIdProvider, actor_of
from mien.settings import Settings

ISSUER = "https://login.example"


def settings(**changed: Any) -> Settings:
    given = {
        "oidc_issuer": ISSUER,
        "oidc_client_id": "mien",
        "dashboard_url": "https://shop.example",
    } | changed
    return Settings(**given)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"groups": ["mien-operators"]}, Actor("u1", Role.OPERATOR)),
        ({"groups": "mien-operators"}, Actor("u1", Role.OPERATOR)),
        ({"groups": ["x", "mien-analysts"]}, Actor("u1", Role.ANALYST)),
        ({"groups": ["mien-analysts", "mien-operators"]}, Actor("u1", Role.OPERATOR)),
    ],
)
def test_the_claim_of_roles_gives_the_role(claims: dict[str, Any], expected: Actor) -> None:
    assert actor_of({"sub": "u1", **claims}, settings()) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": []},
        {"groups": None},
        {"groups": ["MIEN-OPERATORS", "mien-operators ", "mien"]},
        {"groups": {"mien-operators": True}},
        {"groups": [["mien-operators"]]},
        {"groups": "x mien-operators"},
        {"roles": ["mien-operators"]},
        {"groups": True},
    ],
)
def test_whoever_has_no_role_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(NotPermitted, match="the claim groups names no role of Mien") as caught:
        actor_of({"sub": "u1", **claims}, settings())
    assert caught.value.name == "u1"


def test_a_claim_may_be_inside_another_one() -> None:
    found = actor_of(
        {"sub": "u1", "realm_access": {"roles": ["boss"]}},
        settings(oidc_role_claim="realm_access.roles", oidc_operators=("boss",)),
    )
    assert found.role is Role.OPERATOR
    named = {"sub": "u1", "https://shop.example/roles": ["boss"]}
    given = settings(oidc_role_claim="https://shop.example/roles", oidc_operators=("boss",))
    assert actor_of(named, given).role is Role.OPERATOR


def test_an_analyst_has_the_sites_of_the_claim_and_is_refused_without() -> None:
    given = settings(oidc_sites_claim="sites")
    analyst = {"sub": "u1", "groups": ["mien-analysts"]}
    assert actor_of(analyst | {"sites": ["Harbour", "Airport"]}, given).sites == {"Harbour", "Airport"}
    assert actor_of(analyst | {"sites": "Harbour"}, given).sites == {"Harbour"}
    assert actor_of({"sub": "u1", "groups": ["mien-operators"]}, given).sites is None
    for sites in ({}, {"sites": []}, {"sites": ""}, {"sites": {"all": True}}, {"sites": [None]}):
        with pytest.raises(NotPermitted, match="the claim sites names no site"):
            actor_of(analyst | sites, given)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "a@shop.example", "email_verified": True}, "a@shop.example"),
        ({"email": "boss@shop.example"}, "u1"),
        ({"email": "boss@shop.example", "email_verified": "true"}, "u1"),
        ({"preferred_username": "boss"}, "boss (u1)"),
        ({"preferred_username": "a\nforged"}, r"a\nforged (u1)"),
    ],
)
def test_the_name_is_verified_or_contains_the_subject(claims: dict[str, Any], name: str) -> None:
    assert actor_of({"sub": "u1", "groups": ["mien-analysts"], **claims}, settings()).name == name


@pytest.mark.parametrize("name", ["local", "nobody"])
def test_nobody_takes_a_name_that_the_audit_log_uses(name: str) -> None:
    with pytest.raises(NotPermitted, match="reserved"):
        actor_of({"sub": name, "groups": ["mien-operators"]}, settings())


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [
        (["none", "HS256", "RS256", "EdDSA"], ["RS256", "EdDSA"]),
        (["none"], ["RS256"]),
        (None, ["RS256"]),
    ],
)
def test_an_id_token_needs_the_signature_of_a_public_key(
    offered: list[str] | None, accepted: list[str]
) -> None:
    client = OpenIdProvider(settings())._client
    metadata = {"issuer": ISSUER, "_loaded_at": 1, "id_token_signing_alg_values_supported": offered}
    client.server_metadata.update(metadata)
    found = asyncio.run(client.load_server_metadata())
    assert found["id_token_signing_alg_values_supported"] == accepted


def test_the_states_of_sign_ins_are_bounded_and_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_id, "_MOST_STATES", 3)
    states = open_id._States()

    async def use() -> list[str | None]:
        for number in range(5):
            await states.set(str(number), "x", 60)
        await states.set("old", "x", -1)
        return [await states.get(key) for key in ("0", "1", "4", "old")]

    assert asyncio.run(use()) == [None, None, "x", None]
