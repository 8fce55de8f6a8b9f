"""Library calls that log for the application's code: known ones, and those of the configuration."""

from __future__ import annotations

import pytest
from support.world import World, an_error

from tocsin.daemon.config import ConfigError, parse
from tocsin.daemon.grouping.speakers import KNOWN_CALLS, Speaker, Speakers

RULE = {"logger": "batch", "template": "Step * failed", "text": r"^Step (\w+)"}


def titles(world: World) -> list[str]:
    return sorted(error.title for error in world.errors())


def test_a_rule_of_the_configuration_tells_errors_apart(world: World) -> None:
    world.configure({"grouping": {"rule": [RULE]}})
    steps = ["load", "load", "save"]
    world.app().log(*(an_error(f"Step {one} failed", at=world.now, logger="batch.run") for one in steps))
    assert titles(world) == ["Step load failed (load)", "Step save failed (save)"]


def test_a_rule_of_another_logger_changes_nothing(world: World) -> None:
    world.configure({"grouping": {"rule": [RULE]}})
    world.app().log(an_error("Step load failed", at=world.now, logger="batches"))
    assert titles(world) == ["Step load failed"]


def test_a_rule_may_name_bound_values(world: World) -> None:
    world.configure({"grouping": {"rule": [{"logger": "gateway", "context": ["route"]}]}})
    told = [{"route": "/pay"}, {"route": "/ship"}, None]
    events = [an_error("upstream failed", at=world.now, logger="gateway", context=one) for one in told]
    world.app().log(*events)
    assert titles(world) == ["upstream failed", "upstream failed (/pay)", "upstream failed (/ship)"]


def test_the_user_s_rules_come_before_the_known_ones() -> None:
    own = Speakers([Speaker(logger="asyncio", text=r"Task-(\d+)")])
    lost = an_error("Task was destroyed\ntask: <Task name='Task-7' coro=<poll()>>", at=0.0, logger="asyncio")
    assert own.parts(lost) == ["7"]


def test_every_known_call_says_where_it_stands() -> None:
    assert all(call.source and (call.text or call.context) for call in KNOWN_CALLS)


@pytest.mark.parametrize(("rule", "said"), [
    ({"text": "("}, "grouping.rule.text = '('"), ({"logger": "a"}, "needs text or context"),
])  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(rule: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"grouping": {"rule": [rule]}}, {})
    assert said in str(caught.value)
