"""Members: who may change whom, and what a change takes away."""

import asyncio

import pytest

from tests.api.conftest import Account, Accounts, ClientFactory

MEMBERS = "/api/v1/members"


async def test_an_added_person_is_listed_and_may_work(owner: Account, register: Accounts) -> None:
    member = await register.join(owner, "member")
    listed = (await owner.http.get(MEMBERS)).json()["items"]
    assert [(item["user_id"], item["role"]) for item in listed] == [
        (member.user_id, "member"),
        (owner.user_id, "owner"),
    ]
    me = (await member.http.get("/api/v1/auth/me")).json()
    assert (me["role"], me["organisation"]["id"]) == ("member", owner.organisation_id)
    assert len(me["organisations"]) == 2
    read = await owner.http.get(f"{MEMBERS}/{member.user_id}")
    assert read.json() == listed[0]


async def test_a_person_without_an_account_cannot_be_added(owner: Account) -> None:
    answer = await owner.http.post(MEMBERS, json={"email": "nobody@example.com", "role": "member"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/email")


async def test_nobody_is_added_twice(owner: Account, register: Accounts) -> None:
    member = await register.join(owner, "viewer")
    answer = await owner.http.post(MEMBERS, json={"email": member.email, "role": "admin"})
    assert answer.status_code == 409


@pytest.mark.parametrize("role", ["member", "approver", "viewer"])
async def test_only_owners_and_admins_change_members(owner: Account, register: Accounts, role: str) -> None:
    member = await register.join(owner, role)
    assert (await member.http.get(MEMBERS)).status_code == 200
    answers = [
        await member.http.post(MEMBERS, json={"email": "x@example.com", "role": "viewer"}),
        await member.http.patch(f"{MEMBERS}/{member.user_id}", json={"role": "admin"}),
        await member.http.delete(f"{MEMBERS}/{owner.user_id}"),
        await member.http.post("/api/v1/api-keys", json={"name": "x", "scopes": ["documents:read"]}),
        await member.http.patch("/api/v1/organisation", json={"name": "Mine"}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


async def test_an_admin_governs_everyone_but_owners(
    owner: Account, register: Accounts, clients: ClientFactory
) -> None:
    admin = await register.join(owner, "admin")
    viewer = await register.join(owner, "viewer")
    promoted = await admin.http.patch(f"{MEMBERS}/{viewer.user_id}", json={"role": "admin"})
    assert promoted.json()["role"] == "admin"
    key = clients(await owner.make_key("members:write", "members:read"))
    for http in (admin.http, key):
        refused = [
            await http.patch(f"{MEMBERS}/{viewer.user_id}", json={"role": "owner"}),
            await http.patch(f"{MEMBERS}/{owner.user_id}", json={"role": "viewer"}),
            await http.delete(f"{MEMBERS}/{owner.user_id}"),
            await http.post(MEMBERS, json={"email": viewer.email, "role": "owner"}),
        ]
        assert [answer.status_code for answer in refused] == [403] * 4
    assert (await admin.http.delete(f"{MEMBERS}/{viewer.user_id}")).status_code == 204


async def test_a_changed_role_counts_at_once(owner: Account, register: Accounts) -> None:
    admin = await register.join(owner, "admin")
    assert (await admin.http.patch("/api/v1/organisation", json={"name": "Renamed"})).status_code == 200
    await owner.http.patch(f"{MEMBERS}/{admin.user_id}", json={"role": "viewer"})
    assert (await admin.http.patch("/api/v1/organisation", json={"name": "Mine"})).status_code == 403
    assert (await owner.http.get("/api/v1/organisation")).json()["name"] == "Renamed"


async def test_a_demotion_revokes_the_keys_that_can_do_more(
    owner: Account, register: Accounts, clients: ClientFactory
) -> None:
    admin = await register.join(owner, "admin")
    strong = clients(await admin.make_key("documents:write"))
    weak = clients(await admin.make_key("documents:read", "search:read"))
    for http in (strong, weak):
        assert (await http.get("/api/v1/auth/me")).status_code == 200
    await owner.http.patch(f"{MEMBERS}/{admin.user_id}", json={"role": "viewer"})
    assert (await strong.get("/api/v1/auth/me")).status_code == 401
    assert (await weak.get("/api/v1/auth/me")).status_code == 200


async def test_a_removed_member_is_out_with_their_keys_and_log_ins(
    owner: Account, register: Accounts, clients: ClientFactory
) -> None:
    admin = await register.join(owner, "admin")
    key = clients(await admin.make_key("documents:read"))
    for http in (admin.http, key):
        assert (await http.get("/api/v1/auth/me")).status_code == 200
    assert (await owner.http.delete(f"{MEMBERS}/{admin.user_id}")).status_code == 204
    for http in (admin.http, key):
        assert (await http.get("/api/v1/auth/me")).status_code == 401
    refreshed = await clients().post("/api/v1/auth/refresh", json={"refresh_token": admin.refresh_token})
    assert refreshed.status_code == 401
    assert (await owner.http.get(f"{MEMBERS}/{admin.user_id}")).status_code == 404


async def test_the_last_owner_can_neither_go_nor_step_down(owner: Account) -> None:
    answers = [
        await owner.http.delete(f"{MEMBERS}/{owner.user_id}"),
        await owner.http.patch(f"{MEMBERS}/{owner.user_id}", json={"role": "admin"}),
    ]
    assert [answer.status_code for answer in answers] == [409, 409]
    same = await owner.http.patch(f"{MEMBERS}/{owner.user_id}", json={"role": "owner"})
    assert same.status_code == 200


async def test_two_owners_who_leave_at_once_leave_one(owner: Account, register: Accounts) -> None:
    second = await register.join(owner, "owner")
    answers = await asyncio.gather(
        owner.http.delete(f"{MEMBERS}/{owner.user_id}"),
        second.http.delete(f"{MEMBERS}/{second.user_id}"),
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_adding_with_an_idempotency_key_replays(owner: Account, register: Accounts) -> None:
    person = await register()
    body, headers = {"email": person.email, "role": "viewer"}, {"Idempotency-Key": "add-1"}
    first = await owner.http.post(MEMBERS, json=body, headers=headers)
    second = await owner.http.post(MEMBERS, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
