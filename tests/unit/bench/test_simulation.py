"""The queueing simulation against queues whose figures are known, and the hops of a message."""

import statistics

import pytest

from bench import capacity
from bench._demand import USED, Costs, Demand, ends, with_spare
from bench._simulation import RECOVERY_S, Service, Simulation, arrivals
from bench._tables import BLOCK
from bench.hops import Command, hops
from tests.processes import ROOT

NOTHING: dict[str, float] = {}
SIDES = ("measured", "simulated")


def test_waiting_for_one_slot_is_that_of_an_m_m_1_queue() -> None:
    service = Service({}, slots=1, cpu_s=NOTHING, deadline_s=1e9)
    simulation = Simulation(service, lambda chance, _: chance.expovariate(1.0))
    messages = simulation.run_arrivals(arrivals(lambda _: 0.5, 20_000))
    # The use, divided by the rate of service less that of arrivals.
    assert statistics.fmean(each.waited_s for each in messages) == pytest.approx(1.0, rel=0.15)


def test_sessions_are_limited_by_the_process_that_computes_most() -> None:
    costs = {"web": 0.002, "worker": 0.004}
    service = Service({"web": 1, "worker": 1}, slots=8, cpu_s=costs)
    messages = Simulation(service, lambda *_: 0.0).run_sessions(8, for_s=10)
    answered = sum(each.answered_s is not None for each in messages)
    assert answered / 10 == pytest.approx(250, rel=0.01)


def test_processes_share_cores() -> None:
    costs = {"web": 0.004, "worker": 0.004}
    service = Service({"web": 1, "worker": 1}, slots=8, cpu_s=costs, cores=1)
    messages = Simulation(service, lambda *_: 0.0).run_sessions(8, for_s=10)
    answered = sum(each.answered_s is not None for each in messages)
    assert answered / 10 == pytest.approx(125, rel=0.01)


def test_replies_of_a_lost_zone_begin_again_in_the_slots_that_are_left() -> None:
    simulation = Simulation(Service({}, slots=3, cpu_s=NOTHING), lambda *_: 10.0)
    simulation.lose_slots(1 / 3, at_s=5)
    messages = simulation.run_arrivals([0.0, 1.0, 2.0, 3.0])
    took = sorted(each.took_s for each in messages)
    # One reply begins again when the next of the two slots is free, the last one after it.
    assert took[:2] == [10, 10]
    assert took[2] > 15
    assert max(each.started_s or 0 for each in messages) == pytest.approx(11, abs=RECOVERY_S)
    assert len([each for each in messages if each.answered_s]) == 4


def test_messages_fail_at_the_deadline() -> None:
    service = Service({}, slots=1, cpu_s=NOTHING, deadline_s=15)
    messages = Simulation(service, lambda *_: 10.0).run_arrivals([0.0, 0.0, 0.0])
    assert [each.answered_s for each in messages] == [10, 20, None]


def test_arrivals_follow_the_rate() -> None:
    times = arrivals(lambda now: 10 if now < 100 else 1, 200)
    assert len([each for each in times if each < 100]) == pytest.approx(1000, rel=0.1)
    assert len([each for each in times if each >= 100]) == pytest.approx(100, rel=0.3)


COSTS = Costs(
    per_message_s={"web": 0.001, "worker": 0.002, "redis": 0.0005},
    per_token_s={"web": 1e-4, "worker": 1e-4, "redis": 5e-5},
    idle_socket={"web": 1e-5, "redis": 1e-6},
    socket_bytes=40_000,
    session_bytes=10_000,
    token_bytes=200,
)


def test_demand_is_that_of_the_busiest_hour() -> None:
    demand = Demand(100_000)
    assert demand.messages_per_s == pytest.approx(20)
    assert demand.replies_at_once == pytest.approx(120)
    assert demand.cores(COSTS, "web") == pytest.approx(0.02 + 0.24 + 0.02)
    needs = demand.needs(COSTS)
    assert needs["web processes"] == 1
    assert needs["workers"] == 5  # by slots: 120 / 64 / 0.6, and half as many again
    assert needs["GPUs"] == 10
    assert needs["memory of web for sockets (MB)"] == pytest.approx(80)


def test_one_process_needs_no_spare_and_several_survive_a_zone() -> None:
    assert [with_spare(each) for each in (0.01, 1, 1.1, 2, 4)] == [1, 1, 2, 3, 6]


def test_roles_apart_carry_more_than_one_redis() -> None:
    roles = {"store": 0.5, "broker": 0.3, "channel layer": 0.2}
    of_tokens = {"store": 0.7, "broker": 0.0, "channel layer": 0.3}
    carried = ends(COSTS, roles, of_tokens)
    per_visitor = Demand(1).cores(COSTS, "redis")
    assert carried["one Redis for everything"] == pytest.approx(USED / per_visitor)
    assert carried["one Redis as channel layer"] > carried["one Redis as store"]
    messages_only = Demand(1).messages_per_s * COSTS.per_message_s["redis"] * 0.3
    assert carried["one Redis as broker"] == pytest.approx(USED / messages_only)


TRIP = (100.0, 100.010)
CALLS = [{"received_at_s": 100.004, "finished_at_s": 100.005}]
COMMANDS = [
    Command(99.9, "LPUSH"),
    Command(100.001, "PUBLISH"),
    Command(100.002, "LPUSH"),
    Command(100.008, "PUBLISH"),
]


def test_hops_are_the_times_between_what_redis_and_the_model_saw() -> None:
    passed = hops(TRIP, COMMANDS, CALLS, "PUBLISH")
    assert passed is not None
    assert [round(each) for each in passed.values()] == [2, 2, 1, 3, 2, 10]


@pytest.mark.parametrize(
    ("commands", "calls"), [(COMMANDS[:3], CALLS), (COMMANDS[:1], CALLS), (COMMANDS, [])]
)
def test_a_round_trip_with_a_hop_that_was_not_seen_is_left_out(
    commands: list[Command], calls: list[dict[str, float]]
) -> None:
    assert hops(TRIP, commands, calls, "PUBLISH") is None


def test_the_check_compares_the_same_points() -> None:
    service = Service({"web": 1}, slots=64, cpu_s={"web": 0.001}, cores=2)
    figures = list(capacity.check(service, 300.0, [0.0, 0.1], [210.0, 220.0]))
    names = {system: [each.name for each in figures if each.system == system] for system in SIDES}
    assert names["measured"] == names["simulated"]
    simulated_rate = next(each.median for each in figures if each.system == "simulated")
    assert simulated_rate == pytest.approx(320, rel=0.02)


def test_every_table_of_the_capacity_page_has_figures() -> None:
    roles = {"store": 0.5, "broker": 0.3, "channel layer": 0.2}
    groups = {each.group for each in capacity.tables(COSTS, roles, roles)} | {"check", "scenarios"}
    text = (ROOT / "docs" / "explanation" / "capacity.md").read_text()
    assert {block["name"] for block in BLOCK.finditer(text)} == {f"capacity/{g}" for g in groups}
