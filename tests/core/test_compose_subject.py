"""A system of which only the Compose file is known."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import subject
from operator_demo.chaos import scenario
from operator_demo.compose import load_project, with_networks
from operator_demo.errors import UsageError
from operator_demo.plain_subject import Description, PlainSubject
from operator_demo.subject import Found, Member, Observation

FILE = """
services:
  setup: {image: "shop:${TAG:?no tag}"}
  web:
    image: shop
    depends_on: {setup: {condition: service_completed_successfully}}
    networks: [front, back]
  store: {image: shop, networks: [back]}
  admin: {image: shop, profiles: [tools], networks: [back]}
networks: {front: {}, back: {}}
"""
WEB = Member("web", "shop-web-1", "running", "10.0.0.2")


def load(path: Path) -> Found:
    def nothing_runs(code: object) -> None:
        pytest.fail("no Python is loaded")

    return subject.load(str(path), nothing_runs)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(FILE)
    (folder / ".env").write_text("TAG=1\n")
    return folder


@pytest.fixture
def plain() -> PlainSubject:
    return PlainSubject(Description("shop", "shop", ("web", "store")))


def test_members_are_the_services_that_keep_running(shop: Path) -> None:
    found = load(shop)
    assert (found.subject.name, found.subject.members, found.compose) == ("myshop", ("web", "store"),
                                                                          "docker-compose.yml")
    assert load(shop / "docker-compose.yml").subject.members == ("web", "store")


def test_the_folder_here_is_one_too(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    assert load(Path(".")).subject.name == "myshop"


def test_composes_own_order_of_names(shop: Path) -> None:
    (shop / "compose.yaml").write_text("services: {other: {image: shop}}\n")
    assert load(shop).subject.members == ("other",)


def test_a_variable_of_the_shell_wins_over_the_file(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / ".env").write_text("TAG=\n")
    with pytest.raises(UsageError, match="no tag"):
        load(shop)
    monkeypatch.setenv("TAG", "2")
    load(shop)


@pytest.mark.parametrize(("text", "message"), [
    ("services: {a: {image: b, imgae: c}}", "docker-compose.yml:1: service a: the key 'imgae' is not supported"),
    ("services: {a: {image: b, profiles: [x]}}", "no service is in the profiles"),
    ("services:\n  a: {image: b, depends_on: {c: {condition: service_completed_successfully}}}\n  c:\n    image: '?'",
     "docker-compose.yml:4: service c: image: the name of an image")])
def test_a_mistake_is_named_by_its_place(shop: Path, text: str, message: str) -> None:
    (shop / "docker-compose.yml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load(shop)


def test_a_broken_env_file_is_named_by_its_line(shop: Path) -> None:
    (shop / ".env").write_text("TAG=1\nOTHER='open\n")
    with pytest.raises(UsageError, match=r"\.env: line 2: a ' is not closed"):
        load(shop)


def test_a_folder_without_a_compose_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no Compose file"):
        load(tmp_path)
    with pytest.raises(UsageError, match="There is no folder and no file"):
        load(tmp_path / "nothing")


def test_its_scenarios_are_valid(shop: Path) -> None:
    found = load(shop)
    assert scenario.known(found) == ["member-kill", "member-pause", "member-stop"]
    assert scenario.default(found) == "member-kill"
    for name in scenario.known(found):
        play = scenario.load(found, name)
        assert play.repair
        assert play.telling("load").narration


def test_with_one_network_a_member_can_be_cut_off(shop: Path) -> None:
    (shop / "docker-compose.yml").write_text("services: {a: {image: b}}")
    assert "member-disconnect" in scenario.known(load(shop))


def test_a_scenario_of_the_folder_stands_beside_them(shop: Path) -> None:
    (shop / "scenarios").mkdir()
    (shop / "scenarios" / "mine.yaml").write_text("title: Mine\ncause: unknown\nfault: {kind: kill, target: web}\n")
    assert scenario.load(load(shop), "mine").fault.target == "web"


names = st.text(min_size=1)


@given(names, names, st.lists(names, min_size=1))
def test_a_description_arrives_as_it_was(name: str, title: str, members: list[str]) -> None:
    description = Description(name, title, tuple(members))
    assert Description.from_json(description.to_json()) == description
    inside = subject.load_inside(description.to_json())
    assert isinstance(inside, PlainSubject)
    assert inside.description == description


def violated(plain: PlainSubject, *members: Member) -> list[str]:
    return [v.key for v in plain.violations(plain.observe(members, 1.0))]


@pytest.mark.parametrize(("member", "violations"), [
    (WEB, []), (replace(WEB, health="healthy"), []),
    (replace(WEB, health="unhealthy"), ["unhealthy:web"]), (replace(WEB, health="starting"), ["unhealthy:web"]),
    (replace(WEB, state="exited", exit_code=137), ["member_down:web"]), (replace(WEB, state="paused"),
                                                                         ["member_down:web"]),
    (replace(WEB, state="missing", address=None), ["member_down:web"]), (replace(WEB, address=None),
                                                                         ["member_down:web"]),
    (replace(WEB, state="restarting"), ["restarting:web"])])
def test_what_is_wrong_with_a_member(plain: PlainSubject, member: Member, violations: list[str]) -> None:
    assert violated(plain, member) == violations


def test_a_member_that_runs_between_two_restarts_is_not_well(plain: PlainSubject) -> None:
    plain.observe([replace(WEB, state="restarting")], 1.0)
    assert violated(plain, WEB) == ["restarting:web"]
    assert plain.observe([WEB], 1.0).members["web"]["healthy"] is False


def test_redundancy_is_what_was_healthy_before(plain: PlainSubject) -> None:
    store = Member("store", "shop-store-1", "running", "10.0.0.3")
    before = plain.observe([WEB, store], 1.0)
    assert plain.redundancy(before, before).status == "passed"
    lost = plain.redundancy(before, plain.observe([WEB, replace(store, health="starting")], 1.0))
    assert (lost.status, "store" in lost.saw) == ("failed", True)
    assert plain.redundancy(before, Observation(0.0, {}, {})).status == "failed"


def test_our_services_join_every_network(shop: Path) -> None:
    (shop / "ours.yaml").write_text("services: {monitor: {image: a, networks: [subject]}, guard: {image: a, "
                                    "network_mode: none}}\nnetworks: {subject: {name: one, external: true}}\n")
    ours = with_networks(load_project(shop, "ours.yaml", project="p", env={}), "subject", ["two"])
    assert [ours.networks[key].name for key in ours.services["monitor"].networks] == ["one", "two"]
    assert not ours.services["guard"].networks
