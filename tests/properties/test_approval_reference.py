"""The approval engine against a reference that enumerates: every outcome that the missing votes could still bring.

The reference is written from the rules as people read them. It keeps votes in a dictionary, knows nothing of the
engine's states, and calls a stage decided only when all completions of its votes come to the same outcome.
"""

import json
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from perdure.domain.approval_effects import Complete
from perdure.domain.approval_events import Decided, Decision, Delegated, Event, Opened, Revoked, TimerDue
from perdure.domain.approval_policies import ApprovalPolicy, parse_policy
from perdure.domain.approval_state import ApprovalState
from perdure.domain.approvals import Transition, advance, begin, still_asked
from perdure.schemas.approvals import state_json, state_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHOWN, OLD = "a" * 64, "b" * 64
DUE_HOURS = 48
VOICES = ("approve", "reject", "abstain")
CASES = 10_000


# What the rules say, enumerated


@dataclass
class StageRules:
    """A stage as the reference reads it: names and numbers."""

    voters: list[str]
    named: list[str]
    weights: dict[str, int]
    rule: str
    number: Fraction
    veto: set[str]
    required: list[set[str]]
    abstainers_count: bool
    may_abstain: bool
    timed: bool
    on_timeout: str
    boss: str | None
    after_boss: str


def final(rules: StageRules, votes: dict[str, str], without_veto: frozenset[str] = frozenset()) -> str:
    """The outcome once everybody has voted."""
    for voter, said in votes.items():
        if said == "reject" and voter in rules.veto - without_veto:
            return "rejected"
    yes = [voter for voter in rules.voters if votes[voter] == "approve"]
    if not yes or any(not group & set(yes) for group in rules.required):
        return "rejected"
    everybody = [voter for voter in rules.voters if rules.abstainers_count or votes[voter] != "abstain"]
    enough = {
        "any": len(yes) >= 1,
        "all": len(yes) == len(everybody),
        "k_of_n": len(yes) >= rules.number,
        "percentage": Fraction(len(yes), len(everybody)) >= rules.number,
        "weighted": sum(rules.weights[voter] for voter in yes) >= rules.number,
    }
    return "approved" if enough[rules.rule] else "rejected"


def possible(rules: StageRules, votes: dict[str, str], *, lapsed: bool = False) -> set[str]:
    """All outcomes that the silent could still bring; after the deadline they have no veto."""
    silent = [voter for voter in rules.voters if voter not in votes]
    without_veto = frozenset(silent) if lapsed else frozenset()
    found = set()
    for completion in product(VOICES, repeat=len(silent)):
        found.add(final(rules, votes | dict(zip(silent, completion, strict=True)), without_veto))
        if len(found) == 2:
            break
    return found


@dataclass
class Reference:
    """A request by the book: who voted what in the stage that is open."""

    stages: list[StageRules]
    requester: str
    barred: set[str]
    delegation: bool
    earlier_barred: bool
    at_stage: int = 0
    votes: dict[str, str] = field(default_factory=dict)
    casters: dict[str, str] = field(default_factory=dict)
    delegated: list[tuple[str, str, int]] = field(default_factory=list)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    deciders: set[str] = field(default_factory=set)
    past: list[tuple[list[str], str]] = field(default_factory=list)
    opened_at: float = 0
    due_at: float | None = None
    escalated: bool = False
    escalations: int = 0
    outcome: str | None = None
    ended_by: str = ""
    stuck: bool = False

    def __post_init__(self) -> None:
        self._open(0)

    @property
    def rules(self) -> StageRules:
        return self.stages[self.at_stage]

    def _open(self, hour: float) -> None:
        self.votes, self.casters, self.escalated, self.escalations = {}, {}, False, 0
        gone = self.barred | (self.deciders if self.earlier_barred else set())
        rules = self.rules
        # Named, and may not decide: the engine finds somebody else or calls for help, which has tests of its own.
        empty = [voter for voter in rules.named if voter in gone]
        rules.voters = [voter for voter in rules.voters if voter not in gone]
        self.stuck = bool(empty and (rules.boss or set(empty) & rules.veto)) or not rules.voters
        self.stuck = self.stuck or "approved" not in possible(rules, {})
        if rules.boss in gone:
            rules.boss = None
        self.due_at = hour + DUE_HOURS if rules.timed else None

    def _close(self, outcome: str, hour: float, by: str) -> None:
        self.past.append((self.rules.voters, by))
        if outcome == "approved" and self.at_stage + 1 < len(self.stages):
            self.deciders |= set(self.casters.values())
            self.at_stage += 1
            self._open(hour)
        else:
            self.outcome, self.ended_by, self.due_at = outcome, by, None

    def _look(self, hour: float) -> None:
        outcomes = possible(self.rules, self.votes)
        if len(outcomes) == 1:
            self._close(outcomes.pop(), hour, "certain")

    def time(self, hour: float) -> None:
        """All deadlines up to now, met by somebody who looks just now."""
        while self.outcome is None and self.due_at is not None and self.due_at <= hour:
            rules, self.due_at = self.rules, None
            if possible(rules, self.votes, lapsed=True) == {"approved"}:
                self._close("approved", hour, "certain")
                continue
            action = rules.after_boss if self.escalations else rules.on_timeout
            self.escalations += 1
            if action == "escalate" and rules.boss and rules.boss not in self.casters.values():
                self.escalated, self.due_at = True, hour + DUE_HOURS
            elif action in {"approve", "reject"}:
                self._close("approved" if action == "approve" else "rejected", hour, "deadline")

    def decide(self, said: dict[str, Any], hour: float) -> str:
        """What somebody is answered: `ok` or a reason."""
        self.time(hour)
        body = json.dumps(said, sort_keys=True)
        if (said["by"], said["key"]) in self.keys:
            return "ok" if self.keys[said["by"], said["key"]] == body else "key_reused"
        reason = self._refusal(said)
        if reason:
            return reason
        self.keys[said["by"], said["key"]] = body
        seat = self._seat(said)
        if seat is None:
            if said["decision"] == "abstain":
                self.escalated = False
                return "ok"
            self.casters[said["by"]] = said["by"]
            self._close({"approve": "approved", "reject": "rejected"}[said["decision"]], hour, "boss")
            return "ok"
        self.votes[seat], self.casters[seat] = said["decision"], said["by"]
        self._look(hour)
        return "ok"

    def _refusal(self, said: dict[str, Any]) -> str | None:
        by = said["by"]
        if self.outcome:
            return "past_due" if self.ended_by == "deadline" else "stage_closed"
        if by in self.barred or (self.earlier_barred and by in self.deciders):
            return "own_request"
        return self._stranger(said) or self._twice(said) or self._content(said, self._seat(said))

    def _stranger(self, said: dict[str, Any]) -> str | None:
        by, behalf = said["by"], said["behalf"]
        if behalf not in {None, by} and (
            by not in self._delegates(behalf) or behalf not in self.rules.voters
        ):
            return "not_an_approver"
        seat = self._seat(said)
        if seat == "?":
            return "holder_ambiguous"
        if seat == "":
            for voters, ended in self.past:
                if by in voters:
                    return "past_due" if ended == "deadline" else "stage_closed"
            return "not_an_approver"
        return None

    def _twice(self, said: dict[str, Any]) -> str | None:
        by, seat = said["by"], self._seat(said)
        own = [voter for voter, caster in self.casters.items() if caster == by]
        if own and seat not in own:
            return "both_sides_of_a_delegation"
        if own or seat in self.votes:
            return "already_decided"
        return None

    def _content(self, said: dict[str, Any], seat: str | None) -> str | None:
        if said["revision"] != SHOWN:
            return "stale_revision"
        if said["decision"] != "approve" and not said["comment"]:
            return "comment_required"
        if said["decision"] == "abstain" and seat is not None:
            alone = {seat} in [group & set(self.rules.voters) for group in self.rules.required]
            if alone or not self.rules.may_abstain:
                return "may_not_abstain"
        return None

    def _delegates(self, holder: str | None) -> set[str]:
        return {to for by, to, stage in self.delegated if by == holder and stage == self.at_stage}

    def _seat(self, said: dict[str, Any]) -> str | None:
        """Whose vote it is; None for who stands in for all, "" for nobody's, "?" for several."""
        by, behalf = said["by"], said["behalf"]
        if behalf not in {None, by}:
            return str(behalf)
        if self.escalated and by == self.rules.boss:
            return None
        if by in self.rules.voters:
            return str(by)
        holders = [voter for voter in self.rules.voters if by in self._delegates(voter)]
        silent = [voter for voter in holders if voter not in self.votes]
        if len(silent) > 1:
            return "?"
        return (silent or holders or [""])[0]

    def revoke(self, by: str, hour: float) -> str:
        """Take a vote back while nothing is decided."""
        self.time(hour)
        if self.outcome:
            return "past_due" if self.ended_by == "deadline" else "stage_closed"
        for voter in self.rules.voters:
            if voter in self.votes and by in {voter, self.casters[voter]}:
                del self.votes[voter], self.casters[voter]
                return "ok"
        return "?"

    def delegate(self, by: str, to: str, hour: float) -> str:
        """Let somebody else vote, once removed at most."""
        self.time(hour)
        if self.outcome:
            return "past_due" if self.ended_by == "deadline" else "stage_closed"
        lent = by not in self.rules.voters
        if lent and not any(by in self._delegates(voter) for voter in {one for one, _, _ in self.delegated}):
            return "not_an_approver"
        gone = self.barred | (self.deciders if self.earlier_barred else set())
        if not self.delegation or to in gone:
            return "delegation_not_allowed"
        reached, more = {to}, True
        while more:
            found = {receiver for giver, receiver, _ in self.delegated if giver in reached} - reached
            reached, more = reached | found, bool(found)
        if by in reached:
            return "delegation_loop"
        if lent:
            return "delegation_too_deep"
        self.delegated.append((by, to, self.at_stage))
        return "ok"

    def asked(self) -> set[str]:
        """Who has not voted."""
        if self.outcome:
            return set()
        silent = {voter for voter in self.rules.voters if voter not in self.votes}
        return silent | ({str(self.rules.boss)} if self.escalated else set())


# Policies and orders, generated


@dataclass
class Case:
    """A policy as JSON, the same for the reference, and what people do."""

    policy: dict[str, Any]
    reference: Reference
    opened: Opened
    told: list[tuple[float, str, dict[str, Any]]]


def a_case(seed: int) -> Case:
    dice = random.Random(seed)
    requester = dice.choice(["user:req", "user:v0"])
    authors = ["user:v1"] if dice.random() < 0.1 else []
    duties = {
        "requester": dice.random() < 0.8,
        "authors": dice.random() < 0.8,
        "earlier_stages": dice.random() < 0.3,
    }
    barred = ({requester} if duties["requester"] else set()) | (set(authors) if duties["authors"] else set())
    roles: dict[str, tuple[str, ...]] = {"legal": ("user:v2", "user:l1"), "board": ("user:v1", "user:v3")}
    read = [a_stage(dice, number, roles, barred) for number in range(dice.choice([1, 1, 1, 2, 3]))]
    depth = dice.random() < 0.8
    policy = {
        "stages": [one for one, _ in read],
        "separation_of_duties": duties,
        "delegation": {"allowed": depth},
    }
    order = an_order(dice, read)
    reference = Reference([rules for _, rules in read], requester, barred, depth, duties["earlier_stages"])
    opened = Opened(key="open", requester=requester, authors=tuple(authors), revision=SHOWN, roles=roles)
    return Case(policy, reference, opened, order)


def a_stage(
    dice: random.Random, number: int, roles: dict[str, tuple[str, ...]], barred: set[str]
) -> tuple[dict[str, Any], StageRules]:
    users = dice.sample(["user:v0", "user:v1", "user:v2", "user:v3"], dice.choice([1, 2, 2, 3, 3, 4]))
    names = {user: {"user": user.removeprefix("user:")} for user in users}
    approvers: list[dict[str, Any]] = [dict(names[user]) for user in users]
    role = dice.choice([None, None, *roles]) if len(users) < 4 else None
    voters, weights = list(users), dict.fromkeys(users, 1)
    rule = dice.choice(["any", "all", "k_of_n", "percentage", "weighted"])
    if rule == "weighted":
        for approver, user in zip(approvers, users, strict=True):
            approver["weight"] = weights[user] = dice.randint(1, 4)
    if role:
        approvers.insert(0, {"role": role})
        more = [person for person in sorted(roles[role]) if person not in users]
        voters += more
        weights |= dict.fromkeys(more, 1)
    able = [voter for voter in voters if voter not in barred]
    total = sum(weights[voter] for voter in able)
    number_of: dict[str, tuple[Any, Fraction]] = {
        "any": ("any", Fraction(1)),
        "all": ("all", Fraction(1)),
        "k_of_n": ({"k_of_n": (k := dice.randint(1, max(1, len(able))))}, Fraction(k)),
        "weighted": ({"weighted": (w := dice.randint(1, max(1, total)))}, Fraction(w)),
        "percentage": dice.choice(
            [
                ({"percentage": 50}, Fraction(1, 2)),
                ({"percentage": 66.67}, Fraction(6667, 10000)),
                ({"percentage": "2/3"}, Fraction(2, 3)),
                ({"percentage": 100}, Fraction(1)),
                ({"percentage": 1}, Fraction(1, 100)),
            ]
        ),
    }
    written, needed = number_of[rule]
    stage: dict[str, Any] = {"id": f"s{number}", "approvers": approvers, "rule": written}
    veto = {user for user in users if dice.random() < 0.15}
    required = [user for user in users if dice.random() < 0.1]
    stage["veto"] = [names[user] for user in users if user in veto]
    stage["required"] = [names[user] for user in required]
    groups = [{user} for user in required]
    if role and dice.random() < 0.2:
        stage["veto"].append({"role": role})
        veto |= set(roles[role])
    if role and dice.random() < 0.2:
        stage["required"].append({"role": role})
        groups.append(set(roles[role]))
    counted, may_abstain = dice.random() < 0.4, dice.random() < 0.85
    stage |= {"abstentions": "counted" if counted else "excluded", "may_abstain": may_abstain}
    timed = dice.random() < 0.5
    on_timeout, boss, after_boss = "hold", None, "hold"
    if timed:
        on_timeout = dice.choice(["reject", "approve", "escalate", "escalate", "hold"])
        stage |= {"due_in": f"{DUE_HOURS} hours", "on_timeout": on_timeout, "reminders": [0.5]}
        if on_timeout == "escalate":
            boss = dice.choice(["user:boss", "user:boss", "user:v0"])
            after_boss = dice.choice(["reject", "approve", "hold"])
            stage |= {
                "escalate_to": [{"user": boss.removeprefix("user:")}],
                "on_escalation_timeout": after_boss,
            }
    rules = StageRules(
        voters,
        users,
        weights,
        rule,
        needed,
        veto,
        groups,
        counted,
        may_abstain,
        timed,
        on_timeout,
        boss,
        after_boss,
    )
    return stage, rules


def an_order(
    dice: random.Random, read: list[tuple[dict[str, Any], StageRules]]
) -> list[tuple[float, str, dict[str, Any]]]:
    voters = list(dict.fromkeys(voter for _, rules in read for voter in rules.voters))
    told: list[tuple[float, str, dict[str, Any]]] = []
    hour, pace = 0.0, dice.choice([1, 6, 30])
    turns = [voter for _, rules in read for voter in dice.sample(rules.voters, len(rules.voters))]
    everybody = [*voters, "user:req", "user:boss", "user:stranger", "user:deputy"]
    kind = dice.random()
    if kind < 0.15:
        told += delegations_first(dice, voters)
    elif kind < 0.4:
        hour = dice.choice([10.0, 50.0])
        told.append((hour, "decide", a_decision(dice, turns.pop(0), voters, 90) | {"behalf": None}))
        told.append((hour + 50, "decide", a_decision(dice, "user:boss", voters, 91) | {"behalf": None}))
        hour += 50
    for number in range(dice.randint(3, 6 + 3 * len(read))):
        hour += dice.random() * pace
        chance = dice.random()
        if chance < 0.06:
            by = dice.choice([said["by"] for _, what, said in told if what == "decide"] or everybody)
            told.append((hour, "revoke", {"by": by, "key": f"r{number}"}))
        elif chance < 0.16:
            to = dice.choice([*everybody, "user:deputy", "user:deputy"])
            told.append((hour, "delegate", {"by": dice.choice(voters), "to": to, "key": f"d{number}"}))
        elif chance < 0.2:
            hour += dice.choice([0, 48, 96])
            told.append((hour, "wait", {}))
        elif chance < 0.26 and told and told[-1][1] == "decide":
            again = dict(told[-1][2])
            if dice.random() < 0.5:
                again["decision"] = dice.choice(VOICES)
            told.append((hour, "decide", again))
        else:
            chosen = dice.random()
            by = turns.pop(0) if turns and chosen < 0.6 else dice.choice(everybody)
            by = dice.choice(["user:boss", "user:deputy"]) if chosen > 0.85 else by
            told.append((hour, "decide", a_decision(dice, by, voters, number)))
    if dice.random() < 0.5:
        told.append((hour + 24 * dice.random() * 10, "wait", {}))
    return told


def delegations_first(dice: random.Random, voters: list[str]) -> list[tuple[float, str, dict[str, Any]]]:
    """Some lend their votes to one person, who then uses them."""
    to = dice.choice(["user:deputy", dice.choice(voters)])
    givers = dice.sample(voters, min(2, len(voters)))
    told: list[tuple[float, str, dict[str, Any]]] = [
        (0.0, "delegate", {"by": giver, "to": to, "key": f"g{number}"}) for number, giver in enumerate(givers)
    ]
    for number, behalf in enumerate(dice.sample([None, None, *givers], 3)):
        told.append((0.0, "decide", a_decision(dice, to, voters, 80 + number) | {"behalf": behalf}))
    return told


def a_decision(dice: random.Random, by: str, voters: list[str], number: int) -> dict[str, Any]:
    return {
        "by": by,
        "decision": dice.choice(["approve", "approve", "approve", "reject", "abstain"]),
        "revision": OLD if dice.random() < 0.04 else SHOWN,
        "comment": "" if dice.random() < 0.05 else "because",
        "behalf": dice.choice(voters) if dice.random() < (0.3 if by == "user:deputy" else 0.07) else None,
        "key": f"k{number}",
    }


def event_of(what: str, said: dict[str, Any]) -> Event:
    if what == "revoke":
        return Revoked(key=said["key"], by=said["by"])
    if what == "delegate":
        return Delegated(key=said["key"], by=said["by"], to=said["to"])
    if what == "wait":
        return TimerDue(timer="whichever")
    return Decided(
        key=said["key"],
        by=said["by"],
        decision=Decision(said["decision"]),
        revision=said["revision"],
        comment=said["comment"],
        on_behalf_of=said["behalf"],
    )


# The comparison


def played(policy: ApprovalPolicy, case: Case) -> list[Transition]:
    """What the engine makes of a case."""
    step = begin(policy, case.opened, START)
    steps = [step]
    for hour, what, said in case.told:
        step = advance(policy, step.state, event_of(what, said), START + timedelta(hours=hour))
        steps.append(step)
    return steps


def compare(seed: int) -> bool:
    """Hold engine and reference against each other; False when the case says nothing."""
    case = a_case(seed)
    reference = case.reference
    policy = parse_policy(case.policy)
    if reference.stuck:
        return False
    ends = 0
    steps = played(policy, case)
    for (hour, what, said), before, step in zip(case.told, steps, steps[1:], strict=False):
        expected = told(reference, what, said, hour)
        if reference.stuck:
            return True
        answered = "ok" if step.answer.accepted else str(step.answer.refusal)
        where = f"seed {seed}, {what} {said} at {hour}: {before.state.stage}"
        if expected == "?":
            assert answered in {"nothing_to_revoke", "stage_closed"}, where
        else:
            assert answered == expected, where
        state = step.state
        assert state.outcome == reference.outcome, where
        assert state.outcome is not None or state.stage.index == reference.at_stage, where
        people = {person for one in still_asked(policy, state, state.at) for person in one.people}
        assert people == reference.asked(), where
        ends += sum(isinstance(effect, Complete) for effect in step.effects)
    assert ends == (reference.outcome is not None)
    return True


def told(reference: Reference, what: str, said: dict[str, Any], hour: float) -> str:
    match what:
        case "decide":
            return reference.decide(said, hour)
        case "revoke":
            return reference.revoke(said["by"], hour)
        case "delegate":
            return reference.delegate(said["by"], said["to"], hour)
    reference.time(hour)
    return "ok"


@pytest.mark.parametrize("block", range(10))
def test_ten_thousand_policies_and_orders_come_to_what_enumerating_says(block: int) -> None:
    compared, seed = 0, block * 1_000_000
    while compared < CASES // 10:
        compared += compare(seed)
        seed += 1
    assert seed % 1_000_000 < 2 * compared  # most of what is generated says something


# What holds for every case


def a_policy(seed: int) -> tuple[ApprovalPolicy, Case]:
    case = a_case(seed)
    return parse_policy(case.policy), case


@pytest.mark.parametrize("block", range(4))
def test_the_order_of_independent_votes_does_not_change_the_outcome(block: int) -> None:
    """Everybody votes in all orders; a vote that comes after the end only comes too late."""
    dice = random.Random(block)
    for seed in range(block * 1_000, block * 1_000 + 150):
        policy, case = a_policy(seed)
        policy = replace(policy, stages=(replace(policy.stages[0], due_in=None, may_abstain=True),))
        opened = begin(policy, case.opened, START).state
        people = [seat.people[0] for seat in opened.stage.seats if seat.people]
        votes = {person: dice.choice(list(VOICES)) for person in people}
        orders = [dice.sample(people, len(people)) for _ in range(6)]
        outcomes = {outcome_of(policy, opened, [(name, votes[name]) for name in order]) for order in orders}
        assert len(outcomes) == 1, (seed, votes, outcomes)


def outcome_of(policy: ApprovalPolicy, state: ApprovalState, votes: list[tuple[str, str]]) -> str | None:
    for person, decision in votes:
        event = Decided(key="1", by=person, decision=Decision(decision), revision=SHOWN, comment="because")
        state = advance(policy, state, event, START).state
    return state.outcome


@pytest.mark.parametrize("block", range(4))
def test_nothing_changes_after_the_end_and_no_effect_comes_twice(block: int) -> None:
    for seed in range(block * 1_000, block * 1_000 + 150):
        policy, case = a_policy(seed)
        step = begin(policy, case.opened, START)
        effects, ended = [effect.id for effect in step.effects], step.state.outcome
        for hour, what, said in case.told:
            event, now = event_of(what, said), START + timedelta(hours=hour)
            before = step.state
            step = advance(policy, before, event, now)
            kept = state_of(json.loads(json.dumps(state_json(before))))
            assert kept == before
            assert step == advance(policy, kept, event, now)
            if ended is not None:
                assert (step.state.outcome, step.state.stages) == (ended, before.stages)
            own = [effect.id for effect in step.effects if not effect.id.startswith("refused")]
            if not step.answer.accepted and not own:
                assert step.state is before
            ended, effects = step.state.outcome, effects + own
            again = advance(policy, step.state, event, now)
            assert again.answer.accepted == step.answer.accepted
            if step.answer.accepted:
                assert (again.state, again.effects, again.answer) == (step.state, (), step.answer)
        assert len(effects) == len(set(effects))
